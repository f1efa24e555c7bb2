import { formatHlc, type Hlc } from '../../domain/hlc.js';
import { collapseMutations } from '../collapse.js';
import { BadRowError, FenceLostError, OutrunError } from '../failures.js';
import type {
  AppliedAtOnce,
  AppliedFigures,
  ApplyMutation,
  ApplySession,
  ApplySessionOptions,
  ApplyWindow,
} from '../target.js';
import { readAll, writeInParts } from './large-timestamp.js';
import { Objection } from './objection.js';
import type { ApplyParts, HeldCheckpoint } from './parts.js';
import type { RefusedChange } from './refused-change.js';
import { writeSpan } from './span-writer.js';
import { takeWithin } from './takeover.js';

export interface SessionOptions extends ApplySessionOptions {
  /** False applies every change, each timestamp by itself, instead of the last change of each key in the window. MOLT's word. */
  readonly collapseMutations: boolean;
}

/** The session that applies a stream, whatever the dialect: its transactions, their fence, and what of a window goes into which. */
export function createApplySession(parts: ApplyParts, options: SessionOptions): ApplySession {
  const { stream } = options;
  const { transaction, row, groups, letters, guard, writer, errors } = parts;
  const translated = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw errors.toTargetError(error, doing);
    }
  };
  let heldAs: string | null = null;
  /** Null: not looked yet. Only the holder of the token adds to it, so it is looked at under the token. */
  let waiting: number | null = null;
  let lookedAt = -Infinity;
  /** Whether anything is applied beyond the checkpoint. Null: not looked; only in immediate mode does it come to be. */
  let guarded: boolean | null = options.immediate === true ? true : null;
  /** As the row was when it was last held where it is. */
  let held: HeldCheckpoint | null = null;

  /** Before the first window: so that a takeover can end this session, should it freeze in a transaction (protocol rule 24). */
  const holdRow = async (token: string): Promise<void> => {
    if (heldAs === token) return;
    if (!(await row.record(token))) throw new FenceLostError(stream, await row.read());
    heldAs = token;
  };

  const look = async (): Promise<boolean> => {
    lookedAt = performance.now();
    const found = await letters.look();
    waiting = found.waiting;
    return found.asked;
  };

  const compareAndSet = async (token: string, fence: Fence | null): Promise<void> => {
    if (fence === null) {
      held = await row.hold(token);
      if (held !== null) return;
    } else {
      const { previous, next } = fence;
      if (await row.advance(token, previous, next)) return;
    }
    throw new FenceLostError(stream, await row.read());
  };

  const write = async (
    changes: Pick<ApplyWindow, 'mutations' | 'parts'>,
    refused: RefusedChange[] | null,
  ): Promise<AppliedFigures> => {
    const { mutations } = changes;
    let figures: AppliedFigures = NOTHING;
    // Beyond the checkpoint no single timestamp is a state of the source: only the end of the whole is.
    const spans = options.collapseMutations || guarded === true ? [mutations] : eachTimestamp(mutations);
    const writing = {
      ...options,
      writer,
      putAside: refused,
      // At most once in a transaction.
      bulk: changes.parts === undefined && spans.length === 1,
    };
    if (changes.parts !== undefined)
      return (await writeInParts(writing, changes.parts)) ?? writeSpan(writing, await readAll(changes.parts));
    for (const span of spans.filter(({ length }) => length > 0)) {
      const written = await writeSpan(writing, span);
      figures = {
        upserts: figures.upserts + written.upserts,
        deletes: figures.deletes + written.deletes,
        inSourceOrder: figures.inSourceOrder || written.inSourceOrder,
      };
    }
    return figures;
  };

  const inFencedTransaction = async <T>(
    token: string,
    fence: Fence | null,
    doing: string,
    work: () => Promise<T>,
  ): Promise<T> => {
    let committing = false;
    try {
      await transaction.begin();
      // First of all, and its row lock is held to the commit (protocol rule C): who has lost the token writes no row.
      await compareAndSet(token, fence);
      const result = await work();
      committing = true;
      await transaction.commit();
      return result;
    } catch (error) {
      const failure = errors.toTargetError(error, doing, { commitUnknown: committing });
      // Frees the row's lock now. Of a session that has ended, the server has rolled back itself.
      if (!errors.endsSession(error)) await transaction.rollback().catch(() => undefined);
      throw failure;
    }
  };

  /** What the window leaves among the dead letters; returns by how many more they are. */
  const settle = async (
    before: number,
    { mutations, parts }: ApplyWindow,
    refused: readonly RefusedChange[],
  ): Promise<number> => {
    if (parts === undefined) return letters.settle(before, mutations, refused);
    let more = 0;
    // A key comes once in a timestamp: no change of it supersedes another one.
    if (before > 0) for await (const part of parts(0)) more += await letters.settle(before + more, part, []);
    const aside = refused.map(({ change }) => change);
    return more + (await letters.settle(0, aside, refused));
  };

  /** Without what is applied already, and newer changes of its keys. */
  const recheck = async ({ mutations, parts }: ApplyWindow): Promise<Pick<ApplyWindow, 'mutations' | 'parts'>> => ({
    mutations: await guard.newer(mutations),
    ...(parts === undefined ? {} : { parts: guard.newerParts(parts) }),
  });

  /** The target then is in no state of the source before the newest of what is applied. */
  const refuseOutrun = async ({ next }: ApplyWindow, cause: unknown): Promise<void> => {
    const upTo = await guard.furthest();
    if (upTo !== null && upTo > next) throw new OutrunError(stream, upTo, { cause });
  };

  const applyRows = async (token: string, window: ApplyWindow, before: number): Promise<AppliedFigures> => {
    const refused: RefusedChange[] = [];
    await translated('making temporary tables', () => writer.prepare(window.mutations));
    let more = 0;
    const putAside = options.onBadRow === 'deadLetter' ? refused : null;
    const figures = await inFencedTransaction(token, window, `applying up to ${formatHlc(window.next)}`, async () => {
      const written = await write(guarded === true ? await recheck(window) : window, putAside);
      if (guarded === true) {
        if (refused.some(({ ofOrder }) => ofOrder)) await refuseOutrun(window, null);
        await guard.prune(window.next);
      }
      more = await settle(before, window, refused);
      return written;
    });
    waiting = before + more;
    if (guarded === true && options.immediate !== true) guarded = null;
    return figures;
  };

  const applyGuarded = async (token: string, window: ApplyWindow, before: number): Promise<AppliedFigures> => {
    try {
      return await applyRows(token, window, before);
    } catch (error) {
      if (guarded === true && error instanceof BadRowError && isOfOrder(error.cause))
        await translated('looking for what was applied at once', () => refuseOutrun(window, error));
      throw error;
    }
  };

  /** What a foreign key acts upon is no change of its own, and has no guard: a family of such tables waits for its window. */
  const mayGoAtOnce = async (changes: readonly ApplyMutation[]): Promise<readonly ApplyMutation[]> => {
    const acting = new Set<number>();
    for (const table of new Set(changes.map((change) => change.table))) if (await writer.acts(table)) acting.add(table);
    return acting.size === 0 ? changes : changes.filter(({ table }) => !acting.has(table));
  };

  const applyAtOnce = async (token: string, changes: readonly ApplyMutation[]): Promise<AppliedAtOnce> =>
    inFencedTransaction(token, null, 'applying at once', async () => {
      const refused: RefusedChange[] = [];
      if (held === null) throw new Error('the checkpoint row is not held');
      const { applied, stopAt } = held;
      const wanted = changes.filter(({ at }) => at > applied && (stopAt === null || at <= stopAt));
      const last = collapseMutations(await guard.newer(wanted));
      const open = await mayGoAtOnce(last);
      const { upserts, deletes } = await write({ mutations: open }, refused);
      const left = new Set(refused.map(({ change }) => change));
      // Rows and guards commit together. A delete leaves its guard too: an older change of the key may still come.
      await guard.raise(open.filter((change) => !left.has(change)));
      return { upserts, deletes, left: last.length - open.length + left.size };
    });

  /** A letter whose key has a newer change applied at once is not tried: that change's window takes it away. */
  const unlessPassed = async (mutations: readonly ApplyMutation[]): Promise<readonly ApplyMutation[]> =>
    guarded === true ? guard.newer(mutations) : mutations;

  /** Nothing but what a key has not got newer is tried: its letter is gone (protocol rule 28). So the checkpoint stays where it is. */
  const replay = async (token: string, applied: Hlc): Promise<AppliedFigures> => {
    const fence = { previous: applied, next: applied };
    let went = 0;
    const figures = await inFencedTransaction(token, fence, 'trying dead letters again', async () => {
      const asked = await letters.asked();
      writer.forget();
      const refused: RefusedChange[] = [];
      const mutations = await unlessPassed(asked.flatMap(({ change }) => change ?? []));
      const written = await write({ mutations }, refused);
      const tried = new Set(mutations);
      went = await letters.close(
        asked.filter(({ change }) => change === null || tried.has(change)),
        refused,
      );
      return written;
    });
    waiting = Math.max(0, (waiting ?? 0) - went);
    return figures;
  };

  /** Nothing but the checkpoint moves: one statement is the whole transaction. */
  const applyNothing = async (token: string, window: ApplyWindow): Promise<AppliedFigures> => {
    try {
      await compareAndSet(token, window);
      return NOTHING;
    } catch (error) {
      throw errors.toTargetError(error, `advancing to ${formatHlc(window.next)}`, { commitUnknown: true });
    }
  };

  return {
    async takeToken(token) {
      const taken = await takeWithin(groups, errors, options, token);
      heldAs = token;
      return taken;
    },
    bind: (token, stageId, incarnation) => translated('binding the stage', () => row.bind(token, stageId, incarnation)),
    async apply(token, window) {
      await translated('recording the session', () => holdRow(token));
      if (window.mutations.length === 0) return applyNothing(token, window);
      if (waiting === null) await translated('counting dead letters', look);
      guarded ??= await translated('looking for what was applied at once', () => guard.any());
      return applyGuarded(token, window, waiting ?? 0);
    },
    applyAtOnce,
    deadLetters: () => waiting ?? 0,
    async replayDeadLetters(token, applied) {
      if (waiting === 0 || performance.now() < lookedAt + LOOK_EVERY_MS) return null;
      await translated('recording the session', () => holdRow(token));
      guarded ??= await translated('looking for what was applied at once', () => guard.any());
      return (await translated('looking for dead letters', look)) ? replay(token, applied) : null;
    },
    advanceToLeast: (token) =>
      translated('recording how far all groups are', async () => {
        await holdRow(token);
        const applied = await groups.advanceToLeast(token);
        if (applied === null) throw new FenceLostError(stream, await row.read());
        return applied;
      }),
    regroup: (token, at, layout) =>
      translated('grouping the tables anew', async () => {
        if (!(await groups.regroup(token, at, layout))) throw new FenceLostError(stream, await row.read());
      }),
    readLocked: () => translated('reading the checkpoint', () => row.readLocked()),
    close: () => parts.close(),
  };
}

/** The checkpoint that must be there, and what it becomes. */
type Fence = Pick<ApplyWindow, 'previous' | 'next'>;

/** So often is it asked whether dead letters are to be tried again, while there are any. */
const LOOK_EVERY_MS = 1_000;

const NOTHING: AppliedFigures = { upserts: 0, deletes: 0, inSourceOrder: false };

function isOfOrder(cause: unknown): boolean {
  return cause instanceof Objection && cause.ofOrder;
}

function eachTimestamp(mutations: ApplyWindow['mutations']): readonly ApplyWindow['mutations'][] {
  const starts = mutations.flatMap((mutation, i) => (mutation.at === mutations[i - 1]?.at ? [] : [i]));
  return starts.map((start, i) => mutations.slice(start, starts[i + 1]));
}
