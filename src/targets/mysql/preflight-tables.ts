import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import type { MappedTable } from './mapped-table.js';
import { quoteName, quoteTable } from './names.js';
import type { TargetTable } from './table-shape.js';

export function missingTable(name: TableName): Finding {
  return createFinding('blocking', 'table.missing', {
    object: formatTableName(name),
    problem: 'the target has no such table, or several whose names differ in case alone',
    found: 'no match',
    remedy: action('Create it on the target, or name another table in the plan.'),
  });
}

/** Source tables that would be written into one table: of one name in several schemas, or of names that differ in case alone. */
export function sharedTables(tables: readonly MappedTable[]): Finding[] {
  const sources = new Map<string, MappedTable[]>();
  for (const table of tables) {
    const name = formatTableName(table.target.name);
    sources.set(name, [...(sources.get(name) ?? []), table]);
  }
  return [...sources].flatMap(([name, sharing]) =>
    sharing.length < 2
      ? []
      : [
          createFinding('blocking', 'table.shared', {
            object: name,
            problem:
              'several tables of the source would be written into this one, and rows of one key would overwrite each other',
            found: sharing.map(({ source }) => formatTableName(source.table)).join(', '),
            remedy: action(
              'Give each a table of its own on the target (without targetSchema each goes to the schema of its own name), or leave all but one out.',
            ),
          }),
        ],
  );
}

/** What a table itself may have that keeps rows from arriving, or changes them. */
export function checkTable({ target }: MappedTable): Finding[] {
  if (target.kind !== 'table') return [notATable(target)];
  return [
    ...(target.engine === 'InnoDB' ? [] : [engine(target)]),
    ...target.triggers.map((trigger) => fires(target, trigger)),
    ...target.checks.map((name) => constrained(target, name)),
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

/** Protocol rule 23: rows and checkpoint change together or not at all. */
function engine(target: TargetTable): Finding {
  return createFinding('blocking', 'table.engine', {
    object: formatTableName(target.name),
    problem:
      'rows of this engine are not part of a transaction, so they and the checkpoint could contradict each other',
    found: `ENGINE = ${target.engine}`,
    remedy: onTarget(`ALTER TABLE ${quoteTable(target.name)} ENGINE = InnoDB`),
  });
}

/** Nothing silences a trigger for one session alone. */
function fires(target: TargetTable, trigger: string): Finding {
  const name = `${quoteName(target.name.schema)}.${quoteName(trigger)}`;
  return createFinding('blocking', 'trigger.fires', {
    object: formatTableName(target.name),
    problem:
      'this trigger would fire for every row of the stream and double what the changefeed carries (keep its text, of SHOW CREATE TRIGGER, for the return)',
    found: `trigger ${trigger}`,
    remedy: onTarget(`DROP TRIGGER ${name}`),
  });
}

function constrained(target: TargetTable, name: string): Finding {
  return createFinding('warning', 'table.constraint', {
    object: formatTableName(target.name),
    problem: 'a row that breaks this constraint halts the stream',
    found: `constraint ${name}`,
    remedy: action('See that CockroachDB has the same constraint.'),
  });
}
