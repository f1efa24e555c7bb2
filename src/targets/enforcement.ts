import { action, createFinding, type Finding } from '../domain/finding.js';
import { formatTableName } from '../domain/table.js';
import { foreignKeyLabel, sourceKey, type PairedForeignKey, type TableWithKeys } from './foreign-key-pairs.js';
import type { Mapped } from './mapped-table.js';

interface ReferencedTable extends TableWithKeys<PairedForeignKey> {
  readonly foreignKeysIn: readonly PairedForeignKey[];
}

/**
 * Why foreign keys, and what is switched off with them, must stay on: the source has not enforced for us what the target would then leave unchecked
 * (protocol rule 25). Empty: they may be off.
 */
export function checkEnforcementMayBeOff(tables: readonly Mapped<ReferencedTable>[]): Finding[] {
  const stream = new Set(tables.map(({ target }) => formatTableName(target.name)));
  return tables.flatMap((table) => [
    ...table.target.foreignKeysIn.filter((key) => !stream.has(formatTableName(key.table))).map(referencedFromOutside),
    ...table.target.foreignKeysOut.flatMap((key) => {
      if (!stream.has(formatTableName(key.references))) return [referencesOutside(key)];
      return sourceKey(tables, table, key) === null ? [targetOnly(key)] : [];
    }),
  ]);
}

function referencedFromOutside(key: PairedForeignKey): Finding {
  return createFinding('warning', 'foreign-key.referenced-from-outside', {
    object: formatTableName(key.references),
    problem: 'a table outside the stream references this one, so foreign keys stay on while rows are applied',
    found: `${foreignKeyLabel(key)} of ${formatTableName(key.table)} ON DELETE ${key.onDelete}`,
    remedy: action(`Add ${formatTableName(key.table)} to the stream, or see that its rows never lose their parent.`),
  });
}

function referencesOutside(key: PairedForeignKey): Finding {
  return createFinding('warning', 'foreign-key.references-outside', {
    object: formatTableName(key.table),
    problem:
      'it references a table outside the stream, so foreign keys stay on and a row whose parent is missing halts the stream',
    found: `${foreignKeyLabel(key)} to ${formatTableName(key.references)}`,
    remedy: action(`Add ${formatTableName(key.references)} to the stream.`),
  });
}

function targetOnly(key: PairedForeignKey): Finding {
  return createFinding('warning', 'foreign-key.target-only', {
    object: formatTableName(key.table),
    problem:
      'the source does not enforce this foreign key, so it stays on and a row without its parent halts the stream',
    found: `${foreignKeyLabel(key)} to ${formatTableName(key.references)} on the target only`,
    remedy: action('Create the same foreign key on CockroachDB, or drop it on the target.'),
  });
}
