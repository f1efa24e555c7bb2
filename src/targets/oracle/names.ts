import type { TableName } from '../../domain/table.js';

/** A name as it is spelled, whatever its case. No name of Oracle's can hold a quotation mark. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"SCHEMA"."TABLE"`, quoted for SQL. */
export function quoteTable(name: TableName): string {
  return `${quoteName(name.schema)}.${quoteName(name.table)}`;
}

/**
 * Finds a name of the source as Oracle folds it: spelled exactly, else the only one that differs in case alone (`order_id` is ORDER_ID). Null
 * when there is none or more than one.
 */
export function matchName<T>(wanted: string, candidates: readonly T[], nameOf: (candidate: T) => string): T | null {
  const exact = candidates.find((candidate) => nameOf(candidate) === wanted);
  if (exact !== undefined) return exact;
  const folded = candidates.filter((candidate) => nameOf(candidate).toUpperCase() === wanted.toUpperCase());
  return folded.length === 1 ? (folded[0] ?? null) : null;
}
