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
 * children before parents. (A plan lists parents before children.) Upserts that are `whole` stay in one batch, whatever their number.
 */
export function planBatches(
  mutations: readonly ApplyMutation[],
  flushSize: number,
  whole: (table: number, columns: ColumnSet, rows: number) => boolean = () => false,
): readonly Batch[] {
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
        cutBatch({ kind: 'upsert', table, columns, rows }, whole(table, columns, rows.length) ? Infinity : flushSize),
      ),
    ),
    ...childrenFirst.flatMap(([table, rows]) => cutBatch({ kind: 'delete', table, rows }, flushSize)),
  ];
}

export function cutBatch<Kind extends Batch>(batch: Kind, flushSize: number): readonly Kind[] {
  const { rows } = batch;
  if (rows.length <= flushSize) return [batch];
  return Array.from({ length: Math.ceil(rows.length / flushSize) }, (_, i) => ({
    ...batch,
    rows: rows.slice(i * flushSize, (i + 1) * flushSize),
  }));
}

function listAt<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
