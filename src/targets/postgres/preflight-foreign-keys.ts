import { escapeIdentifier } from 'pg';
import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import type { ForeignKey } from '../../domain/source-table.js';
import { formatTableName } from '../../domain/table.js';
import { actionsSql, foreignKeyCycles, foreignKeyLabel, sameAction, sourceKey } from '../foreign-key-pairs.js';
import type { MappedTable } from './mapped-table.js';
import { quoteTable } from './names.js';
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
  const table = quoteTable(key.table);
  const name = escapeIdentifier(key.name);
  return createFinding(enforcementOff ? 'warning' : 'blocking', 'foreign-key.actions-differ', {
    object: formatTableName(key.table),
    problem: enforcementOff
      ? 'the sides treat referencing rows differently: no matter for the stream, but the application will see it after the return'
      : 'the target would change or keep referencing rows that the source treated otherwise',
    found: `${foreignKeyLabel(key)}: ${actionsSql(source)} on the source, ${actionsSql(key)} on the target`,
    remedy: onTarget(
      `ALTER TABLE ${table} DROP CONSTRAINT ${name}, ADD CONSTRAINT ${name} FOREIGN KEY (${key.columns
        .map((column) => escapeIdentifier(column))
        .join(', ')}) REFERENCES ${quoteTable(key.references)} (${key.referencedColumns
        .map((column) => escapeIdentifier(column))
        .join(', ')}) ${actionsSql(source)}`,
    ),
  });
}

function checkCycles(tables: readonly MappedTable[], enforcementOff: boolean): Finding[] {
  return foreignKeyCycles(tables).map(({ cycle, keys }) => {
    const harmless = enforcementOff || keys.every((key) => key.deferrable);
    return createFinding(harmless ? 'note' : 'warning', 'foreign-key.cycle', {
      object: cycle.join(', '),
      problem: harmless
        ? 'these tables reference each other in a ring, which the stream can check late'
        : 'these tables reference each other in a ring, so a window that fills it may have to be written a second time, in one statement',
      found: keys.map((key) => `${formatTableName(key.table)} ${foreignKeyLabel(key)}`).join(', '),
      remedy: harmless
        ? action('Nothing to do.')
        : onTarget(
            keys
              .map(
                (key) =>
                  `ALTER TABLE ${quoteTable(key.table)} ALTER CONSTRAINT ${escapeIdentifier(key.name)} DEFERRABLE`,
              )
              .join('; '),
          ),
    });
  });
}

function differs(source: ForeignKey, target: ForeignKey): boolean {
  return !sameAction(source.onDelete, target.onDelete) || !sameAction(source.onUpdate, target.onUpdate);
}
