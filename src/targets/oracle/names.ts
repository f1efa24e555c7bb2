import type { TableName } from '../../domain/table.js';

export { matchName } from '../match-name.js';

/** A name as it is spelled, whatever its case. No name of Oracle's can hold a quotation mark. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"SCHEMA"."TABLE"`, quoted for SQL. */
export function quoteTable(name: TableName): string {
  return `${quoteName(name.schema)}.${quoteName(name.table)}`;
}
