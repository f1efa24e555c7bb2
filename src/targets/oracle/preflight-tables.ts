import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { formatTableName } from '../../domain/table.js';
import type { MappedTable } from './mapped-table.js';
import { quoteTable } from './names.js';
import type { TargetTable } from './table-shape.js';

/** Source tables that would be written into one table: of one name in several schemas, or of names that Oracle folds into one. */
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
    ...(target.readOnly ? [readOnly(target)] : []),
    ...(target.rowsStay ? [rowsStay(target)] : []),
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

function readOnly(target: TargetTable): Finding {
  return createFinding('blocking', 'table.read-only', {
    object: formatTableName(target.name),
    problem: 'this table takes no writes',
    found: 'READ ONLY',
    remedy: onTarget(`ALTER TABLE ${quoteTable(target.name)} READ WRITE`),
  });
}

function rowsStay(target: TargetTable): Finding {
  return createFinding('warning', 'table.row-movement', {
    object: formatTableName(target.name),
    problem: 'a row whose partition changes is refused (ORA-14402), and the stream halts there',
    found: 'partitioned, row movement disabled',
    remedy: onTarget(`ALTER TABLE ${quoteTable(target.name)} ENABLE ROW MOVEMENT`),
  });
}

/** Nothing silences a trigger for one session alone. */
function fires(target: TargetTable, trigger: string): Finding {
  return createFinding('blocking', 'trigger.fires', {
    object: formatTableName(target.name),
    problem: 'this trigger would fire for every row of the stream and double what the changefeed carries',
    found: `trigger ${trigger}`,
    remedy: onTarget(`ALTER TRIGGER ${trigger} DISABLE`),
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
