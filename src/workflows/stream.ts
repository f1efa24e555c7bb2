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
import type { AttemptEnd, AttemptProgress, ListeningWord } from '../domain/attempt.js';
import type { FailureType } from '../domain/failures.js';
import type { IncidentWord } from '../domain/incident.js';
import type { StreamStatus } from '../domain/status.js';
import type { StreamArgs, StreamCarried } from '../domain/stream-args.js';
import { hostActivities, quickActivities } from './activity-proxies.js';
import { failureTypeOf, reasonOf } from './compensation.js';
import {
  deliveredSignal,
  incidentSignal,
  listeningSignal,
  streamPauseSignal,
  streamResumeSignal,
  streamStatusSignal,
  troubleSignal,
} from './messages.js';
import { placeOf } from './runbook.js';
import { serve } from './serve.js';

/** Events after which a stream continues as new. Temporal's own suggestion comes only after thousands. */
const HISTORY_LIMIT = 2_000;
const FIRST_BACKOFF_MS = 500;
const LAST_BACKOFF_MS = 20_000;

/** What the attempt under way is known to have said. Reset for each attempt. */
export interface AttemptState {
  /** Random for each attempt: words of an older one are ignored (protocol rule 38). */
  token: string;
  listening: ListeningWord | null;
  /** What it says it is in, and retries by itself; null: nothing. */
  trouble: 'Target.Unavailable' | null;
  end: AttemptEnd | { readonly ended: 'failed'; readonly type: FailureType; readonly cause: string } | null;
}

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
  /** What the last heartbeat of an attempt that was lost said of its stage (protocol rule 15). */
  mirrored: { readonly stageId: string; readonly resolved: string } | null;
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
  let backoffMs = FIRST_BACKOFF_MS;
  for (;;) {
    state.proofs = 0;
    await attempt(state);
    // Only an attempt that was delivered to was of use: a changefeed that fails at once must not be made again and again without rest.
    if (state.proofs > 0) backoffMs = FIRST_BACKOFF_MS;
    await afterAttempt(state);
    if (workflowInfo().historyLength > HISTORY_LIMIT) {
      // Only here: the activity has ended, so nothing of it is handed over (protocol rule 37).
      await condition(allHandlersFinished);
      await continueAsNew<typeof stream>({ ...args, carried: carry(state) });
    }
    await sleep(backoffMs);
    backoffMs = Math.min(backoffMs * 2, LAST_BACKOFF_MS);
  }
}

/** One attempt from its start to its end, whichever way it ends. */
async function attempt(state: StreamState): Promise<void> {
  const { args, status } = state;
  const host = await chooseHost(state);
  status.attempts += 1;
  state.attempt.token = uuid4();
  state.attempt.listening = null;
  state.attempt.trouble = null;
  state.attempt.end = null;
  const scope = new CancellationScope();
  const renew = state.renew;
  const running = scope
    .run(() =>
      hostActivities(host, {
        heartbeatTimeoutMs: args.input.limits.heartbeatTimeout,
        hostGraceMs: args.input.limits.hostGrace,
      }).receiveAndApply({
        place: placeOf(args),
        stream: args.run,
        token: state.attempt.token,
        workflowId: workflowInfo().workflowId,
        plan: args.plan,
        targetDatabase: args.targetDatabase,
        targetSchema: args.targetSchema,
        enforcementOff: args.enforcementOff,
        apply: args.input.apply,
        renew,
        mirrored: state.mirrored,
      }),
    )
    .then(
      (end) => void (state.attempt.end = end),
      (error: unknown) => {
        if (isCancellation(error)) state.attempt.end = { ended: 'cancelled' };
        else state.attempt.end = { ended: 'failed', type: failureTypeOf(error) ?? 'Host.Lost', cause: reasonOf(error) };
        state.mirrored = lastMirror(error) ?? state.mirrored;
      },
    );
  try {
    await serve(state);
  } finally {
    scope.cancel();
    await CancellationScope.nonCancellable(() => running);
  }
}

/** The stage's own host first, for a grace time; then any host that answers. */
async function chooseHost(state: StreamState): Promise<string> {
  const own = state.status.host;
  const { end } = state.attempt;
  if (own !== null && !(end?.ended === 'failed' && end.type === 'Host.Lost' && state.attempt.listening === null))
    return own;
  return (await quickActivities('which host answers').whichHost({})).host;
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
function lastMirror(error: unknown): StreamState['mirrored'] {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  const last =
    cause instanceof TimeoutFailure ? (cause.lastHeartbeatDetails as Partial<AttemptProgress> | undefined) : undefined;
  return last?.stageId && last.resolved ? { stageId: last.stageId, resolved: last.resolved } : null;
}

function carry(state: StreamState): StreamCarried {
  return {
    host: state.status.host,
    attempts: state.status.attempts,
    paused: state.paused,
    restingSince: state.restingSince,
    delivered: state.status.delivered,
    openIncidents: state.openIncidents(),
  };
}

function openState(args: StreamArgs): StreamState {
  const run = getExternalWorkflowHandle(args.run);
  const { carried } = args;
  const open = new Set<FailureType>(carried.openIncidents);
  const status: StreamState['status'] = {
    stream: args.run,
    host: carried.host,
    jobId: null,
    jobStatus: null,
    incarnation: 0,
    delivered: carried.delivered,
    applied: null,
    lagMs: null,
    attempts: carried.attempts,
  };
  const state: StreamState = {
    args,
    status,
    attempt: { token: '', listening: null, trouble: null, end: null },
    paused: carried.paused,
    restingSince: carried.restingSince,
    resumes: 0,
    renew: false,
    proofs: 0,
    mirrored: null,
    async say() {
      setCurrentDetails(
        `changefeed job ${status.jobId ?? 'none yet'} (${status.jobStatus ?? 'unknown'}), incarnation ${status.incarnation}, applied ${status.applied ?? 'nothing yet'}, host ${status.host ?? 'none yet'}`,
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
  setHandler(listeningSignal, (word) => {
    // The token is the attempt's identity: a late word of an older one, or one after the end, is of no use (protocol rule 38).
    if (word.token === state.attempt.token && state.attempt.end === null) state.attempt.listening = word;
  });
  setHandler(deliveredSignal, async (word) => {
    if (word.token !== state.attempt.token) return;
    status.delivered = word.resolved;
    state.proofs += 1;
    for (const type of ['Changefeed.JobFailed', 'Changefeed.JobGone', 'Changefeed.Stalled', 'Host.Lost'] as const)
      await state.incident({ type, open: false });
    await state.say();
  });
  setHandler(troubleSignal, async ({ token, type, cause }) => {
    if (token !== state.attempt.token) return;
    // An alarm is no state of the attempt: it stays until a person signals resume.
    if (type !== 'Changefeed.LateRows') state.attempt.trouble = cause === null ? null : type;
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
