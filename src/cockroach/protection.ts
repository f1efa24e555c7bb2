import { formatHlc, type Hlc } from '../domain/hlc.js';
import type { UnprotectedHistory } from '../domain/only-copy.js';
import { formatTableName, type TableName } from '../domain/table.js';
import type { Cockroach, TextRow } from './client.js';
import { CockroachError } from './errors.js';
import { readDatabase } from './introspect.js';
import { hasAny, readSystemPrivileges } from './privileges.js';
import { quoteTable } from './quoting.js';
import { onlyValue, valueOf } from './rows.js';
import { readSetting } from './settings.js';

/** A protection of history from garbage collection: a job of CockroachDB's that keeps everything after a timestamp. */
export interface HistoryProtection {
  readonly jobId: string;
  readonly at: Hlc;
}

/** $1 = the function's name. */
const FUNCTION_EXISTS = 'SELECT count(*) AS functions FROM pg_catalog.pg_proc WHERE proname = $1';

/** Whether this version can protect history on request (24.1 and later). @throws CockroachError */
export async function canProtectHistory(cockroach: Cockroach): Promise<boolean> {
  return onlyValue(await cockroach.query(FUNCTION_EXISTS, ['protect_mvcc_history']), 'functions') !== '0';
}

/** $1 = HLC, $2 = interval after which it expires, $3 = description. */
const PROTECT = 'SELECT crdb_internal.protect_mvcc_history($1::DECIMAL, $2::INTERVAL, $3) AS job_id';

/**
 * Protects history after `at`. It expires after `forSeconds`, so one that is forgotten ends by itself.
 * @throws CockroachError
 */
export async function protectHistory(
  cockroach: Cockroach,
  { at, forSeconds, description }: { at: Hlc; forSeconds: number; description: string },
): Promise<HistoryProtection> {
  const rows = await cockroach.query(PROTECT, [formatHlc(at), `${forSeconds} seconds`, description]);
  return { jobId: onlyValue(rows, 'job_id'), at };
}

/** $1 = description as CockroachDB gives it to the job, $2 = description as it was asked for. */
const LIVE_PROTECTIONS = `
  SELECT job_id FROM [SHOW JOBS]
  WHERE job_type = 'HISTORY RETENTION' AND description IN ($1, $2) AND status NOT IN ('canceled', 'failed', 'succeeded')
  ORDER BY job_id`;

/** Job ids of the protections of this very description that have not ended. @throws CockroachError */
export async function listProtections(cockroach: Cockroach, description: string): Promise<readonly string[]> {
  const rows = await cockroach.query(LIVE_PROTECTIONS, [`History Retention for ${description}`, description]);
  return rows.map((row) => valueOf(row, 'job_id'));
}

/** Ends a protection; one that is gone already is fine. @throws CockroachError */
export async function releaseProtection(cockroach: Cockroach, jobId: string): Promise<void> {
  if (!/^\d+$/.test(jobId)) throw new Error(`"${jobId}" is not a job id`);
  try {
    await cockroach.query(`CANCEL JOB ${jobId}`);
  } catch (cause) {
    const gone = cause instanceof CockroachError && (cause.kind === 'jobMissing' || cause.kind === 'jobStateRefused');
    if (!gone) throw cause;
  }
}

/**
 * Moves a protection forward: the new one is there before the old one is dropped (protocol rule 4).
 * @throws CockroachError; `current` then still stands
 */
export async function rollProtection(
  cockroach: Cockroach,
  current: HistoryProtection | null,
  next: { at: Hlc; forSeconds: number; description: string },
): Promise<HistoryProtection> {
  const made = await protectHistory(cockroach, next);
  if (current) await releaseProtection(cockroach, current.jobId);
  return made;
}

/** How long history is kept of a table, or of a part of it that has a zone of its own. */
export interface GcTtl {
  /** As CockroachDB names it, e.g. `TABLE shop.public.orders` or `PARTITION eu OF INDEX shop.public.orders@orders_pkey`. */
  readonly object: string;
  readonly table: TableName;
  readonly seconds: number;
}

/**
 * gc.ttlseconds of each table and of every index and partition that has a zone of its own.
 * @throws CockroachError
 */
export async function readGcTtls(
  cockroach: Cockroach,
  database: string,
  tables: readonly TableName[],
): Promise<readonly GcTtl[]> {
  const ttls: GcTtl[] = [];
  const zones = await cockroach.query('SHOW ZONE CONFIGURATIONS');
  for (const table of tables) {
    const own = await cockroach.query(`SHOW ZONE CONFIGURATION FROM TABLE ${quoteTable(table)}`);
    ttls.push(...own.flatMap((zone) => ttlOf(zone, table, `TABLE ${database}.${formatTableName(table)}`)));
    ttls.push(...ttlsOfParts(zones, database, table));
  }
  return ttls;
}

/**
 * The shortest time for which the history of these tables is kept where nothing protects it (protocol rule 4); null: this user can protect it, or
 * it cannot be read.
 * @throws CockroachError of a retryable kind
 */
export async function readUnprotectedHistory(
  cockroach: Cockroach,
  tables: readonly TableName[],
): Promise<UnprotectedHistory | null> {
  try {
    const privileges = await readSystemPrivileges(cockroach);
    if ((await canProtectHistory(cockroach)) && hasAny(privileges, 'REPLICATION')) return null;
    const ttls = await readGcTtls(cockroach, await readDatabase(cockroach), tables);
    const [shortest] = ttls.toSorted((a, b) => a.seconds - b.seconds);
    return shortest ? { object: shortest.object, ttlMs: shortest.seconds * 1_000 } : null;
  } catch (cause) {
    // A table that was renamed or dropped has no zone by its old name.
    if (cause instanceof CockroachError && !cause.retryable) return null;
    throw cause;
  }
}

/** What SHOW ZONE CONFIGURATIONS says of a table's indexes and partitions. Pure. */
export function ttlsOfParts(zones: readonly TextRow[], database: string, table: TableName): readonly GcTtl[] {
  const parts = new RegExp(`^(PARTITION .* OF )?INDEX ${escape(`${database}.${formatTableName(table)}`)}@`);
  return zones.flatMap((zone) => {
    const object = zone['target'] ?? '';
    return parts.test(object.replaceAll('"', '')) ? ttlOf(zone, table, object) : [];
  });
}

/** A zone without gc.ttlseconds of its own inherits its table's. */
function ttlOf(zone: TextRow, table: TableName, object: string): readonly GcTtl[] {
  const match = /gc\.ttlseconds\s*=\s*(\d+)/.exec(zone['raw_config_sql'] ?? '');
  return match ? [{ object, table, seconds: Number(match[1]) }] : [];
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/**
 * `changefeed.protect_timestamp.max_age` in milliseconds: how old the history that a changefeed holds may become before CockroachDB gives the
 * changefeed up (protocol rule 5). 0 is for ever; null when it cannot be read.
 * @throws CockroachError
 */
export async function readProtectionMaxAge(cockroach: Cockroach): Promise<number | null> {
  try {
    return parseInterval(await readSetting(cockroach, 'changefeed.protect_timestamp.max_age'));
  } catch (cause) {
    if (cause instanceof CockroachError && !cause.retryable) return null;
    throw cause;
  }
}

/** Reads an interval as SHOW CLUSTER SETTING prints it, e.g. `96:00:00` or `4 days 01:00:00.5`, into milliseconds; null for another text. */
export function parseInterval(text: string): number | null {
  const match = /^(?:(\d+) days?)?\s*(?:(\d+):(\d{2}):(\d{2}(?:\.\d+)?))?$/.exec(text.trim());
  if (!match || match[0] === '') return null;
  const [days = '0', hours = '0', minutes = '0', seconds = '0'] = match.slice(1);
  return Number(days) * 86_400_000 + Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1_000;
}
