import { HLC_ZERO, type Hlc } from '../../domain/hlc.js';
import {
  StageBusyError,
  StaleIncarnationError,
  type AcceptResult,
  type Stage,
  type StageBinding,
  type StageFigures,
} from '../stage.js';
import { requireBound } from '../bound.js';
import { createGroupWriter, type Job } from '../group-writer.js';
import { planAccept } from './accept.js';
import { StageClosedError, StageWriteError } from './errors.js';
import { stageFolder } from './folder.js';
import { openShapes } from './shapes.js';
import { keyAfter, readSpan } from './span.js';
import { openStore, usedBytes, type StageStore } from './store.js';
import { newTransaction, type StageTransaction } from './transaction.js';

/** Entries deleted in one transaction: a purge of millions must not hold up the bodies that arrive meanwhile. */
const PURGE_SLICE = 10_000;

/** The file is mapped anew after so many bytes: a backlog of any size passes through a bounded part of our memory (invariant 6). */
const MOST_MAPPED = 32_000_000;
/** A file of so many bytes is replaced when less than one in so many of them is used. */
const LARGE_FILE = 67_108_864;
const MOST_LEFT_OF = 16;
/** Timestamp, table, column set, and LMDB's own words about an entry. */
const ENTRY_OVERHEAD = 32;
const PAGE_BYTES = 4_096;

interface StageJob extends Job {
  readonly plan: (transaction: StageTransaction) => void;
  /** What `plan` threw: this job's own error, which does not touch the rest of its group. */
  refused?: unknown;
}

/**
 * Opens, or makes, the stage of `stream` under `stageDir`.
 * @throws StageBusyError when a process has it open, this one included
 */
export function openLmdbStage({ stageDir, stream }: { readonly stageDir: string; readonly stream: string }): Stage {
  const folder = stageFolder(stageDir, stream);
  const store = openStore(folder);
  const shapes = openShapes(store);
  let binding = store.readBinding();
  /** Counts binds: a purge begun before one must not go on after it. */
  let binds = 0;
  let late = 0;
  let closed = false;
  /** Bytes of entries read or written since the file was mapped: so much of it is in our memory, at most. */
  let touched = 0;
  /** A backlog has passed: the file is to be replaced before the next write. */
  let isOversized = false;
  /** Resolved but while the file is mapped anew. */
  let mapped: Promise<void> = Promise.resolve();
  let figures = readFigures(store);
  const writer = createGroupWriter<StageJob>(commit);

  async function commit(group: readonly StageJob[]): Promise<void> {
    // Where there is no room for it, the file stays as it is.
    if (isOversized) await mapAnew(() => store.rewrite().catch(() => undefined));
    if (touched >= MOST_MAPPED || !store.isOpen()) await mapAnew(() => store.remap());
    const transaction = newTransaction(binding, shapes.draft(), store.entries);
    for (const job of group) {
      try {
        job.plan(transaction);
      } catch (error) {
        job.refused = error;
      }
    }
    if (!transaction.writesAnything()) return;
    try {
      await store.transact(() => transaction.write(store));
    } catch (error) {
      throw await storeError(error, folder);
    }
    transaction.shapes.keep();
    binding = transaction.binding;
  }

  /** Between two transactions of the store; what wants to read meanwhile waits. */
  async function mapAnew(map: () => Promise<void>): Promise<void> {
    isOversized = false;
    mapped = map();
    await mapped;
    touched = 0;
  }

  /** Resolves when the store is open, and no turn of the event loop later. */
  async function whenMapped(): Promise<void> {
    let seen: Promise<void>;
    do await (seen = mapped);
    while (seen !== mapped);
  }

  function write<T>(rows: number, alone: boolean, plan: (transaction: StageTransaction) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (closed) return reject(new StageClosedError(folder));
      let result: T;
      const job: StageJob = {
        rows,
        alone,
        plan: (transaction) => void (result = plan(transaction)),
        settle(error) {
          const failure = job.refused ?? error;
          if (failure) reject(failure instanceof Error ? failure : new StageWriteError(folder, { cause: failure }));
          else resolve(result);
        },
      };
      writer.add(job);
    });
  }

  return {
    id: store.id,
    binding: () => binding,

    async bind(incarnation, cursor, plan) {
      await write(0, true, (transaction) => {
        binds++;
        transaction.writes.push(() => void transaction.entries.clearAsync());
        transaction.binding = { incarnation, floor: cursor, resolved: cursor, plan };
      });
    },

    async renew(incarnation) {
      await write(0, true, (transaction) => {
        if (!transaction.binding) throw new StaleIncarnationError(incarnation, null);
        transaction.binding = { ...transaction.binding, incarnation };
      });
    },

    async accept(incarnation, rows, committed, mayGrow = true): Promise<AcceptResult> {
      const result = await write(rows.length, false, (transaction) => {
        const bound = requireBound(transaction.binding, incarnation);
        return planAccept(transaction, folder, rows, committed, bound, mayGrow);
      });
      late += result.late;
      touched += sizeOf(rows);
      return result;
    },

    lateRows: () => late,

    async resolve(incarnation, resolved) {
      await write(0, false, (transaction) => {
        const bound = requireBound(transaction.binding, incarnation);
        if (resolved > bound.resolved) transaction.binding = { ...bound, resolved };
      });
    },

    async read(after, upTo, limits) {
      // It takes its turn among the writes.
      if (touched >= MOST_MAPPED) await write(0, true, () => undefined);
      await whenMapped();
      try {
        const span = readSpan(folder, store.entries, shapes, after, upTo, limits);
        touched += sizeOf(span.mutations);
        return span;
      } finally {
        store.root.resetReadTxn();
      }
    },

    async purge(upTo) {
      const begun = binds;
      let more = true;
      while (more) {
        more = await write(0, true, (transaction) => {
          // After a bind the entries are another incarnation's: the target may have been set back to before `upTo`.
          if (!transaction.binding || binds !== begun) return false;
          return planPurge(transaction, transaction.binding, upTo);
        });
      }
      isOversized = store.isOpen() && fileIsOversized(store);
      if (isOversized) await write(0, true, () => undefined);
    },

    figures() {
      if (store.isOpen()) figures = readFigures(store);
      return figures;
    },

    async close() {
      if (closed) return;
      closed = true;
      await writer.idle();
      await store.close();
    },
  };

  /** The floor rises with the first deletion, so that protocol rule B fails honestly where the target is set back behind it. */
  function planPurge(transaction: StageTransaction, bound: StageBinding, upTo: Hlc): boolean {
    const doomed = [
      ...transaction.entries.getKeys({ start: keyAfter(HLC_ZERO), end: keyAfter(upTo), limit: PURGE_SLICE }),
    ];
    if (doomed.length > 0)
      transaction.writes.push(() => {
        for (const key of doomed) void transaction.entries.remove(key);
      });
    if (upTo > bound.floor) transaction.binding = { ...bound, floor: upTo };
    return doomed.length === PURGE_SLICE;
  }
}

/** An LMDB file never shrinks: what a backlog leaves is given back once it is worth it, and little is left to copy. */
function fileIsOversized(store: StageStore): boolean {
  const size = store.fileBytes();
  return size >= LARGE_FILE && usedBytes(store.entries) * MOST_LEFT_OF < size;
}

/** About the room of changes in the store, which gives whole pages to a large one. */
function sizeOf(changes: readonly { readonly key: Uint8Array; readonly after: Uint8Array | null }[]): number {
  return changes.reduce((sum, { key, after }) => {
    const bytes = key.length + (after?.length ?? 0) + ENTRY_OVERHEAD;
    return sum + (bytes > PAGE_BYTES / 2 ? Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES : bytes);
  }, 0);
}

function readFigures({ entries }: StageStore): StageFigures {
  const { entryCount } = entries.getStats() as { readonly entryCount: number };
  return { usedBytes: usedBytes(entries), entries: entryCount };
}

/** LMDB's JavaScript side says only "commit failed" and keeps the cause in a promise of its own. */
async function storeError(error: unknown, folder: string): Promise<Error> {
  if (error instanceof StageBusyError) return error;
  const commitError: unknown = (error as { commitError?: unknown }).commitError;
  const cause: unknown =
    commitError instanceof Promise
      ? await commitError.then(
          () => error,
          (reason: unknown) => reason,
        )
      : error;
  return new StageWriteError(folder, { cause });
}
