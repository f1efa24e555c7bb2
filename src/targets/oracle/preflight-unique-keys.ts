import { action, createFinding, type Finding } from '../../domain/finding.js';
import { formatTableName } from '../../domain/table.js';
import { sameNames, targetNames, type MappedTable } from './mapped-table.js';
import type { TargetForeignKey, TargetTable, UniqueKey } from './table-shape.js';

/** Unique keys beside the primary key, and whether their values can change hands within one transaction. */
export function checkUniqueKeys(tables: readonly MappedTable[]): Finding[] {
  const stream = new Set(tables.map(({ target }) => formatTableName(target.name)));
  return tables.flatMap((table) => {
    const { uniqueKeys, foreignKeysIn } = table.target;
    const held = foreignKeysIn.find((key) => !stream.has(formatTableName(key.table)));
    // What is deferrable changes hands by itself, and what may be NULL is emptied first.
    const stuck =
      held === undefined ? [] : uniqueKeys.filter((key) => !key.deferrable && !mayBeNull(table.target, key));
    return [
      ...uniqueKeys.map((key) => uniqueKey(table, key)),
      ...stuck.flatMap((key) => (held === undefined ? [] : [heldFromOutside(table.target, key, held)])),
    ];
  });
}

function mayBeNull({ columns }: TargetTable, key: UniqueKey): boolean {
  return key.columns.some((name) => columns.some((column) => column.name === name && !column.notNull));
}

function uniqueKey(table: MappedTable, key: UniqueKey): Finding {
  const coarse = coarseColumns(table.target, key);
  const onSource = isOnSource(table, key);
  const same = onSource && coarse.length === 0;
  return createFinding(same ? 'note' : 'warning', 'key.unique', {
    object: formatTableName(table.target.name),
    problem: same
      ? key.deferrable
        ? 'a deferrable unique key beside the primary key: it is checked at the end of a transaction'
        : 'a unique key beside the primary key: rows whose value changes hands are written again with those that must go with them'
      : onSource
        ? 'here texts are equal that differ on the source, so a row may come that the target refuses, and the stream halts there'
        : 'the source has no such unique key, so a row may come that the target refuses, and the stream halts there',
    found: `${describe(key)}${coarse.length === 0 ? '' : `: ${coarse.join(', ')}`}`,
    remedy: action(
      same
        ? 'Nothing to do.'
        : onSource
          ? 'Nothing to do unless there are such texts; else give its columns VARCHAR2 and the collation BINARY.'
          : 'Create the same key on CockroachDB, or drop it on the target.',
    ),
  });
}

/** Columns of the key that take different texts for equal. */
function coarseColumns(target: TargetTable, key: UniqueKey): readonly string[] {
  return target.columns
    .filter(
      ({ name, kind, collation }) =>
        key.columns.includes(name) && (collation !== null || kind === 'char' || kind === 'nchar'),
    )
    .map(({ name, declared, collation }) => `${name} ${declared}${collation === null ? '' : ` COLLATE ${collation}`}`);
}

/** A deleted parent is missed at once, not at the end of the statement. */
function heldFromOutside(target: TargetTable, key: UniqueKey, held: TargetForeignKey): Finding {
  return createFinding('warning', 'key.held-from-outside', {
    object: formatTableName(target.name),
    problem:
      'values of this key that change hands within one transaction halt the stream: their rows would have to be deleted and inserted again, and a table outside the stream refuses that or would be changed by it',
    found: `${describe(key)}, and ${held.name} of ${formatTableName(held.table)} ON DELETE ${held.onDelete}`,
    remedy: action(`Add ${formatTableName(held.table)} to the stream, or make the unique key DEFERRABLE.`),
  });
}

function isOnSource({ source, target }: MappedTable, key: UniqueKey): boolean {
  const columns = key.columns.flatMap((column) => column ?? []);
  const plain = columns.length === key.columns.length;
  return plain && (source.uniqueKeys ?? []).some((names) => sameNames(targetNames(target, names), columns));
}

function describe(key: UniqueKey): string {
  return `${key.name} (${key.columns.map((column) => column ?? 'an expression').join(', ')})`;
}
