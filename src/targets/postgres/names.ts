import { escapeIdentifier } from 'pg';
import type { TableName } from '../../domain/table.js';

/** `"schema"."table"`, quoted for SQL. */
export function quoteTable(name: TableName): string {
  return `${escapeIdentifier(name.schema)}.${escapeIdentifier(name.table)}`;
}

/** `"a", "b"`, quoted for SQL. */
export function quoteColumns(names: readonly string[]): string {
  return names.map((name) => escapeIdentifier(name)).join(', ');
}

/**
 * Finds a name as a person means it: spelled exactly, else the only one that differs in case alone. Null when there is none or
 * more than one.
 */
export function matchName<T>(wanted: string, candidates: readonly T[], nameOf: (candidate: T) => string): T | null {
  const exact = candidates.find((candidate) => nameOf(candidate) === wanted);
  if (exact !== undefined) return exact;
  const folded = candidates.filter((candidate) => nameOf(candidate).toLowerCase() === wanted.toLowerCase());
  return folded.length === 1 ? (folded[0] ?? null) : null;
}
