import type { Checkpoint } from '../domain/checkpoint.js';
import type { FeedEndedError } from '../domain/feed-end.js';
import { earlierHlc, HLC_ZERO, minHlc, previousHlc, type Hlc } from '../domain/hlc.js';
import type { SourceChangedError } from '../domain/source-identity.js';
import { StageUnavailableError, type SpanLimits, type Stage, type StagedSpan } from '../staging/stage.js';
import {
  BadRowError,
  FenceLostError,
  OutrunError,
  SchemaMismatchError,
  TargetRefusedError,
  TargetUnavailableError,
} from '../targets/failures.js';
import type { AppliedFigures, ApplySession, ApplyWindow } from '../targets/target.js';
import { restAfter, type TroubleOptions } from './backoff.js';
import type { Bell } from './bell.js';
import { closeAfterGrace } from './cut-off.js';
import { addRows, addWindow, NO_PROGRESS, type ApplyIncident, type ApplyProgress } from './progress.js';
import type { SourceCheck } from './source-check.js';
import type { AtOnce } from './at-once.js';
import { createReadAhead, type ReadAhead, type ReadAheadTuning } from './read-ahead.js';
import { planWindow, type NextWindow, type StopAt } from './window.js';

/** What a loop needs of a stage. */
export type AppliedStage = Pick<Stage, 'binding' | 'read' | 'lateRows' | 'purge'>;

export interface ApplyLoopOptions extends TroubleOptions, ReadAheadTuning {
  readonly stage: AppliedStage;
  /** Of the attempt that has taken over; fences every transaction (protocol rule C). */
  readonly token: string;
  /** To which the stage is bound, by the row (protocol rule D). */
  readonly incarnation: number;
  readonly openSession: () => Promise<ApplySession>;
  /** Rows and bytes of one target transaction. */
  readonly limits: SpanLimits;
  /** Rung when the resolved timestamp has advanced, or `stopAt` has changed. */
  readonly bell: Bell;
  /** Stop exactly there; null: go on. */
  readonly stopAt?: () => StopAt;
  /** Immediate mode: what applies beside this loop; absent: nothing does. */
  readonly atOnce?: Pick<AtOnce, 'rest'> | null;
  /** Asked beside the windows: is the source still what the stream began with (protocol rules 8 and 9)? */
  readonly source: SourceCheck;
  /** Called after every window, failure and recovery, with the latest figures. */
  readonly onProgress: (progress: ApplyProgress) => void;
  /** At most so often does the checkpoint advance while nothing changes, in milliseconds. */
  readonly idleAdvanceMs: number;
  /** A window that has room waits for more until so long after the one before, in milliseconds; absent: it does not wait. */
  readonly flushPeriodMs?: number;
  /** Applied changes stay in the stage for so long behind the checkpoint, in the source's time (protocol rule 16). */
  readonly retireOffsetMs: number;
  /** Once `signal` aborts, the window under way is finished or, after so many milliseconds, cut off. */
  readonly abortGraceMs: number;
}

/**
 * - `stopped`: the checkpoint is at `stopAt`, or was beyond it already.
 * - `aborted`: by the signal; the checkpoint on the target says how far.
 * - `fenced`: another attempt has the token, or the row is gone.
 * - `set-back`: the token is ours, yet the row is behind what we have applied: the target was set back.
 * - `incomplete`: the stage does not have everything after the row's checkpoint (protocol rule B): it must be bound anew.
 * - `halted`: a person must mend something on the target first, or decide about a source that has changed.
 */
export type ApplyLoopEnd =
  | { readonly ended: 'stopped'; readonly at: Hlc }
  | { readonly ended: 'aborted' }
  | { readonly ended: 'fenced'; readonly found: Checkpoint | null }
  | { readonly ended: 'set-back'; readonly found: Checkpoint }
  | { readonly ended: 'incomplete'; readonly found: Checkpoint }
  | { readonly ended: 'halted'; readonly error: HaltError };

/** What a person has to see to before the stream can go on. */
export type HaltError = BadRowError | SchemaMismatchError | TargetRefusedError | SourceChangedError | FeedEndedError;

/** Applies what the stage has resolved until something ends it. Transient errors of the target and of the stage are retried without end. */
export async function runApplyLoop(options: ApplyLoopOptions): Promise<ApplyLoopEnd> {
  const { signal, stream } = options;
  let progress = NO_PROGRESS;
  let failures = 0;
  /** Of the failures: whose they were. The target's are over once its row is read, the stage's once a window is. */
  let waitsFor: ApplyIncident['side'] = 'target';
  const report = (change: Partial<ApplyProgress>): void => {
    progress = { ...progress, ...change };
    options.onProgress(progress);
  };

  const isBack = (side: ApplyIncident['side']): void => {
    if (failures === 0 || waitsFor !== side) return;
    options.log(`stream ${stream}: the ${side} is back after ${failures} failed attempts`);
    failures = 0;
    report({ incident: null });
  };

  while (!signal.aborted) {
    let session: ApplySession | null = null;
    try {
      session = await options.openSession();
      const closeWhenCut = closeAfterGrace(session, options);
      try {
        // After any failure, an unknown outcome of a commit included, the row under its lock says how far we are (protocol rules C, 22).
        const found = await session.readLocked();
        if (found === null || found.token !== options.token) return { ended: 'fenced', found };
        if (progress.applied !== null && found.applied < progress.applied) return { ended: 'set-back', found };
        isBack('target');
        report({ applied: found.applied });
        return await applyWindows(
          options,
          session,
          found,
          () => progress,
          report,
          () => isBack('stage'),
        );
      } finally {
        closeWhenCut();
      }
    } catch (error) {
      const end = endOf(error, options.token, progress.applied);
      if (end !== null) return end;
      if (!isTransient(error)) throw error;
      if (signal.aborted) break;
      await session?.close();
      session = null;
      failures++;
      waitsFor = error instanceof StageUnavailableError ? 'stage' : 'target';
      await restAfter(error, failures, options, (incident) => report({ retries: progress.retries + 1, incident }));
    } finally {
      await session?.close();
    }
  }
  return { ended: 'aborted' };
}

async function applyWindows(
  options: ApplyLoopOptions,
  session: ApplySession,
  row: Checkpoint,
  progress: () => ApplyProgress,
  report: (change: Partial<ApplyProgress>) => void,
  stageIsBack: () => void,
): Promise<ApplyLoopEnd> {
  const { stage, token, incarnation, signal, limits, bell, source, idleAdvanceMs, flushPeriodMs = 0 } = options;
  const ahead = createReadAhead(stage, limits, options);
  let applied = row.applied;
  let advancedAt = -Infinity;
  /** Of what is committed. The next window does not wait for it, only the next purge. */
  let purging: Promise<void> = Promise.resolve();
  let purged: Hlc = HLC_ZERO;
  /** Where the last changes are that the stage may still hold; those of an earlier attempt, too. */
  let written = applied;
  /** Set while a window has to reach so far at least: what was applied at once is in the way of a shorter one. */
  let reach: Hlc | null = null;
  try {
    while (!signal.aborted) {
      const changed = source.changed();
      if (changed?.type === 'Source.TableChanged') return { ended: 'halted', error: changed };
      const binding = stage.binding();
      const next = planWindow(binding, incarnation, applied, options.stopAt?.() ?? null);
      if (next.kind === 'incomplete') return { ended: 'incomplete', found: { ...row, applied } };
      if (next.kind !== 'window') stageIsBack();
      if (next.kind === 'stopped') return { ended: 'stopped', at: applied };
      const replayed = await session.replayDeadLetters(token, applied);
      if (replayed !== null || session.deadLetters() !== progress().deadLetters)
        report({ ...(replayed && addRows(progress(), replayed)), deadLetters: session.deadLetters() });
      if (next.kind === 'idle' || !reaches(next, reach)) {
        // Another key halts once all that is resolved is applied: what it could damage does not get so far (see `beforeOtherKey`).
        if (changed !== null) return { ended: 'halted', error: changed };
        await bell.wait(idleAdvanceMs, signal);
        continue;
      }
      const whole =
        reach === null ? await ahead.take(applied, next.upTo) : await readAllUpTo(stage, applied, reach, limits);
      stageIsBack();
      const span = await beforeOtherKey(options, ahead, applied, whole);
      if ('error' in span) return { ended: 'halted', error: span.error };
      const nothing = span.mutations.length === 0;
      const restMs = advancedAt + (nothing ? idleAdvanceMs : flushPeriodMs) - performance.now();
      if (nothing && !next.last && restMs > 0) {
        if (changed !== null) return { ended: 'halted', error: changed };
        await bell.wait(restMs, signal);
        continue;
      }
      const hasRoom = !span.cut && span.end === next.upTo;
      if (!nothing && hasRoom && !next.last && changed === null && restMs > 0) {
        ahead.keep(applied, span);
        await bell.wait(restMs, signal);
        continue;
      }
      const window = { previous: applied, next: span.end, mutations: span.mutations };
      const outcome = await unlessOutrun(() =>
        span.cut
          ? applyLarge(session, token, window, ahead)
          : applyWhole(session, token, window, () => {
              if (next.upTo > span.end) ahead.begin(span.end, next.upTo);
            }),
      );
      if (outcome instanceof OutrunError) {
        options.log(outcome.message);
        options.atOnce?.rest(true);
        reach = outcome.upTo;
        continue;
      }
      if (reach !== null && window.next >= reach) {
        options.atOnce?.rest(false);
        reach = null;
      }
      const { figures, mutations } = outcome;
      applied = window.next;
      advancedAt = performance.now();
      report(
        addWindow(
          { ...progress(), resolved: binding?.resolved ?? null, deadLetters: session.deadLetters() },
          { next: applied, mutations },
          figures,
        ),
      );
      if (window.mutations.length > 0) written = applied;
      // Only what is committed goes (protocol rule 11), and nothing where all is gone already.
      const retired = earlierHlc(applied, options.retireOffsetMs);
      if (purged < written && purged < retired) {
        await purging;
        purged = retired;
        purging = stage.purge(retired);
        // Whoever waits for it is told.
        purging.catch(() => undefined);
      }
    }
    return { ended: 'aborted' };
  } finally {
    options.atOnce?.rest(false);
    await ahead.end();
    // What is left of it is purged with a later window; its failure must not hide why the loop ends.
    await purging.catch((error: unknown) => options.log(`stream ${options.stream}: purging: ${String(error)}`));
  }
}

function reaches(next: NextWindow, reach: Hlc | null): boolean {
  return reach === null || (next.kind === 'window' && next.upTo >= reach);
}

/**
 * As many as there are: no shorter window can be written. They are what came since the checkpoint, for nothing is applied at once while such a
 * window is waited for.
 */
async function readAllUpTo(stage: AppliedStage, after: Hlc, upTo: Hlc, limits: SpanLimits): Promise<StagedSpan> {
  const parts: StagedSpan['mutations'][] = [];
  for (let end = after; end < upTo;) {
    const span = await stage.read(end, upTo, limits);
    parts.push(span.mutations);
    end = span.end;
  }
  return { mutations: parts.flat(), end: upTo, cut: false };
}

/** A window that is outrun has been rolled back: it is not told as trouble. */
async function unlessOutrun(apply: () => Promise<AppliedWindow>): Promise<AppliedWindow | OutrunError> {
  try {
    return await apply();
  } catch (error) {
    if (error instanceof OutrunError) return error;
    throw error;
  }
}

interface AppliedWindow {
  readonly figures: AppliedFigures;
  /** Changes of the stage, before collapsing. */
  readonly mutations: number;
}

async function applyWhole(
  session: ApplySession,
  token: string,
  window: ApplyWindow,
  meanwhile: () => void,
): Promise<AppliedWindow> {
  const applying = session.apply(token, window);
  meanwhile();
  return { figures: await applying, mutations: window.mutations.length };
}

/** One timestamp, larger than a window may be: it is read in parts while it is written, and nothing is read ahead beside it (invariant 6). */
async function applyLarge(
  session: ApplySession,
  token: string,
  window: ApplyWindow,
  ahead: ReadAhead,
): Promise<AppliedWindow> {
  const figures = await session.apply(token, {
    ...window,
    mutations: window.mutations.slice(0, 1),
    parts: (fromTable) => ahead.parts(window.next, fromTable),
  });
  return { figures, mutations: figures.upserts + figures.deletes };
}

/**
 * The part of a span in which every delete has the key that we know (protocol rule 8). An upsert proves its key by the row beside it, and one
 * with another key is refused at the intake, so that resolved never passes it. A delete is a bare key: after ALTER PRIMARY KEY, which ends no
 * job and sends no row again, `[5]` may mean another column, and another row of ours would go.
 */
async function beforeOtherKey(
  { source }: ApplyLoopOptions,
  ahead: ReadAhead,
  applied: Hlc,
  span: StagedSpan,
): Promise<StagedSpan | { readonly error: SourceChangedError }> {
  // What is not read yet of a timestamp may hold a delete.
  const deletes = span.cut
    ? [span.end]
    : [...new Set(span.mutations.filter((one) => one.after === null).map((one) => one.at))];
  const other = deletes.length === 0 ? null : await source.firstOtherKey(deletes);
  if (other === null) return span;
  const upTo = minHlc(span.end, previousHlc(other.at));
  const good = await ahead.take(applied, upTo);
  return good.mutations.length === 0 ? { error: other.error } : good;
}

/** What a failure ends the loop with; null when it does not end it. */
export function endOf(error: unknown, token: string, applied: Hlc | null): ApplyLoopEnd | null {
  if (error instanceof FenceLostError) {
    const { found } = error;
    if (found === null || found.token !== token || applied === null) return { ended: 'fenced', found };
    return found.applied < applied ? { ended: 'set-back', found } : null;
  }
  const halts =
    error instanceof BadRowError || error instanceof SchemaMismatchError || error instanceof TargetRefusedError;
  return halts ? { ended: 'halted', error } : null;
}

/**
 * A fence lost to our own token, with the row ahead of us: a statement of ours whose answer was lost has arrived late. The row is read again
 * like after any lost connection.
 */
function isTransient(error: unknown): error is TargetUnavailableError | StageUnavailableError | FenceLostError {
  return (
    error instanceof TargetUnavailableError || error instanceof StageUnavailableError || error instanceof FenceLostError
  );
}
