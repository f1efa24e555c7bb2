import { escapeIdentifier } from 'pg';
import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import type { MappedTable } from './mapped-table.js';
import { quoteTable } from './names.js';
import type { TargetTable } from './table-shape.js';

export function missingTable(name: TableName): Finding {
  return createFinding('blocking', 'table.missing', {
    object: formatTableName(name),
    problem: 'the target has no such table, or several whose names differ in case alone',
    found: 'no match',
    remedy: action(`Create it on the target, or name another table in the plan.`),
  });
}

/** Source tables that would be written into one table: of one name in several schemas, or of names that differ in case alone. */
export function sharedTables(tables: readonly MappedTable[]): Finding[] {
  const sources = new Map<string, MappedTable[]>();
  for (const table of tables) sources.set(table.target.oid, [...(sources.get(table.target.oid) ?? []), table]);
  return [...sources.values()].flatMap((sharing) => {
    const [first] = sharing;
    if (first === undefined || sharing.length < 2) return [];
    return [
      createFinding('blocking', 'table.shared', {
        object: formatTableName(first.target.name),
        problem:
          'several tables of the source would be written into this one, and rows of one key would overwrite each other',
        found: sharing.map(({ source }) => formatTableName(source.table)).join(', '),
        remedy: action(
          'Give each a table of its own on the target (without targetSchema each goes to the schema of its own name), or leave all but one out.',
        ),
      }),
    ];
  });
}

/** The role that applies, and whether its sessions apply with triggers and foreign keys off. */
export interface ApplyingRole {
  readonly role: string;
  readonly enforcementOff: boolean;
}

/** What a table itself may have that keeps rows from arriving, or changes them. */
export function checkTable({ target }: MappedTable, session: ApplyingRole): Finding[] {
  if (target.kind !== 'table' && target.kind !== 'partitioned table') return [notATable(target)];
  return [
    ...target.notDurable.map((name) => notDurable(target, name)),
    ...(target.rowSecurity ? [rowSecurity(target, session.role)] : []),
    ...target.rules.map((rule) => ruled(target, rule)),
    ...target.subscriptions.map((subscription) => subscribed(target, subscription)),
    ...target.triggers.flatMap((trigger) => checkTrigger(target, trigger, session.enforcementOff)),
    ...[...target.checks, ...target.exclusions.map(({ name }) => name)].map((name) => constrained(target, name)),
  ];
}

function notATable(target: TargetTable): Finding {
  return createFinding('blocking', 'table.not-a-table', {
    object: formatTableName(target.name),
    problem: 'rows can be applied to tables only',
    found: `a ${target.kind}`,
    remedy: action('Name the table itself in the plan.'),
  });
}

/** Protocol rule 23. */
function notDurable(target: TargetTable, name: string): Finding {
  return createFinding('blocking', 'table.unlogged', {
    object: formatTableName(target.name),
    problem: 'a crash of the target empties this table while the checkpoint stays',
    found: `${name} is UNLOGGED`,
    remedy: onTarget(`ALTER TABLE ${name} SET LOGGED`),
  });
}

function rowSecurity(target: TargetTable, role: string): Finding {
  return createFinding('blocking', 'table.row-security', {
    object: formatTableName(target.name),
    problem: 'policies hide rows from the role that applies',
    found: 'row-level security is on for this role',
    remedy: onTarget(`ALTER ROLE ${escapeIdentifier(role)} BYPASSRLS`),
  });
}

function ruled(target: TargetTable, rule: string): Finding {
  return createFinding('blocking', 'table.rule', {
    object: formatTableName(target.name),
    problem: 'a rewrite rule changes what is written',
    found: `rule ${rule}`,
    remedy: onTarget(`ALTER TABLE ${quoteTable(target.name)} DISABLE RULE ${escapeIdentifier(rule)}`),
  });
}

function subscribed(target: TargetTable, subscription: string): Finding {
  return createFinding('blocking', 'table.subscribed', {
    object: formatTableName(target.name),
    problem: 'another writer fills this table',
    found: `subscription ${subscription} is enabled`,
    remedy: onTarget(`ALTER SUBSCRIPTION ${escapeIdentifier(subscription)} DISABLE`),
  });
}

function checkTrigger(
  target: TargetTable,
  trigger: TargetTable['triggers'][number],
  enforcementOff: boolean,
): Finding[] {
  const object = formatTableName(target.name);
  const disable = `ALTER TABLE ${quoteTable(target.name)} DISABLE TRIGGER ${escapeIdentifier(trigger.name)}`;
  if (trigger.fires === 'origin' && enforcementOff) {
    return [
      createFinding('note', 'trigger.silent', {
        object,
        problem: "this trigger does not fire for rows of the stream: its effects on the source's side are sent already",
        found: `trigger ${trigger.name}`,
        remedy: action('Nothing to do.'),
      }),
    ];
  }
  if (trigger.fires === 'replica' && !enforcementOff) return [];
  return [
    createFinding('blocking', trigger.fires === 'always' ? 'trigger.always' : 'trigger.fires', {
      object,
      problem: 'this trigger would fire for every row of the stream and double what the changefeed carries',
      found: `trigger ${trigger.name}, enabled ${trigger.fires === 'always' ? 'ALWAYS' : `for ${trigger.fires}`}`,
      remedy: onTarget(disable),
    }),
  ];
}

function constrained(target: TargetTable, name: string): Finding {
  return createFinding('warning', 'table.constraint', {
    object: formatTableName(target.name),
    problem: 'a row that breaks this constraint halts the stream',
    found: `constraint ${name}`,
    remedy: action('See that CockroachDB has the same constraint.'),
  });
}
