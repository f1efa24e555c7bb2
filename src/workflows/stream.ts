import {
  ActivityFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  TimeoutFailure,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { AttemptEnd, AttemptProgress, ListeningWord, MirroredStage } from '../domain/attempt.js';
import type { FailureType } from '../domain/failures.js';
import type { IncidentWord } from '../domain/incident.js';
import type { StreamStatus } from '../domain/status.js';
import {
  FIRST_BACKOFF_MS,
  NOTHING_CARRIED,
  type EnsuredJob,
  type StreamArgs,
  type StreamCarried,
} from '../domain/stream-args.js';
import { boundedActivities, hostActivities, quickActivities } from './activity-proxies.js';
import { failureTypeOf, reasonOf } from './compensation.js';
import { historyIsLong } from './history.js';
import { insist } from './insist.js';
import { whileHistoryIsKept, type HistoryKeeping } from './keep-history.js';
import {
  deliveredSignal,
  incidentSignal,
  listeningSignal,
  streamPauseSignal,
  streamResumeSignal,
  streamStatusSignal,
  troubleSignal,
} from './messages.js';
import { isPull, placeOf } from './runbook.js';
import { patience, rollUpMs, serve } from './serve.js';

const LAST_BACKOFF_MS = 20_000;

/** What a resolved timestamp that is durably taken disproves: mostly how an earlier attempt ended, of which no later one knows. */
const ENDED_BY_DELIVERY: readonly FailureType[] = [
  'Changefeed.JobFailed',
  'Changefeed.JobGone',
  'Changefeed.Stalled',
  'Checkpoint.Missing',
  'Host.Lost',
  'Internal.Defect',
  'Source.Refused',
  'Stage.Busy',
  'Stage.Full',
  'Stage.Unavailable',
  'Target.Refused',
];

/** What the attempt under way is known to have said. Reset for each attempt. */
export interface AttemptState {
  /** Random for each attempt: words of an older one are ignored (protocol rule 38). */
  token: string;
  listening: ListeningWord | null;
  /** What it says it is in, and retries by itself. */
  readonly troubles: Set<'Target.Unavailable' | 'Source.Unavailable'>;
  end: AttemptOver | null;
}

type AttemptOver = AttemptEnd | { readonly ended: 'failed'; readonly type: FailureType; readonly cause: string };

/** What the stream knows and its parts change. */
export interface StreamState {
  readonly args: StreamArgs;
  readonly status: { -readonly [K in keyof StreamStatus]: StreamStatus[K] };
  readonly attempt: AttemptState;
  paused: boolean;
  /** When the pause began, of the workflow's clock; null: it is not paused. */
  restingSince: number | null;
  /** Counts the wishes to resume. */
  resumes: number;
  /** The next attempt binds a new incarnation although its stage is complete: the job is gone or has failed. */
  renew: boolean;
  /** Words of delivery heard in this attempt. */
  proofs: number;
  mirrored: MirroredStage | null;
  /** What an attempt that hands over leaves to the next one: that one does not resume what somebody else has paused. */
  ensured: EnsuredJob | null;
  /** The host of the stage did not take the last attempt. */
  hostLost: boolean;
  protectedAt: number;
  backoffMs: number;
  say(): Promise<void>;
  incident(word: IncidentWord): Promise<void>;
  openIncidents(): readonly FailureType[];
}

/**
 * One changefeed, its receiver and its health. Runs until it is cancelled; whatever happens to an attempt, it starts another. Temporal's
 * retries are not used: the stream chooses the host, the one with the stage first.
 */
export async function stream(args: StreamArgs): Promise<void> {
  const state = openState(args);
  await whileHistoryIsKept(keeping(state), () => attemptAgainAndAgain(state));
}

async function attemptAgainAndAgain(state: StreamState): Promise<never> {
  const { args } = state;
  for (;;) {
    state.proofs = 0;
    const handedOver = await attempt(state);
    // Only an attempt that was delivered to was of use: a changefeed that fails at once must not be made again and again without rest.
    if (state.proofs > 0) state.backoffMs = FIRST_BACKOFF_MS;
    await afterAttempt(state);
    if (!handedOver) {
      await sleep(state.backoffMs);
      state.backoffMs = Math.min(state.backoffMs * 2, LAST_BACKOFF_MS);
    }
    if (historyIsLong(args)) {
      // Only here: the activity has ended, so no two can live (protocol rule 37).
      await condition(allHandlersFinished);
      await continueAsNew<typeof stream>({ ...args, carried: carry(state) });
    }
  }
}

/**
 * Protects history from the checkpoint on for as long as the stream lives (protocol rule 4), while it waits for a person too: the stage may be lost
 * meanwhile. The checkpoint is the one last reported; an older one protects more.
 */
function keeping(state: StreamState): HistoryKeeping {
  const { args, status } = state;
  const everyMs = rollUpMs(args);
  return {
    firstInMs: Math.max(0, state.protectedAt + everyMs - Date.now()),
    everyMs,
    protect: async () => {
      const at = status.applied;
      if (at === null) return;
      await insist(patience(state), () =>
        boundedActivities('move the protection of history up to the checkpoint').protectHistory({
          place: placeOf(args),
          at,
          forMs: args.input.limits.outage + everyMs,
        }),
      );
      state.protectedAt = Date.now();
    },
  };
}

/** One attempt from its start to its end, whichever way it ends. True: it has handed over in good order to make room in the history. */
async function attempt(state: StreamState): Promise<boolean> {
  const { args, status } = state;
  const host = await chooseHost(state);
  status.attempts += 1;
  state.attempt.token = uuid4();
  state.attempt.listening = null;
  state.attempt.troubles.clear();
  state.attempt.end = null;
  const scope = new CancellationScope();
  const renew = state.renew;
  const running = scope
    .run(() =>
      hostActivities(host, {
        heartbeatTimeoutMs: args.input.limits.heartbeatTimeout,
        hostGraceMs: hostGraceMs(args),
      }).receiveAndApply({
        place: placeOf(args),
        stream: args.run,
        token: state.attempt.token,
        workflowId: workflowInfo().workflowId,
        plan: args.plan,
        sinkPath: args.sinkPath,
        enforcementOff: args.enforcementOff,
        apply: args.input.apply,
        ...(isPull(args) ? { pull: { changefeed: args.input.changefeed, silenceMs: args.input.limits.silence } } : {}),
        renew,
        mirrored: state.mirrored,
        staging: args.input.staging,
      }),
    )
    .then(
      (end) => (state.attempt.end = end),
      (error: unknown) => {
        state.mirrored = lastMirror(error) ?? state.mirrored;
        return (state.attempt.end = endOf(error));
      },
    );
  let handsOver: boolean;
  try {
    handsOver = (await serve(state)) === 'handOver';
  } finally {
    scope.cancel();
    await CancellationScope.nonCancellable(() => running);
  }
  const end = await running;
  state.hostLost = end.ended === 'failed' && end.type === 'Host.Lost' && state.attempt.listening === null;
  const handedOver = handsOver && end.ended === 'cancelled';
  if (!handedOver) state.ensured = null;
  return handedOver;
}

function endOf(error: unknown): AttemptOver {
  if (isCancellation(error)) return { ended: 'cancelled' };
  return { ended: 'failed', type: failureTypeOf(error) ?? 'Host.Lost', cause: reasonOf(error) };
}

/** The stage's own host first, for a grace time; then any host that answers. */
async function chooseHost(state: StreamState): Promise<string> {
  const own = state.status.host;
  if (own !== null && !state.hostLost) return own;
  return (await quickActivities('which host answers').whichHost({})).host;
}

/** A stage in a database is not lost with its host: whoever is not there within a heartbeat is not waited for. */
function hostGraceMs({ input: { limits, staging } }: StreamArgs): number {
  return staging === undefined ? limits.hostGrace : Math.min(limits.hostGrace, limits.heartbeatTimeout);
}

/** Turns the end of an attempt into an incident, or into a wait for a person. */
async function afterAttempt(state: StreamState): Promise<void> {
  const { end } = state.attempt;
  if (end === null || end.ended === 'cancelled' || end.ended === 'takenOver' || end.ended === 'shutdown') return;
  await state.incident({
    type: end.type,
    open: true,
    cause: end.cause,
    ...(end.ended === 'halted' && end.remedy !== null ? { remedy: end.remedy } : {}),
  });
  if (end.ended === 'halted') {
    const seen = state.resumes;
    await condition(() => state.resumes !== seen);
    await state.incident({ type: end.type, open: false });
  }
}

/** A lost attempt's last heartbeat comes with its time-out. */
function lastMirror(error: unknown): MirroredStage | null {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  const last =
    cause instanceof TimeoutFailure ? (cause.lastHeartbeatDetails as Partial<AttemptProgress> | undefined) : undefined;
  return last?.stageId && last.resolved ? { stageId: last.stageId, resolved: last.resolved } : null;
}

function carry(state: StreamState): StreamCarried {
  const { status, hostLost, paused, restingSince, resumes, renew, mirrored, ensured, protectedAt, backoffMs } = state;
  const openIncidents = state.openIncidents();
  return {
    status,
    hostLost,
    paused,
    restingSince,
    resumes,
    renew,
    mirrored,
    ensured,
    protectedAt,
    backoffMs,
    openIncidents,
  };
}

function openState(args: StreamArgs): StreamState {
  const run = getExternalWorkflowHandle(args.run);
  // A run of an earlier release carried less.
  const { status: reported, openIncidents, ...carried } = { ...NOTHING_CARRIED, ...args.carried };
  const open = new Set<FailureType>(openIncidents);
  const status: StreamState['status'] = {
    stream: args.run,
    ...(isPull(args) ? { intake: 'pull' as const } : {}),
    host: null,
    jobId: null,
    jobStatus: null,
    incarnation: 0,
    delivered: null,
    applied: null,
    lagMs: null,
    attempts: 0,
    ...reported,
  };
  const state: StreamState = {
    ...carried,
    // The phase prepare has protected it a moment ago.
    protectedAt: carried.protectedAt ?? Date.now(),
    args,
    status,
    attempt: { token: '', listening: null, troubles: new Set(), end: null },
    proofs: 0,
    async say() {
      const feed = isPull(args)
        ? `changefeed without a sink (${status.jobStatus ?? 'unknown'})`
        : `changefeed job ${status.jobId ?? 'none yet'} (${status.jobStatus ?? 'unknown'})`;
      setCurrentDetails(
        `${feed}, incarnation ${status.incarnation}, applied ${status.applied ?? 'nothing yet'}, host ${status.host ?? 'none yet'}`,
      );
      await run.signal(streamStatusSignal, { ...status });
    },
    async incident(word) {
      // Closing what is not open would only fill the history.
      if (!word.open && !open.delete(word.type)) return;
      if (word.open) open.add(word.type);
      await run.signal(incidentSignal, word);
    },
    openIncidents: () => [...open],
  };
  // The token is the attempt's identity: a late word of an older one, or one after the end, is of no use (protocol rule 38).
  const isCurrent = ({ token }: { readonly token: string }): boolean =>
    token === state.attempt.token && state.attempt.end === null;
  setHandler(listeningSignal, async (word) => {
    if (!isCurrent(word)) return;
    state.attempt.listening = word;
    // An attempt that died in it did not take it back; this one says it again where it goes on.
    await state.incident({ type: 'Stage.OverBudget', open: false });
  });
  setHandler(deliveredSignal, async (word) => {
    if (!isCurrent(word)) return;
    status.delivered = word.resolved;
    state.proofs += 1;
    for (const type of ENDED_BY_DELIVERY) await state.incident({ type, open: false });
    await state.say();
  });
  setHandler(troubleSignal, async (word) => {
    if (!isCurrent(word)) return;
    const { type, cause } = word;
    // The others are no states of the attempt that a watch could know better.
    if (type === 'Target.Unavailable' || type === 'Source.Unavailable') {
      if (cause === null) state.attempt.troubles.delete(type);
      else state.attempt.troubles.add(type);
    }
    await state.incident(cause === null ? { type, open: false } : { type, open: true, cause });
  });
  setHandler(streamPauseSignal, () => {
    state.paused = true;
    state.restingSince ??= Date.now();
  });
  setHandler(streamResumeSignal, async () => {
    state.paused = false;
    state.restingSince = null;
    state.resumes += 1;
    await state.incident({ type: 'Changefeed.LateRows', open: false });
  });
  return state;
}
