import type { ColumnSet } from '../../domain/mutation.js';
import type { ApplyMutation } from '../target.js';

/** Rows of one table and one exact column set (protocol rule 19), or keys of one table to delete: one statement's rows. */
export type Batch = UpsertBatch | DeleteBatch;

export interface UpsertBatch {
  readonly kind: 'upsert';
  readonly table: number;
  readonly columns: ColumnSet;
  readonly rows: readonly ApplyMutation[];
}

export interface DeleteBatch {
  readonly kind: 'delete';
  readonly table: number;
  readonly rows: readonly ApplyMutation[];
}

/**
 * Groups mutations of distinct keys into batches of at most `flushSize` rows: upserts first, parents before children, then deletes,
 * children before parents. (A plan lists parents before children.)
 */
export function planBatches(mutations: readonly ApplyMutation[], flushSize: number): readonly Batch[] {
  const upserts = new Map<number, Map<ColumnSet, ApplyMutation[]>>();
  const deletes = new Map<number, ApplyMutation[]>();
  for (const mutation of mutations) {
    const rows =
      mutation.after === null
        ? listAt(deletes, mutation.table, () => [])
        : listAt(
            listAt(upserts, mutation.table, () => new Map<ColumnSet, ApplyMutation[]>()),
            mutation.columns ?? [],
            () => [],
          );
    rows.push(mutation);
  }
  const parentsFirst = [...upserts].sort(([a], [b]) => a - b);
  const childrenFirst = [...deletes].sort(([a], [b]) => b - a);
  return [
    ...parentsFirst.flatMap(([table, shapes]) =>
      [...shapes].flatMap(([columns, rows]) =>
        cut(rows, flushSize).map((part): Batch => ({ kind: 'upsert', table, columns, rows: part })),
      ),
    ),
    ...childrenFirst.flatMap(([table, rows]) =>
      cut(rows, flushSize).map((part): Batch => ({ kind: 'delete', table, rows: part })),
    ),
  ];
}

/**
 * The rows of a batch as one JSON array, as bytes: row documents of an upsert, keys of a delete. Joined, not parsed: every value stays the
 * text that CockroachDB wrote (invariant 7).
 */
export function batchDocument(batch: Batch): Buffer {
  const parts = batch.rows.map((row) => (batch.kind === 'upsert' ? (row.after ?? row.key) : row.key));
  const document = Buffer.allocUnsafe(parts.reduce((length, part) => length + part.length + 1, 1));
  let at = 0;
  for (const part of parts) {
    document[at] = at === 0 ? OPENING_BRACKET : COMMA;
    document.set(part, at + 1);
    at += part.length + 1;
  }
  document[at] = CLOSING_BRACKET;
  return document;
}

const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const COMMA = 0x2c;

function cut<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  if (list.length <= size) return [list];
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

function listAt<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
