import { isJobStatus, LIFE_OF_STATUS, type JobFacts } from '../domain/changefeed-health.js';
import { parseHlc } from '../domain/hlc.js';
import type { ReceiverAddress } from '../domain/receiver-address.js';
import type { Cockroach, TextRow } from './client.js';
import { parseNameArray } from './quoting.js';
import { UnexpectedAnswerError, valueOf } from './rows.js';
import { parseSinkUrl, redactSecrets, type ParsedSink } from './sink-url.js';

/** A changefeed job, with where it sends. */
export interface ChangefeedJob extends JobFacts {
  /** Null when the sink is not a webhook. */
  readonly sink: ParsedSink | null;
}

/** A job id that is none. */
export class InvalidJobIdError extends Error {
  constructor(text: string) {
    super(`"${text.slice(0, 40)}" is not a job id: expected digits`);
    this.name = 'InvalidJobIdError';
  }
}

/** Every column, read by its name: which there are differs between versions, and one that is named and missing would be refused. */
const LIST_JOBS = 'SELECT * FROM [SHOW CHANGEFEED JOBS]';

/** Every changefeed job that this user may see, by job id. Ended ones are listed for some hours more. @throws CockroachError */
export async function listChangefeedJobs(
  cockroach: Cockroach,
  signal?: AbortSignal,
): Promise<readonly ChangefeedJob[]> {
  const rows = await cockroach.query(LIST_JOBS, [], signal ? { signal } : {});
  return rows.map(readJob).sort((a, b) => (BigInt(a.jobId) < BigInt(b.jobId) ? -1 : 1));
}

/** The jobs of one stream, of every incarnation. @throws CockroachError */
export async function listStreamJobs(
  cockroach: Cockroach,
  stream: string,
  signal?: AbortSignal,
): Promise<readonly ChangefeedJob[]> {
  return (await listChangefeedJobs(cockroach, signal)).filter((job) => job.sink?.stream === stream);
}

/** One job; null when CockroachDB lists none of this id. @throws CockroachError, InvalidJobIdError */
export async function observeJob(
  cockroach: Cockroach,
  jobId: string,
  signal?: AbortSignal,
): Promise<ChangefeedJob | null> {
  const [row] = await cockroach.query(
    `SELECT * FROM [SHOW CHANGEFEED JOB ${checkedJobId(jobId)}]`,
    [],
    signal ? { signal } : {},
  );
  return row ? readJob(row) : null;
}

/** Whether the job has an end still before it: everything but canceled, failed and succeeded. */
export function isLive(job: JobFacts): boolean {
  return LIFE_OF_STATUS[job.status] !== 'ended';
}

/** Whether the job may still deliver by itself or after RESUME JOB; one that is being cancelled does not count. */
export function isWanted(job: JobFacts): boolean {
  const life = LIFE_OF_STATUS[job.status];
  return life === 'alive' || life === 'resting';
}

/** Whether a sink is this receiver, whatever its path. */
export function sendsTo(sink: ParsedSink, { host, port }: ReceiverAddress): boolean {
  return sink.host.toLowerCase() === host.toLowerCase() && sink.port === port;
}

/** Live changefeeds of others that send to this receiver: to this path under another stream or none (MOLT's, for example). @throws CockroachError */
export async function findForeignFeeds(
  cockroach: Cockroach,
  receiver: ReceiverAddress & { readonly path: readonly string[] },
  ourStream: string,
): Promise<readonly ChangefeedJob[]> {
  const path = receiver.path.join('/').toLowerCase();
  return (await listChangefeedJobs(cockroach)).filter(
    ({ sink, ...job }) =>
      sink !== null &&
      LIFE_OF_STATUS[job.status] !== 'ended' &&
      sendsTo(sink, receiver) &&
      sink.stream !== ourStream &&
      (sink.stream === null || sink.path.join('/').toLowerCase() === path),
  );
}

/** Live changefeed jobs that are not of the stream, into any sink. @throws CockroachError */
export async function countOtherLiveChangefeeds(cockroach: Cockroach, stream: string): Promise<number> {
  return (await listChangefeedJobs(cockroach)).filter((job) => isLive(job) && job.sink?.stream !== stream).length;
}

/** Digits only: PAUSE, RESUME and CANCEL JOB take the id as a literal. @throws InvalidJobIdError */
export function checkedJobId(jobId: string): string {
  if (!/^\d{1,19}$/.test(jobId)) throw new InvalidJobIdError(jobId);
  return jobId;
}

/**
 * Reads a row of SHOW CHANGEFEED JOB(S); only id and status must be there. Pure.
 * @throws UnexpectedAnswerError
 */
export function readJob(row: TextRow): ChangefeedJob {
  const status = valueOf(row, 'status');
  if (!isJobStatus(status)) throw new UnexpectedAnswerError('a known job status', status);
  const sink = parseSinkUrl(row['sink_uri'] ?? '');
  const highWater = row['high_water_timestamp'] ?? '';
  return {
    jobId: valueOf(row, 'job_id'),
    status,
    incarnation: sink?.incarnation ?? null,
    highWater: highWater === '' ? null : parseHlc(highWater),
    runningStatus: redactSecrets(row['running_status'] ?? ''),
    error: redactSecrets(row['error'] ?? ''),
    fullTableNames: parseNameArray(row['full_table_names'] ?? '{}'),
    sink,
  };
}
