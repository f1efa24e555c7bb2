import { HLC_ZERO, type Hlc } from '../../domain/hlc.js';
import { StageBusyError, StaleIncarnationError, type AcceptResult, type Stage, type StageBinding } from '../stage.js';
import { planAccept } from './accept.js';
import { StageClosedError, StageWriteError } from './errors.js';
import { stageFolder } from './folder.js';
import { createGroupWriter, type Job } from '../group-writer.js';
import { openShapes } from './shapes.js';
import { keyAfter, readSpan } from './span.js';
import { openStore } from './store.js';
import { newTransaction, type StageTransaction } from './transaction.js';

/** Entries deleted in one transaction: a purge of millions must not hold up the bodies that arrive meanwhile. */
const PURGE_SLICE = 10_000;

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
  const { entries } = store;
  const shapes = openShapes(store.shapes);
  let binding = store.readBinding();
  /** Counts binds: a purge begun before one must not go on after it. */
  let binds = 0;
  let late = 0;
  let closed = false;
  const writer = createGroupWriter<StageJob>(commit);

  async function commit(group: readonly StageJob[]): Promise<void> {
    const transaction = newTransaction(binding, shapes.draft(), entries);
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
        transaction.writes.push(() => void entries.clearAsync());
        transaction.binding = { incarnation, floor: cursor, resolved: cursor, plan };
      });
    },

    async renew(incarnation) {
      await write(0, true, (transaction) => {
        if (!transaction.binding) throw new StaleIncarnationError(incarnation, null);
        transaction.binding = { ...transaction.binding, incarnation };
      });
    },

    async accept(incarnation, rows, committed): Promise<AcceptResult> {
      const result = await write(rows.length, false, (transaction) => {
        const bound = requireBound(transaction.binding, incarnation);
        return planAccept(transaction, folder, rows, committed, bound);
      });
      late += result.late;
      return result;
    },

    lateRows: () => late,

    async resolve(incarnation, resolved) {
      await write(0, false, (transaction) => {
        const bound = requireBound(transaction.binding, incarnation);
        if (resolved > bound.resolved) transaction.binding = { ...bound, resolved };
      });
    },

    read(after, upTo, limits) {
      return new Promise((resolve) => {
        try {
          resolve(readSpan(folder, entries, shapes, after, upTo, limits));
        } finally {
          store.root.resetReadTxn();
        }
      });
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
    },

    figures() {
      const stats = entries.getStats() as Record<
        'pageSize' | 'treeBranchPageCount' | 'treeLeafPageCount' | 'overflowPages' | 'entryCount',
        number
      >;
      const pages = stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
      return { usedBytes: pages * stats.pageSize, entries: stats.entryCount };
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
    const doomed = [...entries.getKeys({ start: keyAfter(HLC_ZERO), end: keyAfter(upTo), limit: PURGE_SLICE })];
    if (doomed.length > 0)
      transaction.writes.push(() => {
        for (const key of doomed) void entries.remove(key);
      });
    if (upTo > bound.floor) transaction.binding = { ...bound, floor: upTo };
    return doomed.length === PURGE_SLICE;
  }
}

/** Protocol rule A. */
function requireBound(bound: StageBinding | null, incarnation: number): StageBinding {
  if (bound?.incarnation !== incarnation) throw new StaleIncarnationError(incarnation, bound?.incarnation ?? null);
  return bound;
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
