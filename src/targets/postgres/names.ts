import { escapeIdentifier } from 'pg';
import type { TableName } from '../../domain/table.js';

export { matchName } from '../match-name.js';

/** `"schema"."table"`, quoted for SQL. */
export function quoteTable(name: TableName): string {
  return `${escapeIdentifier(name.schema)}.${escapeIdentifier(name.table)}`;
}

/** `"a", "b"`, quoted for SQL. */
export function quoteColumns(names: readonly string[]): string {
  return names.map((name) => escapeIdentifier(name)).join(', ');
}
