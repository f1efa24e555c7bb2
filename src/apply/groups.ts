import { setTimeout as delay } from 'node:timers/promises';
import { groupsOf, type ApplyGroup } from '../domain/apply-groups.js';
import { earlierHlc, HLC_ZERO, maxHlc, minHlc, type Hlc } from '../domain/hlc.js';
import { SourceChangedError } from '../domain/source-identity.js';
import { formatTableName, type StreamPlan } from '../domain/table.js';
import { StageUnavailableError, type Stage } from '../staging/stage.js';
import { TargetUnavailableError } from '../targets/failures.js';
import type { ApplySession, GroupLayout, StoredGroup } from '../targets/target.js';
import { createBell, type Bell } from './bell.js';
import { closeAfterGrace } from './cut-off.js';
import { endOf, runApplyLoop, type AppliedStage, type ApplyLoopEnd, type ApplyLoopOptions } from './loop.js';
import { continued, NO_PROGRESS, together, type ApplyProgress } from './progress.js';
import { createSharedReads } from './shared-reads.js';
import type { StopAt } from './window.js';
import { withSession } from './with-session.js';

export interface GroupsOptions extends Omit<ApplyLoopOptions, 'stage' | 'openSession'> {
  readonly stage: Stage;
  readonly plan: StreamPlan;
  /** Of the stream's own checkpoint, or of a group's. */
  readonly openSession: (group?: ApplyGroup) => Promise<ApplySession>;
}

/** The stream's row follows its groups so often. */
const FOLLOW_EVERY_MS = 1_000;
/** What rests at a stop looks so often whether the others rest there, too. */
const LOOK_EVERY_MS = 500;

/** Applies all tables as one, or each group of the plan by itself (protocol rule 26), until something ends it. */
export function applyAll(options: GroupsOptions): Promise<ApplyLoopEnd> {
  const groups = groupsOf(options.plan);
  return groups.length === 0
    ? runApplyLoop({ ...options, openSession: () => options.openSession() })
    : applyGroups(options, groups);
}

/**
 * Makes the target's rows those of the plan's groups. Other groups than these, left by an earlier start, first go on until all are where the
 * one that is furthest is: a checkpoint says of all its tables how far they are.
 * @returns null when the rows are the plan's, else what has ended it before
 */
export async function arrangeGroups(
  options: GroupsOptions,
  stored: readonly StoredGroup[],
  applied: Hlc,
): Promise<ApplyLoopEnd | null> {
  const { plan, token } = options;
  const wanted = layoutOf(plan);
  if (isSameLayout(stored, wanted)) return null;
  const furthest = stored.reduce((most, group) => maxHlc(most, group.applied), applied);
  if (stored.some((group) => group.applied !== furthest)) {
    const end = await applyGroups({ ...options, stopAt: () => furthest }, groupsOfStored(stored, plan));
    if (end.ended !== 'stopped') return end;
  }
  const regrouped = await underToken(
    options,
    () => NO_PROGRESS,
    async (session) => {
      await session.regroup(token, furthest, wanted);
      return { ended: 'stopped', at: furthest };
    },
  );
  return regrouped.ended === 'stopped' ? null : regrouped;
}

function layoutOf(plan: StreamPlan): readonly GroupLayout[] {
  return groupsOf(plan).map(({ number, tables }) => ({ number, tables: tables.map((table) => nameOf(plan, table)) }));
}

function nameOf(plan: StreamPlan, table: number): string {
  const planned = plan[table];
  return planned === undefined ? '' : formatTableName(planned.target);
}

function isSameLayout(stored: readonly GroupLayout[], wanted: readonly GroupLayout[]): boolean {
  const textOf = (groups: readonly GroupLayout[]): string =>
    JSON.stringify(groups.map(({ number, tables }) => [number, [...tables].sort()]));
  return textOf(stored) === textOf(wanted);
}

/** A table that no group names was none of the stream's: it begins where the group begins that is furthest behind. */
function groupsOfStored(stored: readonly StoredGroup[], plan: StreamPlan): readonly ApplyGroup[] {
  const known = new Map(stored.flatMap(({ number, tables }) => tables.map((name) => [name, number])));
  const behind = stored.reduce((least, group) => (group.applied < least.applied ? group : least)).number;
  return stored.map(({ number }) => ({
    number,
    tables: plan.flatMap((_, table) => ((known.get(nameOf(plan, table)) ?? behind) === number ? [table] : [])),
  }));
}

/** What one group's loop is doing. */
interface Member {
  readonly group: ApplyGroup;
  readonly stage: AppliedStage;
  readonly bell: Bell;
  progress: ApplyProgress;
  /** It needs nothing more for all to be at their stop. */
  done: boolean;
}

/**
 * One loop for each group, with a session, a checkpoint and a reading of its own; a group that does not get on holds up no other. All end when
 * one does, and `stopped` says that all are there.
 */
async function applyGroups(options: GroupsOptions, groups: readonly ApplyGroup[]): Promise<ApplyLoopEnd> {
  const { stage, token, limits, queueSize, signal } = options;
  const over = new AbortController();
  const inner = AbortSignal.any([signal, over.signal]);
  const reads = createSharedReads(stage, {
    scanSize: options.scanSize,
    rows: queueSize ?? limits.rows,
    bytes: limits.bytes,
  });
  const members = groups.map((group): Member => ({
    group,
    stage: reads.viewOf(group.tables),
    bell: createBell(),
    progress: NO_PROGRESS,
    done: false,
  }));
  const ringAll = (): void => {
    for (const { bell } of members) bell.ring();
  };
  /** What has been resolved when one halted because of the source: the others still come to there. */
  let last: Hlc | null = null;
  const stopAt = (): StopAt => {
    const stop = options.stopAt?.() ?? null;
    if (last === null || stop === 'unknown') return stop;
    return stop === null ? last : minHlc(stop, last);
  };
  const outcome: { decisive: ApplyLoopEnd | null } = { decisive: null };
  const settle = (end: ApplyLoopEnd): void => {
    if (end.ended === 'aborted' || end.ended === 'stopped') return;
    if (isKeyChange(end)) last ??= stage.binding()?.resolved ?? null;
    else over.abort();
    if (outcome.decisive === null || isKeyChange(outcome.decisive)) outcome.decisive = end;
  };
  const progress = (): ApplyProgress => together(members.map((member) => member.progress));

  const run = async (member: Member): Promise<void> => {
    const { group, bell } = member;
    for (;;) {
      const before = member.progress;
      const end = await runApplyLoop({
        ...options,
        stream: `${options.stream}, group ${group.number}`,
        stage: member.stage,
        bell,
        signal: inner,
        stopAt,
        // What all of them hold is bounded, whatever their number.
        limits: { ...limits, bytes: Math.ceil(limits.bytes / members.length) },
        queueSize: Math.ceil((queueSize ?? limits.rows * members.length) / members.length),
        openSession: () => options.openSession(group),
        onProgress(now) {
          member.progress = continued(before, now);
          options.onProgress(progress());
        },
      });
      settle(end);
      member.done = true;
      ringAll();
      if (end.ended !== 'stopped') return;
      const allDone = (): boolean => members.every(({ done }) => done);
      const rests = (): boolean => {
        const stop = stopAt();
        return stop !== null && stop !== 'unknown' && stop <= end.at;
      };
      while (!inner.aborted && rests() && !allDone()) await bell.wait(LOOK_EVERY_MS, inner);
      if (inner.aborted || allDone()) return;
      member.done = false;
    }
  };

  const ended = new AbortController();
  const orAbort = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      over.abort();
      throw error;
    }
  };
  const beside = Promise.allSettled([
    fanOut(options.bell, ringAll, inner),
    orAbort(follow(options, progress, { cut: inner, ended: ended.signal }, settle)),
  ]);
  const ends = await Promise.allSettled(members.map((member) => orAbort(run(member))));
  over.abort();
  ended.abort();
  const failed = [...ends, ...(await beside)].find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  if (outcome.decisive !== null) return outcome.decisive;
  if (signal.aborted) return { ended: 'aborted' };
  // All are at the stop, and now the stream's row says so.
  return underToken(options, progress, async (session) => ({
    ended: 'stopped',
    at: await session.advanceToLeast(token),
  }));
}

function isKeyChange(end: ApplyLoopEnd): boolean {
  return end.ended === 'halted' && end.error instanceof SourceChangedError && end.error.type === 'Source.KeyChanged';
}

/** The attempt's bell wakes one; here all are woken. */
async function fanOut(bell: Bell, ringAll: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await bell.wait(FOLLOW_EVERY_MS, signal);
    ringAll();
  }
}

/** The stream's row and the purge follow the group that is furthest behind, to where all have ended. */
async function follow(
  options: GroupsOptions,
  progress: () => ApplyProgress,
  { cut, ended }: { readonly cut: AbortSignal; readonly ended: AbortSignal },
  settle: (end: ApplyLoopEnd) => void,
): Promise<void> {
  const { stage, token, stream, log } = options;
  const held: { session: ApplySession | null } = { session: null };
  let closeWhenCut = (): void => undefined;
  const letGo = async (): Promise<void> => {
    closeWhenCut();
    await held.session?.close();
    held.session = null;
  };
  /** Null: it could not be done now. */
  const advance = async (): Promise<Hlc | null> => {
    try {
      if (held.session === null) {
        if (cut.aborted) return null;
        held.session = await options.openSession();
        closeWhenCut = closeAfterGrace(held.session, { signal: cut, abortGraceMs: options.abortGraceMs });
      }
      return await held.session.advanceToLeast(token);
    } catch (error) {
      await letGo();
      const end = endOf(error, token, null);
      if (end !== null) settle(end);
      else if (!(error instanceof TargetUnavailableError)) throw error;
      else log(`stream ${stream}: ${error.message}; its row is behind its groups for a while`);
      return null;
    }
  };
  let written: Hlc | null = null;
  let purged: Hlc = HLC_ZERO;
  let counted = -1;
  /** Beyond all changes that the groups have taken, however far each is; those of an earlier attempt, too. */
  let changedAt: Hlc = HLC_ZERO;
  try {
    while (!ended.aborted) {
      await delay(FOLLOW_EVERY_MS, undefined, { signal: ended }).catch(() => undefined);
      const { applied, mutations } = progress();
      if (applied === null || applied === written) continue;
      written = (await advance()) ?? written;
      if (mutations !== counted) [counted, changedAt] = [mutations, stage.binding()?.resolved ?? applied];
      // Only what is committed in all groups goes (protocol rules 11 and 26), and nothing where all is gone already.
      const retired = earlierHlc(applied, options.retireOffsetMs);
      if (purged >= changedAt || purged >= retired) continue;
      try {
        await stage.purge(retired);
        purged = retired;
      } catch (error) {
        if (!(error instanceof StageUnavailableError)) throw error;
        log(`stream ${stream}: ${error.message}; what all groups have applied is purged later`);
      }
    }
  } finally {
    await letGo();
  }
}

/** Does something to the stream's rows, which another attempt may have taken. */
async function underToken(
  options: GroupsOptions,
  progress: () => ApplyProgress,
  work: (session: ApplySession) => Promise<ApplyLoopEnd>,
): Promise<ApplyLoopEnd> {
  const report = (incident: ApplyProgress['incident']): void => options.onProgress({ ...progress(), incident });
  try {
    const end = await withSession({ ...options, openSession: () => options.openSession() }, report, work);
    if (end !== null) report(null);
    return end ?? { ended: 'aborted' };
  } catch (error) {
    const end = endOf(error, options.token, null);
    if (end === null) throw error;
    return end;
  }
}
