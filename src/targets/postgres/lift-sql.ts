import { escapeIdentifier } from 'pg';
import type { ColumnSet } from '../../domain/mutation.js';
import type { Reference } from './apply-shape.js';
import { quoteTable } from './names.js';
import { afterSql, jsonRows, keysSql, recordSql, unsentColumns, type ApplyTable } from './sql.js';

/** SQL of the key of a row that is there: a JSON array as `deleteSql` reads it, always the same text for the same row. */
function keyText(table: ApplyTable, row: string): string {
  return `json_build_array(${table.key.map((column) => `${row}.${escapeIdentifier(column.name)}::text`).join(', ')})::text`;
}

/** The rows that are there of these keys, and the place of each in the list. $1 = JSON array of keys */
export function standingSql(table: ApplyTable): string {
  const { from, on } = keysSql(table, '$1::json');
  return `SELECT gone.place::int AS place, ${keyText(table, 'target')} AS key FROM ${from} JOIN ${quoteTable(table.shape.name)} AS target ON ${on}`;
}

/**
 * Keys of the rows that are there and whose contested columns are to change; null when the column set can change none. Compared as text,
 * since not every type has an equality. $1 = JSON array of rows
 */
export function contestedSql(table: ApplyTable, columns: ColumnSet): string | null {
  const { from, values, on } = recordSql(table, columns, jsonRows('$1::json'));
  const changes = values
    .filter(({ column }) => column.contested && !table.key.includes(column))
    .map(
      ({ column, value }) =>
        // As the column will spell it: 1.5 is 1.50 in a numeric(12,2).
        `target.${escapeIdentifier(column.name)}::text IS DISTINCT FROM (${value})::${column.type.declared}::text`,
    );
  // What the target will compute is not known here.
  if (table.shape.columns.some((column) => column.contested && column.generated)) changes.push('true');
  if (changes.length === 0) return null;
  return `SELECT ${keyText(table, 'target')} AS key FROM ${from} JOIN ${quoteTable(table.shape.name)} AS target ON ${on('target')} WHERE ${changes.join(' OR ')}`;
}

/** Keys of the rows of `child` that reference rows of `parent`. $1 = JSON array of the parents' keys */
export function referencingSql(parent: ApplyTable, child: ApplyTable, reference: Reference): string {
  const { from, on } = keysSql(parent, '$1::json');
  const list = (alias: string, names: readonly string[]): string =>
    names.map((name) => `${alias}.${escapeIdentifier(name)}`).join(', ');
  return [
    `SELECT ${keyText(child, 'child')} AS key FROM ${quoteTable(child.shape.name)} AS child`,
    `WHERE (${list('child', reference.columns)}) IN`,
    `(SELECT ${list('target', reference.referenced)} FROM ${quoteTable(parent.shape.name)} AS target JOIN ${from} ON ${on})`,
  ].join(' ');
}

/** Whole rows, as PostgreSQL writes and reads them, locked. $1 = JSON array of keys */
export function wholeRowsSql(table: ApplyTable): string {
  const { from, on } = keysSql(table, '$1::json');
  return `SELECT ${keyText(table, 'target')} AS key, (target.*)::text AS row FROM ${quoteTable(table.shape.name)} AS target JOIN ${from} ON ${on} FOR UPDATE OF target`;
}

/** INSERT of whole rows as they were. `rows` is SQL of an array of their texts. */
export function putBackSql(table: ApplyTable, rows: string, after: readonly string[]): string {
  const columns = table.shape.columns
    .filter((column) => !column.generated)
    .map((column) => escapeIdentifier(column.name));
  const name = quoteTable(table.shape.name);
  return [
    `INSERT INTO ${name} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE`,
    `SELECT ${columns.map((column) => `was.${column}`).join(', ')} FROM unnest(${rows}::${name}[]) AS was`,
    afterSql(after),
  ].join(' ');
}

/** INSERT of rows that are taken out: what their column set does not give is as it was. `rows` is SQL of an array of their old texts. */
export function mergeSql(
  table: ApplyTable,
  columns: ColumnSet,
  document: string,
  rows: string,
  after: readonly string[],
): string {
  const { from, values, on } = recordSql(table, columns, jsonRows(document));
  const unsent = unsentColumns(table, columns).map((column) => escapeIdentifier(column.name));
  const name = quoteTable(table.shape.name);
  return [
    `INSERT INTO ${name} (${[...values.map(({ column }) => escapeIdentifier(column.name)), ...unsent].join(', ')})`,
    'OVERRIDING SYSTEM VALUE',
    `SELECT ${[...values.map(({ value }) => value), ...unsent.map((column) => `was.${column}`)].join(', ')}`,
    `FROM ${from} JOIN unnest(${rows}::${name}[]) AS was ON ${on('was')}`,
    afterSql(after),
  ].join(' ');
}
