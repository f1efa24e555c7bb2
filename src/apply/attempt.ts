import { formatHlc, HLC_ZERO, maxHlc, parseHlc, type Hlc } from '../domain/hlc.js';
import type { MirroredStage } from '../domain/attempt.js';
import type { Checkpoint } from '../domain/checkpoint.js';
import type { ApplyGroup } from '../domain/apply-groups.js';
import { planFingerprint, type StreamPlan } from '../domain/table.js';
import { StageUnavailableError, type Stage } from '../staging/stage.js';
import type { ApplySession, StoredGroup, StreamHold, TakenCheckpoint } from '../targets/target.js';
import { restAfter } from './backoff.js';
import type { Bell } from './bell.js';
import { applyAll, arrangeGroups } from './groups.js';
import type { ApplyLoopOptions, HaltError } from './loop.js';
import type { ApplyIncident } from './progress.js';
import type { StopAt } from './window.js';
import { withSession } from './with-session.js';

/** What a takeover has settled: this attempt listens for this incarnation. */
export interface Taken {
  readonly token: string;
  readonly incarnation: number;
  /** Where CREATE CHANGEFEED begins unless a live job of the incarnation exists: what the stage has completely. */
  readonly cursor: Hlc;
  readonly applied: Hlc;
  /** False: the stage was not complete from the checkpoint on, and has been emptied and bound anew. */
  readonly stageKept: boolean;
}

export interface AttemptOptions extends Pick<
  ApplyLoopOptions,
  | 'stream'
  | 'limits'
  | 'signal'
  | 'retry'
  | 'source'
  | 'onProgress'
  | 'log'
  | 'idleAdvanceMs'
  | 'retireOffsetMs'
  | 'abortGraceMs'
  | 'scanSize'
  | 'queueSize'
  | 'flushPeriodMs'
  | 'atOnce'
> {
  readonly stage: Stage;
  readonly token: string;
  readonly plan: StreamPlan;
  /** Bind a new incarnation although the stage is complete: its changefeed is gone. */
  readonly renew: boolean;
  readonly bell: Bell;
  /** What an earlier attempt's last heartbeat said of its stage; null: nothing is known. */
  readonly mirrored: MirroredStage | null;
  /** Of the stream's own checkpoint, or of a group's. */
  readonly openSession: (group?: ApplyGroup) => Promise<ApplySession>;
  /**
   * Opens the intake for an incarnation; returns its closing, after which nothing is taken.
   * @param again to be called when the intake has ended by itself: the takeover is made anew
   */
  readonly listen: (incarnation: number, again: () => void) => () => void | Promise<void>;
  /** Each opening of the intake is an incarnation of its own, also after a takeover that finds the stage complete (protocol rule 30). */
  readonly renewEach?: boolean;
  readonly onTaken: (taken: Taken) => Promise<void>;
  /** Called after each failure of the target or the stage outside the apply loop, whose own come with `onProgress`; null: it is over. */
  readonly onTrouble: (trouble: ApplyIncident | null) => void;
  /** Stop exactly there; null: go on. */
  readonly stopAt: () => StopAt;
  /** Called about once a second while the checkpoint rests at `stopAt`. */
  readonly onHold: (report: StreamHold) => Promise<void>;
}

export type AttemptOutcome =
  | { readonly ended: 'aborted' }
  /** Another attempt has the token; null: the row is gone. */
  | { readonly ended: 'fenced'; readonly found: Checkpoint | null }
  | { readonly ended: 'halted'; readonly error: HaltError };

const HOLD_REPORT_MS = 500;
/** Enough to say "some"; the exact number of changes after the hold is of no use to anybody. */
const NEWER_COUNTED = { rows: 1_000, bytes: 16_777_216 };

/**
 * One attempt of a stream, from its takeover (protocol rule D) to its end. Takes over again by itself, as a new incarnation, when the target
 * was set back or the stage turns out incomplete.
 */
export async function runAttempt(options: AttemptOptions): Promise<AttemptOutcome> {
  let renew = options.renew || (options.renewEach ?? false);
  while (!options.signal.aborted) {
    const taken = await takeOver(options, renew);
    if (taken === null) return { ended: 'aborted' };
    if ('overtaken' in taken) return { ended: 'fenced', found: taken.overtaken };
    renew = options.renewEach ?? false;
    const { groups, ...told } = taken;
    // Groups of an earlier start have checkpoints of their own, which no fence of the stream's row covers.
    if (groups.length > 0) options.atOnce?.rest(true);
    const intakeEnded = new AbortController();
    const signal = AbortSignal.any([options.signal, intakeEnded.signal]);
    const close = options.listen(taken.incarnation, () => intakeEnded.abort());
    try {
      await options.onTaken(told);
      const outcome = await applyAndHold({ ...options, signal }, told, groups);
      const goesOn = outcome === 'again' || (outcome.ended === 'aborted' && !options.signal.aborted);
      if (!goesOn) return outcome;
    } finally {
      await close();
    }
  }
  return { ended: 'aborted' };
}

/** Another attempt was quicker; null: the row is gone. */
interface Overtaken {
  readonly overtaken: Checkpoint | null;
}

/** Steps 1 to 3 of the takeover; transient errors of target and stage are waited out. Null: the attempt was aborted. */
function takeOver(options: AttemptOptions, renew: boolean): Promise<Takeover | Overtaken | null> {
  return withSession(options, options.onTrouble, (session) => takeOverWith(session, options, renew));
}

interface Takeover extends Taken {
  readonly groups: readonly StoredGroup[];
}

async function takeOverWith(
  session: ApplySession,
  options: AttemptOptions,
  renew: boolean,
): Promise<Takeover | Overtaken> {
  const { stage, token } = options;
  const plan = planFingerprint(options.plan);
  const row = await session.takeToken(token);
  if (row === null) return { overtaken: null };
  const stageKept = isOurs(stage, row, plan) && knowsEnough(stage, options.mirrored);
  // An incarnation is never used twice, not even by an attempt that died between binding its stage and writing the row.
  const next = Math.max(row.incarnation, stage.binding()?.incarnation ?? 0) + 1;
  if (!stageKept) await stage.bind(next, row.applied, plan);
  else if (renew) await stage.renew(next);
  const bound = stage.binding();
  if (bound === null) throw new Error('the stage is not bound although it was bound just now');
  if (!(await session.bind(token, stage.id, bound.incarnation))) return { overtaken: await session.readLocked() };
  return {
    token,
    incarnation: bound.incarnation,
    cursor: bound.resolved,
    applied: row.applied,
    stageKept,
    groups: row.groups,
  };
}

/**
 * The stage is ours only if the row names it and its incarnation, and it is complete from the checkpoint on (protocol rules B and D). One
 * that knows less than is applied is a copy of an old disk (protocol rule 15).
 */
function isOurs(stage: Stage, row: TakenCheckpoint, plan: string): boolean {
  const bound = stage.binding();
  const furthest = row.groups.reduce((most, { applied }) => maxHlc(most, applied), row.applied);
  return (
    bound !== null &&
    row.stageId === stage.id &&
    row.incarnation === bound.incarnation &&
    bound.plan === plan &&
    bound.floor <= row.applied &&
    furthest <= bound.resolved
  );
}

/** A stage that knows less than it has already mirrored is a copy of an old disk (protocol rule 15). */
function knowsEnough(stage: Stage, mirrored: AttemptOptions['mirrored']): boolean {
  if (mirrored === null || mirrored.stageId !== stage.id) return true;
  return (stage.binding()?.resolved ?? HLC_ZERO) >= parseHlc(mirrored.resolved);
}

async function applyAndHold(
  options: AttemptOptions,
  { incarnation, applied }: Taken,
  stored: readonly StoredGroup[],
): Promise<AttemptOutcome | 'again'> {
  const applying = { ...options, incarnation };
  let end = await arrangeGroups({ ...applying, atOnce: null }, stored, applied);
  if (stored.length > 0 && end === null) options.atOnce?.rest(false);
  for (;;) {
    end ??= await applyAll(applying);
    switch (end.ended) {
      case 'aborted':
        return { ended: 'aborted' };
      case 'halted':
        return { ended: 'halted', error: end.error };
      case 'fenced':
        return { ended: 'fenced', found: end.found };
      case 'set-back':
      case 'incomplete':
        options.log(
          `stream ${options.stream}: the target is at ${formatHlc(end.found.applied)} and not where we were: it is taken over again from there`,
        );
        return 'again';
      case 'stopped':
        await hold(options, end.at);
        end = null;
    }
  }
}

/** Rests at `at` while the intake goes on: what arrives now is what the source has after it. */
async function hold(options: AttemptOptions, at: Hlc): Promise<void> {
  const { stage, signal, stopAt, onHold, bell } = options;
  const resting = (): boolean => {
    const stop = stopAt();
    return stop !== null && stop !== 'unknown' && stop <= at;
  };
  let failures = 0;
  while (!signal.aborted && resting()) {
    const seenUpTo = stage.binding()?.resolved ?? at;
    try {
      const newerChanges = seenUpTo > at ? (await stage.read(at, seenUpTo, NEWER_COUNTED)).mutations.length : 0;
      if (failures > 0) options.onTrouble(null);
      failures = 0;
      await onHold({ at, seenUpTo, newerChanges });
    } catch (error) {
      if (!(error instanceof StageUnavailableError)) throw error;
      failures += 1;
      await restAfter(error, failures, options, options.onTrouble);
      continue;
    }
    await bell.wait(HOLD_REPORT_MS, signal);
  }
}
