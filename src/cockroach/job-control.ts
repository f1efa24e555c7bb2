import { setTimeout as delay } from 'node:timers/promises';
import { LIFE_OF_STATUS } from '../domain/changefeed-health.js';
import type { Cockroach } from './client.js';
import { CockroachError } from './errors.js';
import { checkedJobId, isLive, listStreamJobs, observeJob, type ChangefeedJob } from './jobs.js';

export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** Default 60,000. */
  readonly timeoutMs?: number;
  /** Default 250. */
  readonly pollMs?: number;
}

/** A job did not reach the state asked for. */
export class JobStateError extends Error {
  constructor(
    readonly jobId: string,
    /** Null: CockroachDB lists no such job. */
    readonly status: string | null,
    wanted: string,
  ) {
    super(
      `changefeed job ${jobId} is ${status ?? 'not listed'} and cannot be ${wanted}: see SHOW CHANGEFEED JOB ${jobId}`,
    );
    this.name = 'JobStateError';
  }
}

/** Jobs that were still not terminal when the time was up. */
export class JobsStillLiveError extends Error {
  constructor(readonly jobs: readonly { readonly jobId: string; readonly status: string }[]) {
    super(
      `cancelled, but not ended in time: ${jobs.map((job) => `job ${job.jobId} is ${job.status}`).join(', ')}. It is tried again; see SHOW CHANGEFEED JOBS.`,
    );
    this.name = 'JobsStillLiveError';
  }
}

/** Pauses a job and waits until it rests; one that rests already is fine. @throws JobStateError, CockroachError */
export async function pauseJob(cockroach: Cockroach, jobId: string, options: WaitOptions = {}): Promise<ChangefeedJob> {
  return settle(cockroach, jobId, options, 'paused', (job) => {
    if (job.status === 'paused') return 'done';
    return LIFE_OF_STATUS[job.status] === 'alive' ? `PAUSE JOB ${checkedJobId(jobId)}` : 'wait';
  });
}

/** Resumes a job and waits until it runs; one that runs already is fine. @throws JobStateError, CockroachError */
export async function resumeJob(
  cockroach: Cockroach,
  jobId: string,
  options: WaitOptions = {},
): Promise<ChangefeedJob> {
  return settle(cockroach, jobId, options, 'resumed', (job) => {
    if (job.status === 'running') return 'done';
    return job.status === 'paused' ? `RESUME JOB ${checkedJobId(jobId)}` : 'wait';
  });
}

/**
 * Cancels every live job of the stream that `doomed` picks, and waits until each is terminal; jobs that turn up meanwhile are listed again
 * each time and cancelled too (protocol rule 6).
 * @returns the ids of the jobs cancelled by this call
 * @throws JobsStillLiveError, CockroachError
 */
export async function cancelWhere(
  cockroach: Cockroach,
  stream: string,
  doomed: (job: ChangefeedJob) => boolean,
  options: WaitOptions = {},
): Promise<readonly string[]> {
  const cancelled: string[] = [];
  const deadline = performance.now() + (options.timeoutMs ?? 60_000);
  for (;;) {
    const live = (await listStreamJobs(cockroach, stream, options.signal)).filter((job) => isLive(job) && doomed(job));
    if (live.length === 0) return cancelled;
    for (const job of live) {
      if (LIFE_OF_STATUS[job.status] === 'dying') continue;
      if (await tryControl(cockroach, `CANCEL JOB ${checkedJobId(job.jobId)}`)) cancelled.push(job.jobId);
    }
    if (performance.now() > deadline) throw new JobsStillLiveError(live);
    await delay(options.pollMs ?? 250, undefined, options.signal ? { signal: options.signal } : {});
  }
}

/** Cancels the jobs of incarnations below `incarnation` and waits until they are terminal (protocol rule D, step 5); never a higher one. */
export function cancelLower(
  cockroach: Cockroach,
  { stream, incarnation }: { readonly stream: string; readonly incarnation: number },
  options?: WaitOptions,
): Promise<readonly string[]> {
  return cancelWhere(cockroach, stream, (job) => (job.incarnation ?? 0) < incarnation, options);
}

/** Cancels every job of the stream and waits until all are terminal. "No feed is wanted" must be recorded before (protocol rule 6). */
export function cancelAll(
  cockroach: Cockroach,
  { stream }: { readonly stream: string },
  options?: WaitOptions,
): Promise<readonly string[]> {
  return cancelWhere(cockroach, stream, () => true, options);
}

type Step = 'done' | 'wait' | `${'PAUSE' | 'RESUME'} JOB ${string}`;

async function settle(
  cockroach: Cockroach,
  jobId: string,
  options: WaitOptions,
  wanted: string,
  next: (job: ChangefeedJob) => Step,
): Promise<ChangefeedJob> {
  const deadline = performance.now() + (options.timeoutMs ?? 60_000);
  for (;;) {
    const job = await observeJob(cockroach, jobId, options.signal);
    const life = job ? LIFE_OF_STATUS[job.status] : 'ended';
    if (!job || life === 'ended' || life === 'dying') throw new JobStateError(jobId, job?.status ?? null, wanted);
    const step = next(job);
    if (step === 'done') return job;
    if (step !== 'wait') await tryControl(cockroach, step);
    if (performance.now() > deadline) throw new JobStateError(jobId, job.status, `${wanted} in time`);
    await delay(options.pollMs ?? 250, undefined, options.signal ? { signal: options.signal } : {});
  }
}

/** Runs a job statement; false when the job has moved on by itself meanwhile, which the next look will show. */
async function tryControl(cockroach: Cockroach, sql: string): Promise<boolean> {
  try {
    await cockroach.query(sql);
    return true;
  } catch (cause) {
    if (cause instanceof CockroachError && (cause.kind === 'jobStateRefused' || cause.kind === 'jobMissing'))
      return false;
    throw cause;
  }
}
