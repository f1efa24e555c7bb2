import { setTimeout as delay } from 'node:timers/promises';
import type { ChangefeedOptions } from '../domain/changefeed-options.js';
import type { Hlc } from '../domain/hlc.js';
import type { TableName } from '../domain/table.js';
import { buildCreateChangefeed } from './changefeed-statement.js';
import type { Cockroach } from './client.js';
import { CockroachError } from './errors.js';
import { cancelWhere, type WaitOptions } from './job-control.js';
import { isLive, isWanted, listStreamJobs, type ChangefeedJob } from './jobs.js';
import { onlyValue } from './rows.js';

export interface WantedChangefeed {
  readonly stream: string;
  /** n (protocol rule A); the sink URL names the same. */
  readonly incarnation: number;
  readonly tables: readonly TableName[];
  /** Of `buildSinkUrl`. */
  readonly sinkUrl: string;
  readonly cursor: Hlc;
  readonly options: ChangefeedOptions;
  readonly authHeader?: string;
  /** CREATE CHANGEFEED may take so long to answer. Default 60,000. */
  readonly createTimeoutMs?: number;
  /** After an answer that was lost, a job that committed late is looked for during so long. Default 3,000. */
  readonly lateCommitMs?: number;
}

export interface EnsuredChangefeed {
  readonly jobId: string;
  /** False: a live job of this incarnation was there, or one whose answer had been lost was found. */
  readonly created: boolean;
  /** Surplus jobs of this incarnation that were cancelled. */
  readonly cancelled: readonly string[];
}

/** A newer incarnation of the stream is live: whoever asks for this one has been overtaken. */
export class SupersededIncarnationError extends Error {
  constructor(
    readonly stream: string,
    readonly incarnation: number,
    readonly live: { readonly jobId: string; readonly incarnation: number },
  ) {
    super(
      `incarnation ${incarnation} of stream ${stream} is not created: job ${live.jobId} of incarnation ${live.incarnation} is live`,
    );
    this.name = 'SupersededIncarnationError';
  }
}

/**
 * Makes sure that exactly one wanted job of the stream's incarnation is there. All live jobs are listed first; one of this incarnation is kept
 * and its surplus cancelled; a CREATE whose answer was lost is looked for before it counts as failed (protocol rule 6). Lower incarnations are left
 * alone: they are cancelled afterwards (protocol rule D, step 5).
 * @throws SupersededIncarnationError, CockroachError
 */
export async function ensureChangefeed(
  cockroach: Cockroach,
  wanted: WantedChangefeed,
  options: WaitOptions = {},
): Promise<EnsuredChangefeed> {
  const found = await findKept(cockroach, wanted, options.signal);
  if (!found) {
    try {
      const jobId = await create(cockroach, wanted, options.signal);
      return { jobId, created: true, cancelled: [] };
    } catch (cause) {
      if (!isAnswerLost(cause)) throw cause;
      const late = await awaitLateCommit(cockroach, wanted, options.signal);
      if (!late) throw cause;
      return { jobId: late.jobId, created: false, cancelled: await cancelSurplus(cockroach, wanted, late, options) };
    }
  }
  return { jobId: found.jobId, created: false, cancelled: await cancelSurplus(cockroach, wanted, found, options) };
}

export interface SettledJobs {
  /** The live job of the incarnation; null when there is none, and then nothing lower was cancelled either. */
  readonly kept: ChangefeedJob | null;
  readonly cancelled: readonly string[];
}

/**
 * What every health poll does: keeps one live job of the incarnation, cancels its surplus and everything lower, never a higher one
 * (protocol rule 6). Nothing is cancelled while no job of the incarnation lives: n is there before n-1 goes (protocol rule 3).
 * @throws SupersededIncarnationError, CockroachError
 */
export async function settleJobs(
  cockroach: Cockroach,
  { stream, incarnation }: { readonly stream: string; readonly incarnation: number },
  options: WaitOptions = {},
): Promise<SettledJobs> {
  const kept = chooseKept(await listStreamJobs(cockroach, stream, options.signal), { stream, incarnation });
  if (!kept) return { kept, cancelled: [] };
  const doomed = (job: ChangefeedJob) => (job.incarnation ?? 0) <= incarnation && job.jobId !== kept.jobId;
  return { kept, cancelled: await cancelWhere(cockroach, stream, doomed, options) };
}

/**
 * The one job of an incarnation that is kept, whoever asks: one that runs before one that rests, then the oldest. Pure.
 * @throws SupersededIncarnationError when a higher incarnation is live
 */
export function chooseKept(
  jobs: readonly ChangefeedJob[],
  { stream, incarnation }: { readonly stream: string; readonly incarnation: number },
): ChangefeedJob | null {
  const higher = jobs.find((job) => isLive(job) && (job.incarnation ?? 0) > incarnation);
  if (higher)
    throw new SupersededIncarnationError(stream, incarnation, {
      jobId: higher.jobId,
      incarnation: higher.incarnation ?? 0,
    });
  const candidates = jobs.filter((job) => isWanted(job) && job.incarnation === incarnation);
  const rests = (job: ChangefeedJob) => (job.status === 'paused' || job.status === 'pause-requested' ? 1 : 0);
  const [kept] = [...candidates].sort((a, b) => rests(a) - rests(b) || (BigInt(a.jobId) < BigInt(b.jobId) ? -1 : 1));
  return kept ?? null;
}

async function findKept(
  cockroach: Cockroach,
  wanted: WantedChangefeed,
  signal?: AbortSignal,
): Promise<ChangefeedJob | null> {
  return chooseKept(await listStreamJobs(cockroach, wanted.stream, signal), wanted);
}

function cancelSurplus(
  cockroach: Cockroach,
  wanted: WantedChangefeed,
  kept: ChangefeedJob,
  options: WaitOptions,
): Promise<readonly string[]> {
  return cancelWhere(
    cockroach,
    wanted.stream,
    (job) => job.incarnation === wanted.incarnation && job.jobId !== kept.jobId,
    options,
  );
}

async function create(cockroach: Cockroach, wanted: WantedChangefeed, signal?: AbortSignal): Promise<string> {
  const sql = buildCreateChangefeed({ ...wanted, version: cockroach.version });
  const rows = await cockroach.query(sql, [], {
    timeoutMs: wanted.createTimeoutMs ?? 60_000,
    ...(signal ? { signal } : {}),
  });
  return onlyValue(rows, 'job_id');
}

/** The statement may have committed: its answer did not come. */
function isAnswerLost(cause: unknown): boolean {
  return cause instanceof CockroachError && cause.retryable;
}

async function awaitLateCommit(
  cockroach: Cockroach,
  wanted: WantedChangefeed,
  signal?: AbortSignal,
): Promise<ChangefeedJob | null> {
  const deadline = performance.now() + (wanted.lateCommitMs ?? 3_000);
  for (;;) {
    const found = await findKept(cockroach, wanted, signal).catch((cause: unknown) => {
      if (cause instanceof CockroachError && cause.retryable) return null;
      throw cause;
    });
    if (found || performance.now() > deadline) return found;
    await delay(250, undefined, signal ? { signal } : {});
  }
}
