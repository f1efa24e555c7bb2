import { action, createFinding, onTarget, type Finding, type Remedy } from '../../domain/finding.js';
import type { ForeignKey } from '../../domain/source-table.js';
import { formatTableName } from '../../domain/table.js';
import { actionsSql, foreignKeyCycles, foreignKeyLabel, sameAction, sourceKey } from '../foreign-key-pairs.js';
import type { MappedTable } from './mapped-table.js';
import { quoteColumns, quoteName, quoteTable } from './names.js';
import type { TargetForeignKey } from './table-shape.js';

/** Foreign keys whose actions differ between the sides, and rings of references. */
export function checkForeignKeys(tables: readonly MappedTable[], enforcementOff: boolean): Finding[] {
  const differing = tables.flatMap((table) =>
    table.target.foreignKeysOut.flatMap((key) => {
      const onSource = sourceKey(tables, table, key);
      return onSource && differs(onSource, key) ? [actionsDiffer(onSource, key, enforcementOff)] : [];
    }),
  );
  return [...differing, ...checkCycles(tables, enforcementOff)];
}

function actionsDiffer(source: ForeignKey, key: TargetForeignKey, enforcementOff: boolean): Finding {
  return createFinding(enforcementOff ? 'warning' : 'blocking', 'foreign-key.actions-differ', {
    object: formatTableName(key.table),
    problem: enforcementOff
      ? 'the sides treat referencing rows differently: no matter for the stream, but the application will see it after the return'
      : 'the target would change or keep referencing rows that the source treated otherwise',
    found: `${foreignKeyLabel(key)}: ${actionsSql(source)} on the source, ${actionsSql(key)} on the target`,
    remedy: again(source, key),
  });
}

/** InnoDB knows no SET DEFAULT. In one statement the old name would still be taken. */
function again(source: ForeignKey, key: TargetForeignKey): Remedy {
  if (source.onDelete === 'SET DEFAULT' || source.onUpdate === 'SET DEFAULT')
    return action('Give the foreign key on CockroachDB an action other than SET DEFAULT, which InnoDB does not have.');
  const table = `ALTER TABLE ${quoteTable(key.table)}`;
  const name = quoteName(key.name);
  return onTarget(
    `${table} DROP FOREIGN KEY ${name}; ${table} ADD CONSTRAINT ${name} FOREIGN KEY (${quoteColumns(key.columns)}) REFERENCES ${quoteTable(key.references)} (${quoteColumns(key.referencedColumns)}) ${actionsSql(source)}`,
  );
}

function checkCycles(tables: readonly MappedTable[], enforcementOff: boolean): Finding[] {
  return foreignKeyCycles(tables).map(({ cycle, keys }) =>
    createFinding('note', 'foreign-key.cycle', {
      object: cycle.join(', '),
      problem: enforcementOff
        ? 'these tables reference each other in a ring, which is not checked while rows are applied'
        : 'these tables reference each other in a ring, and InnoDB checks each row at once: a window that fills the ring takes a second attempt, whose rows are checked before its commit',
      found: keys.map((key) => `${formatTableName(key.table)} ${foreignKeyLabel(key)}`).join(', '),
      remedy: action(
        enforcementOff
          ? 'Nothing to do.'
          : 'Nothing to do; it is quicker once what keeps foreign keys on is mended (the findings about foreign keys and about PROCESS).',
      ),
    }),
  );
}

function differs(source: ForeignKey, target: ForeignKey): boolean {
  return !sameAction(source.onDelete, target.onDelete) || !sameAction(source.onUpdate, target.onUpdate);
}
