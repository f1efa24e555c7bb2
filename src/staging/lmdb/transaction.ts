import type { Database } from 'lmdb';
import type { StageBinding } from '../stage.js';
import type { ShapeDraft } from './shapes.js';
import type { StageStore } from './store.js';

/** What one transaction of the store is going to write. */
export interface StageTransaction {
  /** As it will be after the commit. */
  binding: StageBinding | null;
  readonly shapes: ShapeDraft;
  readonly entries: Database<Buffer, Buffer>;
  /** Keys put in this very transaction, which the store does not show yet. */
  readonly pending: Set<string>;
  readonly writes: (() => void)[];
  writesAnything(): boolean;
  write(store: StageStore): void;
}

export function newTransaction(
  bound: StageBinding | null,
  shapes: ShapeDraft,
  entries: Database<Buffer, Buffer>,
): StageTransaction {
  const transaction: StageTransaction = {
    binding: bound,
    shapes,
    entries,
    pending: new Set(),
    writes: [],
    writesAnything: () => transaction.writes.length > 0 || transaction.binding !== bound,
    write(store) {
      shapes.write();
      for (const write of transaction.writes) write();
      // In the same transaction as the rows before it (protocol rule B).
      if (transaction.binding && transaction.binding !== bound) store.putBinding(transaction.binding);
    },
  };
  return transaction;
}
