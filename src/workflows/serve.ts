import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { ListeningWord } from '../domain/attempt.js';
import { CHANGEFEED_INCIDENTS } from '../domain/changefeed-health.js';
import { formatDuration } from '../domain/duration.js';
import type { UnprotectedHistory } from '../domain/only-copy.js';
import type { StreamArgs } from '../domain/stream-args.js';
import type { StreamView } from '../domain/stream-view.js';
import { boundedActivities, watchingActivities } from './activity-proxies.js';
import { failureTypeOf, reasonOf } from './compensation.js';
import { historyIsLong } from './history.js';
import { insist, type Insistence } from './insist.js';
import { isPull, placeOf } from './runbook.js';
import type { StreamState } from './stream.js';

/** The history gets a roll-up at least so often. */
const ROLL_UP_MS = 3_600_000;

/** The attempt must make room for one of a new incarnation, it is over, or it has to hand over so that the stream can continue as new. */
export type ServeEnd = 'renew' | 'over' | 'handOver';

/** Stands by one attempt: from its word that it listens to its end. Returns once the attempt has ended or has to. */
export async function serve(state: StreamState): Promise<ServeEnd> {
  const { attempt, args } = state;
  const heard = (): boolean => attempt.listening !== null || attempt.end !== null;
  if (!(await condition(heard, args.input.limits.receiverStart))) {
    await state.incident({
      type: 'Receiver.Unreachable',
      open: true,
      cause: `no receiver of ${state.status.host ?? 'any host'} listens within ${args.input.limits.receiverStart} ms`,
    });
    await condition(heard);
    await state.incident({ type: 'Receiver.Unreachable', open: false });
  }
  if (attempt.listening === null) return 'over';
  while (attempt.end === null) {
    const word: ListeningWord = attempt.listening;
    const end = await whileItHolds(state, word);
    if (end !== 'over') return end;
  }
  return 'over';
}

/** Serves one word of the attempt; a later one says that it has bound a new incarnation by itself. */
async function whileItHolds(state: StreamState, word: ListeningWord): Promise<ServeEnd> {
  const { attempt, status } = state;
  Object.assign(status, { host: word.host, reached: false, incarnation: word.incarnation, applied: word.applied });
  if (!word.stageKept) status.delivered = null;
  state.renew = false;
  await state.say();

  const scope = new CancellationScope();
  const handsOver = (): boolean => attempt.end === null && historyIsLong(state.args);
  const over = (): boolean => attempt.end !== null || attempt.listening !== word || handsOver();
  const watching = condition(over).then(() => scope.cancel());
  watching.catch(() => undefined);
  try {
    await scope.run(() => keep(state, word));
    return 'renew';
  } catch (error) {
    if (isCancellation(error)) {
      // Our own cancellation, because the word no longer holds; the stream's own goes on.
      if (!over()) throw error;
      return handsOver() ? 'handOver' : 'over';
    }
    // The next attempt begins with a takeover, which puts right what can be put right.
    await state.incident({ type: failureTypeOf(error) ?? 'Internal.Defect', open: true, cause: reasonOf(error) });
    return 'renew';
  } finally {
    scope.cancel();
  }
}

/** A stream never gives up by itself: what is refused waits for a person. */
export function patience(state: StreamState): Insistence {
  return { incident: (word) => state.incident(word), resumes: () => state.resumes, refused: 'awaitResume' };
}

/** Keeps exactly one healthy changefeed for the incarnation; returns when a new incarnation is needed. */
async function keep(state: StreamState, word: ListeningWord): Promise<void> {
  const { args, status } = state;
  const place = placeOf(args);
  // With `pull` nobody has to reach us.
  if (!isPull(args))
    await insist(patience(state), () =>
      boundedActivities('prove the receiver through its advertised URL').proveReceiver({
        word,
        sinkPath: args.sinkPath,
        stream: args.run,
      }),
    );
  status.reached = true;
  await state.say();
  if (!isEnsured(state, word)) {
    // The pause may have been asked for while the attempt before ended. A paused stream is watched, too; its resume makes the changefeed.
    if (state.paused) await pauseFeed(state);
    else await ensureFeed(state, word);
  }

  let view: StreamView | null = null;
  let resumesSeen = state.resumes;
  for (;;) {
    const wasPaused = state.paused;
    const watch = new CancellationScope();
    const interrupted = condition(() => state.paused !== wasPaused || state.resumes !== resumesSeen).then(() =>
      watch.cancel(),
    );
    interrupted.catch(() => undefined);
    try {
      view = await watch.run(() =>
        watchingActivities('watch the changefeed and the checkpoint; returns on change', args.input).watchStream({
          place,
          stream: args.run,
          tables: args.plan.map((table) => table.source),
          incarnation: word.incarnation,
          receiverUrl: word.receiverUrl,
          ...(isPull(args) ? { intake: 'pull' as const } : {}),
          wanted: state.paused ? 'paused' : 'running',
          proven: status.delivered !== null,
          restingMs: state.restingSince === null ? 0 : Date.now() - state.restingSince,
          known: view,
          everyMs: args.input.limits.healthEvery,
          stallAfterMs: args.input.limits.stallAfter,
          maxLagMs: args.input.limits.maxLag,
          atMostMs: rollUpMs(args),
        }),
      );
    } catch (error) {
      if (!isCancellation(error) || (state.paused === wasPaused && state.resumes === resumesSeen)) throw error;
    } finally {
      watch.cancel();
    }
    if (state.paused && !wasPaused) {
      await pauseFeed(state);
    } else if (state.resumes !== resumesSeen) {
      resumesSeen = state.resumes;
      await ensureFeed(state, word);
    } else if (view !== null) {
      status.jobStatus = view.jobStatus;
    }
    if (view !== null) {
      // What was done to the job since the last look is newer than what was seen.
      view = { ...view, jobStatus: status.jobStatus ?? view.jobStatus };
      Object.assign(status, { jobId: view.jobId, jobStatus: view.jobStatus, applied: view.applied, lagMs: view.lagMs });
      status.deadLetters = view.deadLetters?.count ?? 0;
      await state.say();
      if (await needsNewIncarnation(state, view, word)) return;
    }
  }
}

async function ensureFeed(state: StreamState, word: ListeningWord): Promise<void> {
  if (isPull(state.args)) await wantFeed(state, word, true);
  else await ensureJob(state, word);
}

async function pauseFeed(state: StreamState): Promise<void> {
  if (isPull(state.args)) await wantFeed(state, null, false);
  else await pauseJob(state);
}

/** With `pull` it is the attempt that opens and ends the feed: it reads in its row what is wanted (protocol rule 6). */
async function wantFeed(state: StreamState, word: ListeningWord | null, wanted: boolean): Promise<void> {
  const { args, status } = state;
  let { resumes } = state;
  await insist(patience(state), () => {
    ({ resumes } = state);
    return boundedActivities(wanted ? 'read the changefeed' : 'read no changefeed').wantFeed({
      place: placeOf(args),
      stream: args.run,
      wanted,
    });
  });
  if (word !== null) state.ensured = { incarnation: word.incarnation, resumes };
  status.jobStatus = wanted ? 'reading' : 'paused';
  await state.say();
}

/** Creates the changefeed of the incarnation unless a live job of it exists, resumes it where it rests, then cancels those of lower ones. */
async function ensureJob(state: StreamState, word: ListeningWord): Promise<void> {
  const { args, status } = state;
  let { resumes } = state;
  const job = await insist(patience(state), () => {
    ({ resumes } = state);
    return boundedActivities('one changefeed for this incarnation, none for lower ones').ensureChangefeed({
      place: placeOf(args),
      stream: args.run,
      word,
      plan: args.plan,
      sinkPath: args.sinkPath,
      options: args.input.changefeed,
      createTimeoutMs: args.input.limits.createChangefeed,
    });
  });
  state.ensured = { incarnation: word.incarnation, resumes };
  Object.assign(status, { jobId: job.jobId, jobStatus: job.status });
  await state.say();
}

/** Whether the attempt before has handed this changefeed over, and nobody has asked for a resume since. */
function isEnsured({ args, ensured, resumes, paused }: StreamState, { incarnation }: ListeningWord): boolean {
  if (ensured?.resumes !== resumes) return false;
  // With `pull` each connection is an incarnation, and the row wants them all; a pause may have been cut off by the last one's end.
  return isPull(args) ? !paused : ensured.incarnation === incarnation;
}

async function pauseJob(state: StreamState): Promise<void> {
  const { args } = state;
  await insist(patience(state), () =>
    boundedActivities('PAUSE JOB').pauseChangefeed({ place: placeOf(args), stream: args.run }),
  );
  state.status.jobStatus = 'paused';
}

/** Makes the view's findings incidents, and does what can be done about them. True: this incarnation is over. */
async function needsNewIncarnation(state: StreamState, view: StreamView, word: ListeningWord): Promise<boolean> {
  for (const type of ['Source.Unavailable', 'Target.Unavailable'] as const) {
    if (view.trouble?.type === type) await state.incident({ type, open: true, cause: view.trouble.cause });
    // Whoever watches may reach the target while the attempt cannot write there: only the attempt takes back its word.
    else if (!state.attempt.troubles.has(type)) await state.incident({ type, open: false });
  }
  await state.incident(
    view.lagging
      ? { type: 'Lag.TooHigh', open: true, cause: `the target is ${formatDuration(view.lagMs)} behind` }
      : { type: 'Lag.TooHigh', open: false },
  );
  await state.incident(
    view.onlyCopy
      ? { type: 'Stage.OnlyCopy', open: true, cause: onlyCopyCause(view.lagMs, view.onlyCopy) }
      : { type: 'Stage.OnlyCopy', open: false },
  );
  await state.incident(
    view.deadLetters
      ? { type: 'Target.DeadLetters', open: true, cause: view.deadLetters.cause }
      : { type: 'Target.DeadLetters', open: false },
  );
  for (const type of CHANGEFEED_INCIDENTS) {
    await state.incident(view.incident === type ? { type, open: true, cause: view.cause } : { type, open: false });
  }
  switch (view.action) {
    case 'none':
    case 'wait':
      return false;
    case 'pause':
      await pauseFeed(state);
      return false;
    case 'resume':
      await ensureFeed(state, word);
      return false;
    case 'recreate':
      state.renew = true;
      return true;
    case 'ask':
    case 'recreateWithoutTable': {
      // A resume of a job that rests is carried out by the watch; what has no history left, or no table, begins anew.
      if (view.incident === 'Changefeed.JobPaused' || view.incident === 'Changefeed.PauseTooLong') return false;
      const seen = state.resumes;
      await condition(() => state.resumes !== seen);
      state.renew = true;
      return true;
    }
  }
}

function onlyCopyCause(lagMs: number, { object, ttlMs }: UnprotectedHistory): string {
  return `the checkpoint is ${formatDuration(lagMs)} old, and the source keeps the history of ${object} for ${formatDuration(ttlMs)} (gc.ttlseconds)`;
}

/** How often the history gets a line although nothing has changed: hourly, and often enough to keep history protected. */
export function rollUpMs({ input }: StreamArgs): number {
  return Math.min(ROLL_UP_MS, input.limits.outage / 4);
}
