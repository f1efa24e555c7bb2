import { escapeIdentifier } from 'pg';
import { action, createFinding, onTarget, type Finding, type Remedy } from '../../domain/finding.js';
import { formatTableName } from '../../domain/table.js';
import { sameNames, targetNames, type MappedTable } from './mapped-table.js';
import { quoteTable } from './names.js';
import type { TargetForeignKey, TargetTable, UniqueKey } from './table-shape.js';

/**
 * Unique keys and exclusion constraints whose check would be missed: PostgreSQL does not check deferrable ones at all while enforcement is
 * off, so duplicates that the source allows would be kept in silence. Empty: enforcement may be off.
 */
export function checkDeferrableKeys(tables: readonly MappedTable[]): Finding[] {
  return tables.flatMap((table) => [
    ...table.target.uniqueKeys
      .filter((key) => key.deferrable && !isOnSource(table, key))
      .map((key) => unchecked(table, key, 'unique key')),
    ...table.target.exclusions
      .filter((key) => key.deferrable)
      .map((key) => unchecked(table, key, 'exclusion constraint')),
  ]);
}

/** Unique keys beside the primary key, and whether their values can change hands within one transaction. */
export function checkUniqueKeys(tables: readonly MappedTable[], enforcementOff: boolean): Finding[] {
  const stream = new Set(tables.map(({ target }) => formatTableName(target.name)));
  return tables.flatMap((table) => {
    const { uniqueKeys, exclusions, foreignKeysIn } = table.target;
    const held = foreignKeysIn.find((key) => !stream.has(formatTableName(key.table)) && acts(key));
    const stuck =
      enforcementOff || held === undefined ? [] : [...uniqueKeys, ...exclusions].filter((key) => !key.deferrable);
    return [
      ...uniqueKeys.map((key) => uniqueKey(table, key)),
      ...stuck.flatMap((key) => (held === undefined ? [] : [heldFromOutside(table.target, key, held)])),
    ];
  });
}

function uniqueKey(table: MappedTable, key: UniqueKey): Finding {
  const onSource = isOnSource(table, key);
  return createFinding(onSource ? 'note' : 'warning', 'key.unique', {
    object: formatTableName(table.target.name),
    problem: onSource
      ? 'a unique key beside the primary key: rows whose value changes hands are written again with those that must go with them'
      : 'the source has no such unique key, so a row may come that the target refuses, and the stream halts there',
    found: describe(key),
    remedy: action(onSource ? 'Nothing to do.' : 'Create the same key on CockroachDB, or drop it on the target.'),
  });
}

function unchecked({ target }: MappedTable, key: AnyKey, kind: string): Finding {
  return createFinding('warning', 'key.unchecked', {
    object: formatTableName(target.name),
    problem: `the source has no such ${kind}, and PostgreSQL does not check a deferrable one while enforcement is off, so foreign keys and triggers stay on`,
    found: `${describe(key)} DEFERRABLE`,
    remedy: again(target, key, '') ?? action(`Create it again without DEFERRABLE, or drop it on the target.`),
  });
}

function heldFromOutside(target: TargetTable, key: AnyKey, held: TargetForeignKey): Finding {
  return createFinding('warning', 'key.held-from-outside', {
    object: formatTableName(target.name),
    problem:
      'values of this key that change hands within one transaction halt the stream: their rows would have to be deleted and inserted again, and a table outside the stream would be changed by it',
    found: `${describe(key)}, and ${held.name} of ${formatTableName(held.table)} ON DELETE ${held.onDelete} ON UPDATE ${held.onUpdate}`,
    remedy: again(target, key, ' DEFERRABLE') ?? action(`Add ${formatTableName(held.table)} to the stream.`),
  });
}

type AnyKey = UniqueKey | TargetTable['exclusions'][number];

/** The statement that makes the key anew, `how`; null for an index, and for what a foreign key stands on. */
function again(target: TargetTable, key: AnyKey, how: string): Remedy | null {
  if (key.definition === null) return null;
  const columns = 'columns' in key ? key.columns.map((column) => column ?? '') : [];
  if (target.foreignKeysIn.some(({ referencedColumns }) => sameNames(referencedColumns, columns))) return null;
  const name = escapeIdentifier(key.name);
  return onTarget(
    `ALTER TABLE ${quoteTable(target.name)} DROP CONSTRAINT ${name}, ADD CONSTRAINT ${name} ${key.definition}${how}`,
  );
}

/** Something other than the check at the end of the statement. */
function acts(key: TargetForeignKey): boolean {
  return key.onDelete !== 'NO ACTION' || key.onUpdate !== 'NO ACTION';
}

function isOnSource({ source, target }: MappedTable, key: UniqueKey): boolean {
  const columns = key.columns.flatMap((column) => (column === null ? [] : [column]));
  const plain = !key.partial && columns.length === key.columns.length;
  return plain && (source.uniqueKeys ?? []).some((names) => sameNames(targetNames(target, names), columns));
}

function describe(key: AnyKey): string {
  if (!('columns' in key)) return key.name;
  return `${key.name} (${key.columns.map((column) => column ?? 'an expression').join(', ')})${key.partial ? ' WHERE ...' : ''}`;
}
