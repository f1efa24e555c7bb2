import type { Hlc } from './hlc.js';

/** CockroachDB's words for a job's status, verbatim. */
export const JOB_STATUSES = [
  'pending',
  'running',
  'retry-running',
  'pause-requested',
  'paused',
  'cancel-requested',
  'reverting',
  'retry-reverting',
  'revert-failed',
  'canceled',
  'failed',
  'succeeded',
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** How far along its life a job is. `dying`: it will end by itself. */
export const LIFE_OF_STATUS = {
  pending: 'alive',
  running: 'alive',
  'retry-running': 'alive',
  'pause-requested': 'resting',
  paused: 'resting',
  'cancel-requested': 'dying',
  reverting: 'dying',
  'retry-reverting': 'dying',
  'revert-failed': 'ended',
  canceled: 'ended',
  failed: 'ended',
  succeeded: 'ended',
} as const satisfies Record<JobStatus, 'alive' | 'resting' | 'dying' | 'ended'>;

export function isJobStatus(text: string): text is JobStatus {
  return Object.hasOwn(LIFE_OF_STATUS, text);
}

/** What CockroachDB says about a changefeed job. Holds no secret. */
export interface JobFacts {
  readonly jobId: string;
  readonly status: JobStatus;
  /** n of the sink URL; null when the job is not of a stream. */
  readonly incarnation: number | null;
  /** H: the job's persisted progress. It may be ahead of every resolved timestamp that we hold. */
  readonly highWater: Hlc | null;
  /** CockroachDB's own words, up to a minute old; redacted. */
  readonly runningStatus: string;
  readonly error: string;
  readonly fullTableNames: readonly string[];
}

/** What the receiver knows about the deliveries of the current incarnation. */
export interface DeliveryFacts {
  /** A resolved timestamp of this incarnation is durably staged: the only proof that the changefeed delivers. */
  readonly proven: boolean;
  /** Milliseconds since the last advance of the resolved timestamp, or since the changefeed was created. Measured by one clock. */
  readonly sinceAdvanceMs: number;
}

export interface HealthInput {
  /** Null: CockroachDB lists no such job. */
  readonly job: JobFacts | null;
  readonly delivery: DeliveryFacts;
  /** `host:port` that the job posts to when that is not the receiver of the attempt: its stage has come to another host. Null: it is. */
  readonly sendsElsewhere: string | null;
  /** What the runbook wants of the changefeed now. `gone`: it is being ended (protocol rule 6). */
  readonly wanted: 'running' | 'paused' | 'gone';
  /** Milliseconds without an advance after which the stream counts as stalled. */
  readonly stallAfterMs: number;
  /** Milliseconds for which the job has been resting; 0 when it is not. */
  readonly restingMs: number;
  /** `changefeed.protect_timestamp.max_age` in milliseconds: a pause must end before (protocol rule 5). 0: for ever; null: not known. */
  readonly protectionMaxAgeMs: number | null;
}

export const CHANGEFEED_INCIDENTS = [
  'Changefeed.JobPaused',
  'Changefeed.JobFailed',
  'Changefeed.JobGone',
  'Changefeed.SendsElsewhere',
  'Changefeed.Stalled',
  'Changefeed.PauseTooLong',
  'Changefeed.TableTruncated',
  'Changefeed.TableDropped',
  'Cursor.TooOld',
] as const;
export type ChangefeedIncident = (typeof CHANGEFEED_INCIDENTS)[number];

/**
 * What the stream does about it: `none`; `wait` (it settles by itself); `pause` and `resume` the job; `recreate` it as n+1 at the checkpoint;
 * `recreateWithoutTable` (protocol rule 7); `ask` a person.
 */
export type HealthAction = 'none' | 'wait' | 'pause' | 'resume' | 'recreate' | 'recreateWithoutTable' | 'ask';

export interface HealthVerdict {
  readonly healthy: boolean;
  readonly incident: ChangefeedIncident | null;
  /** For people: what was found. Holds no secret and no row value. */
  readonly cause: string;
  readonly action: HealthAction;
}

type Judge = (input: HealthInput, job: JobFacts) => HealthVerdict;
type Life = (typeof LIFE_OF_STATUS)[JobStatus];

/** Total: a pair that nobody has thought of does not compile. */
const JUDGES: Record<HealthInput['wanted'], Record<Life, Judge>> = {
  running: { alive: judgeDelivery, resting: judgeRest, dying: judgeEnd, ended: judgeEnd },
  paused: { alive: settling('pause'), resting: judgeWantedRest, dying: judgeEnd, ended: judgeEnd },
  gone: { alive: settling('wait'), resting: settling('wait'), dying: settling('wait'), ended: () => well('none') },
};

/** Judges a stream's changefeed. Pure. */
export function judgeChangefeed(input: HealthInput): HealthVerdict {
  if (input.job) return JUDGES[input.wanted][LIFE_OF_STATUS[input.job.status]](input, input.job);
  // One that is to rest need not be there: the resume makes it.
  if (input.wanted !== 'running') return well('none');
  return ill('Changefeed.JobGone', 'CockroachDB lists no job of this stream', 'recreate');
}

/** Judges a stream that reads its changefeed itself: there is no job, and what has to be done about the connection the attempt does. Pure. */
export function judgePulled({
  delivery,
  wanted,
  stallAfterMs,
}: Pick<HealthInput, 'delivery' | 'wanted' | 'stallAfterMs'>): HealthVerdict {
  if (wanted !== 'running') return well('none');
  if (delivery.sinceAdvanceMs <= stallAfterMs) return well(delivery.proven ? 'none' : 'wait');
  const cause = `${whatIsMissing(delivery)} has arrived for ${Math.round(delivery.sinceAdvanceMs / 1_000)} s over the connection to the source; the log of the worker says what becomes of it`;
  return ill('Changefeed.Stalled', cause, 'wait');
}

function whatIsMissing({ proven }: DeliveryFacts): string {
  return proven ? 'no resolved timestamp' : 'nothing at all';
}

function judgeDelivery(input: HealthInput, job: JobFacts): HealthVerdict {
  // Nothing can arrive: a kept stage keeps its incarnation, and with it a job that was made for the host before.
  if (input.sendsElsewhere !== null)
    return ill(
      'Changefeed.SendsElsewhere',
      `job ${job.jobId} sends to ${input.sendsElsewhere}, which is not the receiver of this host`,
      'recreate',
    );
  if (input.delivery.sinceAdvanceMs <= input.stallAfterMs) return well(input.delivery.proven ? 'none' : 'wait');
  const words = job.runningStatus === '' ? 'says nothing' : `says "${job.runningStatus}"`;
  return ill(
    'Changefeed.Stalled',
    `${whatIsMissing(input.delivery)} has arrived for ${Math.round(input.delivery.sinceAdvanceMs / 1_000)} s; job ${job.jobId} is ${job.status} and ${words}`,
    'wait',
  );
}

/** It rests and nobody here asked for it: a person's pause, or an error under on_error = 'pause' (protocol rule 5). */
function judgeRest(input: HealthInput, job: JobFacts): HealthVerdict {
  return judgeError(job) ?? judgePauseLength(input, job) ?? restOf(job);
}

function restOf(job: JobFacts): HealthVerdict {
  const reason = errorText(job);
  if (reason === '')
    return ill('Changefeed.JobPaused', `job ${job.jobId} is ${job.status}, and not by this run`, 'ask');
  return ill('Changefeed.JobFailed', `job ${job.jobId} was paused by an error: ${reason}`, 'recreate');
}

function judgeWantedRest(input: HealthInput, job: JobFacts): HealthVerdict {
  return judgePauseLength(input, job) ?? well('none');
}

/** Past the maximum age CockroachDB gives the job up, and with it the history that a resume needs. */
function judgePauseLength(input: HealthInput, job: JobFacts): HealthVerdict | null {
  const maxAgeMs = input.protectionMaxAgeMs ?? 0;
  if (maxAgeMs === 0 || input.restingMs * 2 < maxAgeMs) return null;
  const hours = (ms: number) => `${Math.round(ms / 360_000) / 10} h`;
  return ill(
    'Changefeed.PauseTooLong',
    `job ${job.jobId} has been ${job.status} for ${hours(input.restingMs)}; CockroachDB keeps its history for ${hours(maxAgeMs)}`,
    'ask',
  );
}

function judgeEnd(_input: HealthInput, job: JobFacts): HealthVerdict {
  const reason = errorText(job);
  const said = reason === '' ? '' : `: ${reason}`;
  return (
    judgeError(job) ??
    (job.status === 'failed'
      ? ill('Changefeed.JobFailed', `job ${job.jobId} has failed${said}`, 'recreate')
      : ill('Changefeed.JobGone', `job ${job.jobId} is ${job.status}${said}`, 'recreate'))
  );
}

/** Errors that another changefeed from the same place would meet again. */
const LASTING: readonly (readonly [RegExp, ChangefeedIncident, HealthAction])[] = [
  [/must be after replica GC threshold/, 'Cursor.TooOld', 'ask'],
  [/"[^"]*" was truncated/, 'Changefeed.TableTruncated', 'recreateWithoutTable'],
  [/"[^"]*" was dropped|descriptor is being dropped/, 'Changefeed.TableDropped', 'ask'],
];

function judgeError(job: JobFacts): HealthVerdict | null {
  const text = errorText(job);
  const known = LASTING.find(([pattern]) => pattern.test(text));
  return known ? ill(known[1], `job ${job.jobId} is ${job.status}: ${text}`, known[2]) : null;
}

/** A job paused by an error keeps its words in the running status, and its error column empty. */
function errorText(job: JobFacts): string {
  if (job.error !== '') return job.error;
  const paused = /^job failed \((.*)\) but is being paused because of on_error=/s.exec(job.runningStatus);
  return paused?.[1] ?? '';
}

function settling(action: 'pause' | 'wait'): Judge {
  return (_input, job) => ({ healthy: true, incident: null, cause: `job ${job.jobId} is still ${job.status}`, action });
}

function well(action: 'none' | 'wait'): HealthVerdict {
  return { healthy: true, incident: null, cause: '', action };
}

function ill(incident: ChangefeedIncident, cause: string, action: HealthAction): HealthVerdict {
  return { healthy: false, incident, cause, action };
}
