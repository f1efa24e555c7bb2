import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { readMoment } from './clock.js';
import { hasOption } from './definition.js';
import { resolvedMessage } from './encode.js';
import { argument, seededRandom, standing, tuned, useUp, type Faults, type Tuning } from './faults.js';
import { TerminalFeedError } from './feed-error.js';
import { runFlow } from './flow.js';
import { hlcProse } from './hlc.js';
import type { JobStore, StoredJob } from './job-store.js';
import { openWebhook } from './webhook.js';

export interface RunnerOptions {
  readonly pool: pg.Pool;
  readonly jobs: JobStore;
  readonly jobId: string;
  readonly tuning: Tuning;
  readonly signal: AbortSignal;
}

/** Somebody asked for a pause or an end: the engine carries it out. */
class JobNoLongerRunning extends Error {}

const FIRST_RESTART_MS = 5;
const LONGEST_RESTART_MS = 10_000;

/**
 * Runs one changefeed job until it is told to stop, has failed or has done all it was asked: flow after flow, each from the
 * high-water that the one before it kept. Leaves the job's row as CockroachDB would; never throws.
 */
export async function runJob({ pool, jobs, jobId, tuning, signal }: RunnerOptions): Promise<void> {
  let restartMs = FIRST_RESTART_MS;
  let retryStatusAt = -Infinity;
  while (!signal.aborted) {
    const { faults } = await readMoment(pool);
    let now = tuned(tuning, faults);
    const job = await jobs.load(jobId);
    try {
      await runOnce(job, faults, now);
      await jobs.move(jobId, 'running', 'succeeded', { finished: true, runningStatus: '' });
      return;
    } catch (error) {
      if (signal.aborted || error instanceof JobNoLongerRunning) return;
      const text = (error as Error).message;
      if (error instanceof TerminalFeedError) {
        await fail(job, text);
        return;
      }
      now = tuned(tuning, (await readMoment(pool)).faults);
      if (performance.now() - retryStatusAt >= now.statusEveryMs) {
        retryStatusAt = performance.now();
        await jobs.setRunningStatus(jobId, `retryable error: retryable changefeed error: ${text}`);
      }
    }
    await delay(restartMs * now.backoffScale, undefined, { signal }).catch(() => undefined);
    restartMs = Math.min(restartMs * 2, LONGEST_RESTART_MS);
  }

  async function runOnce(job: StoredJob, faults: Faults, now: Tuning): Promise<void> {
    const { definition, highWater } = job;
    let standingFaults = faults;
    let statusEveryMs = now.statusEveryMs;
    let statusAt = -Infinity;
    const sink = openWebhook(
      job,
      now,
      signal,
      deliver(jobId, () => standingFaults, signal),
    );
    try {
      await runFlow(
        {
          emit: (row) => sink.emit(row),
          flush: () => sink.flush(),
          async checkpoint(resolved, tell) {
            // The order is CockroachDB's: a message lost after this line never comes again.
            if (!(await jobs.keepHighWater(jobId, resolved))) throw new JobNoLongerRunning();
            restartMs = FIRST_RESTART_MS;
            if (performance.now() - statusAt >= statusEveryMs) {
              statusAt = performance.now();
              await jobs.setRunningStatus(jobId, `running: resolved=${hlcProse(resolved)}`);
            }
            if (!tell) return;
            if (standing(standingFaults, 'feed_drop_resolved', jobId) && (await useUp(pool, 'feed_drop_resolved')))
              return;
            await sink.post(resolvedMessage(resolved));
          },
        },
        {
          pool,
          definition,
          style: 'compact',
          tuning,
          jobId,
          highWater,
          endsAtKeyChange: false,
          signal,
          onMoment(latest, latestTuning) {
            standingFaults = latest;
            statusEveryMs = latestTuning.statusEveryMs;
          },
        },
      );
    } finally {
      sink.close();
    }
  }

  async function fail({ definition }: StoredJob, text: string): Promise<void> {
    if (definition.options['on_error'] === 'pause') {
      const runningStatus = `job failed (${text}) but is being paused because of on_error=pause`;
      await jobs.move(jobId, 'running', 'pause-requested', { runningStatus });
      return;
    }
    await jobs.move(jobId, 'running', 'failed', { error: text, finished: true });
  }
}

/** What is done to a batch on its way: sent late, or twice. */
function deliver(jobId: string, faults: () => Faults, signal: AbortSignal): (body: string) => Promise<string[]> {
  let random: (() => number) | null = null;
  return async (body) => {
    const slow = standing(faults(), 'feed_slow', jobId);
    if (slow) await delay(argument(slow, 'ms', 100), undefined, { signal });
    const duplicate = standing(faults(), 'feed_duplicate', jobId);
    if (!duplicate) return [body];
    random ??= seededRandom(argument(duplicate, 'seed', 1));
    return random() < argument(duplicate, 'probability', 1) ? [body, body] : [body];
  };
}

/** The last words of a job that is already cancelled: rows since its high-water and one resolved message, nothing kept. */
export async function speakLastWords({ pool, jobs, jobId, tuning, signal }: RunnerOptions): Promise<void> {
  const { faults } = await readMoment(pool);
  if (!standing(faults, 'feed_last_words', jobId) || !(await useUp(pool, 'feed_last_words'))) return;
  const job = await jobs.load(jobId);
  const done = new AbortController();
  const sink = openWebhook(job, tuned(tuning, faults), signal);
  try {
    await runFlow(
      {
        emit: (row) => sink.emit(row),
        flush: () => sink.flush(),
        async checkpoint(resolved) {
          if (hasOption(job.definition.options, 'resolved')) await sink.post(resolvedMessage(resolved));
          done.abort();
        },
      },
      {
        pool,
        definition: { ...job.definition, options: { ...job.definition.options, min_checkpoint_frequency: '0s' } },
        style: 'compact',
        tuning: { ...tuning, closedTimestampLagMs: 0 },
        jobId,
        highWater: job.highWater,
        endsAtKeyChange: false,
        signal: AbortSignal.any([signal, done.signal]),
      },
    );
  } catch {
    // The flow ends by being aborted; and nobody asks a cancelled job whether it was heard.
  } finally {
    sink.close();
  }
}
