import { action, createFinding, onTarget, type Finding, type Remedy } from '../../domain/finding.js';
import type { ForeignKey } from '../../domain/source-table.js';
import { formatTableName } from '../../domain/table.js';
import { foreignKeyCycles, foreignKeyLabel, sameAction, sourceKey } from '../foreign-key-pairs.js';
import type { MappedTable } from './mapped-table.js';
import { quoteName, quoteTable } from './names.js';
import type { TargetForeignKey } from './table-shape.js';

/**
 * Oracle has no switch for one session: every enabled foreign key is enforced for the stream too (protocol rule 25), a deferrable one at the end
 * of a transaction. So whatever the source has not enforced for us may refuse a row, and an action does its work a second time.
 */
export function checkForeignKeys(tables: readonly MappedTable[]): Finding[] {
  const stream = new Set(tables.map(({ target }) => formatTableName(target.name)));
  const each = tables.flatMap((table) => [
    ...table.target.foreignKeysIn.filter((key) => !stream.has(formatTableName(key.table))).map(referencedFromOutside),
    ...table.target.foreignKeysOut.flatMap((key) => {
      if (!stream.has(formatTableName(key.references))) return [referencesOutside(key)];
      const onSource = sourceKey(tables, table, key);
      if (onSource === null) return [targetOnly(key)];
      return sameAction(onSource.onDelete, key.onDelete) ? [] : [actionsDiffer(onSource, key)];
    }),
  ]);
  return [...each, ...checkCycles(tables)];
}

/** Asked for, and not to be had. */
export function enforcementStaysOn(): Finding {
  return createFinding('note', 'server.enforcement', {
    object: 'apply.enforcement',
    problem:
      'Oracle cannot switch foreign keys and triggers off for one session, so both stay on while rows are applied',
    found: 'Oracle',
    remedy: action('Nothing to do; the findings about foreign keys and triggers say what stands in the way.'),
  });
}

function referencedFromOutside(key: TargetForeignKey): Finding {
  return createFinding('warning', 'foreign-key.referenced-from-outside', {
    object: formatTableName(key.references),
    problem:
      key.onDelete === 'NO ACTION'
        ? 'a table outside the stream references this one, and a row that it references cannot be deleted: the stream halts there'
        : 'a table outside the stream references this one, and a delete of the stream would change its rows',
    found: `${foreignKeyLabel(key)} of ${formatTableName(key.table)} ON DELETE ${key.onDelete}`,
    remedy: action(`Add ${formatTableName(key.table)} to the stream, or see that its rows never lose their parent.`),
  });
}

function referencesOutside(key: TargetForeignKey): Finding {
  return createFinding('warning', 'foreign-key.references-outside', {
    object: formatTableName(key.table),
    problem: 'it references a table outside the stream, and a row whose parent is missing halts the stream',
    found: `${foreignKeyLabel(key)} to ${formatTableName(key.references)}`,
    remedy: action(`Add ${formatTableName(key.references)} to the stream.`),
  });
}

function targetOnly(key: TargetForeignKey): Finding {
  return createFinding('warning', 'foreign-key.target-only', {
    object: formatTableName(key.table),
    problem:
      'the source does not enforce this foreign key, so a row may come without its parent, and the stream halts there',
    found: `${foreignKeyLabel(key)} to ${formatTableName(key.references)} on the target only`,
    remedy: onTarget(`ALTER TABLE ${quoteTable(key.table)} DISABLE CONSTRAINT ${quoteName(key.name)}`),
  });
}

function actionsDiffer(source: ForeignKey, key: TargetForeignKey): Finding {
  return createFinding('blocking', 'foreign-key.actions-differ', {
    object: formatTableName(key.table),
    problem: 'the target would change or keep referencing rows that the source treated otherwise',
    found: `${foreignKeyLabel(key)}: ON DELETE ${source.onDelete} on the source, ON DELETE ${key.onDelete} on the target`,
    remedy: again(source, key),
  });
}

/** Oracle knows no SET DEFAULT, and alters no action. */
function again(source: ForeignKey, key: TargetForeignKey): Remedy {
  if (source.onDelete === 'SET DEFAULT')
    return action('Give the foreign key on CockroachDB an action other than SET DEFAULT, which Oracle does not have.');
  const acts = source.onDelete === 'CASCADE' || source.onDelete === 'SET NULL' ? ` ON DELETE ${source.onDelete}` : '';
  return onTarget(`${dropped(key)}; ${added(key)}${acts}${key.deferrable ? ' DEFERRABLE' : ''}`);
}

function dropped(key: TargetForeignKey): string {
  return `ALTER TABLE ${quoteTable(key.table)} DROP CONSTRAINT ${quoteName(key.name)}`;
}

function added(key: TargetForeignKey): string {
  const columns = (names: readonly string[]): string => names.map(quoteName).join(', ');
  return `ALTER TABLE ${quoteTable(key.table)} ADD CONSTRAINT ${quoteName(key.name)} FOREIGN KEY (${columns(key.columns)}) REFERENCES ${quoteTable(key.references)} (${columns(key.referencedColumns)})`;
}

/** A ring has no order of parents and children; what is deferrable needs none. */
function checkCycles(tables: readonly MappedTable[]): Finding[] {
  return foreignKeyCycles(tables).map(({ cycle, keys }) => {
    const strict = keys.filter((key) => !key.deferrable);
    const mended = strict.map((key) => {
      const acts = key.onDelete === 'NO ACTION' ? '' : ` ON DELETE ${key.onDelete}`;
      return `${dropped(key)}; ${added(key)}${acts} DEFERRABLE INITIALLY IMMEDIATE`;
    });
    return createFinding(strict.length === 0 ? 'note' : 'warning', 'foreign-key.cycle', {
      object: cycle.join(', '),
      problem:
        strict.length === 0
          ? 'these tables reference each other in a ring, which is checked at the end of a transaction'
          : 'these tables reference each other in a ring that Oracle checks at each statement, so a window that fills the ring may halt the stream',
      found: keys
        .map((key) => `${formatTableName(key.table)} ${foreignKeyLabel(key)}${key.deferrable ? ' DEFERRABLE' : ''}`)
        .join(', '),
      remedy: strict.length === 0 ? action('Nothing to do.') : onTarget(mended.join('; ')),
    });
  });
}
