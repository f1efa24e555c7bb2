import { quoteIdentifier, quoteTable } from '../cockroach/quoting.js';
import { formatHlc, type Hlc } from '../domain/hlc.js';
import type { ComparedTable } from '../targets/snapshot.js';

/**
 * One page of the source's rows as of `at`, in key order. With `after`: $1 ... $k = the last key of the page before.
 * CockroachDB takes no parameter in AS OF SYSTEM TIME.
 */
export function pageSql(table: ComparedTable, at: Hlc, rows: number, after: boolean): string {
  // Named by place: a client that makes objects of rows keeps their order, whatever a column is called.
  const columns = table.columns
    .map((column, index) => `${quoteIdentifier(column.source)} AS "#${index + 1}"`)
    .join(', ');
  const keys = keyNames(table);
  const where = after ? ` WHERE ${rowOf(keys)} > ${rowOf(keys.map((_, index) => `$${index + 1}`))}` : '';
  return `SELECT ${columns} FROM ${quoteTable(table.source)}${asOf(at)}${where} ORDER BY ${keys.join(', ')} LIMIT ${rows}`;
}

/** Counts which of `keys` keys have a row as of `at`. $1 ... = the keys, one after the other */
export function countKeysSql(table: ComparedTable, at: Hlc, keys: number): string {
  const names = keyNames(table);
  const list = Array.from({ length: keys }, (_, row) =>
    rowOf(names.map((_name, i) => `$${row * names.length + i + 1}`)),
  );
  return `SELECT count(*) FROM ${quoteTable(table.source)}${asOf(at)} WHERE ${rowOf(names)} IN (${list.join(', ')})`;
}

function keyNames(table: ComparedTable): readonly string[] {
  return table.columns.slice(0, table.keyCount).map((column) => quoteIdentifier(column.source));
}

function asOf(at: Hlc): string {
  return ` AS OF SYSTEM TIME '${formatHlc(at)}'`;
}

function rowOf(parts: readonly string[]): string {
  return parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(', ')})`;
}
