import type { ChangefeedOptions } from '../domain/changefeed-options.js';
import { action, createFinding, onSource, type Finding } from '../domain/finding.js';
import { hlcToMillis, type Hlc } from '../domain/hlc.js';
import type { Intake } from '../domain/runbook-input.js';
import type { TableName } from '../domain/table.js';
import type { Cockroach } from './client.js';
import { captureCursor } from './clock.js';
import { describeTables, readDatabase, type IntrospectedTable } from './introspect.js';
import { findForeignFeeds } from './jobs.js';
import { tryCreateChangefeed, tryRangefeed, trySinkless } from './preflight-changefeed.js';
import { findHistoryProblems, tryCursor } from './preflight-history.js';
import { trySelect } from './preflight-select.js';
import { checkSentinel } from './preflight-sentinel.js';
import { findTableProblems, missingTable } from './preflight-tables.js';
import { hasAny, readSystemPrivileges, type SystemPrivileges } from './privileges.js';
import { canProtectHistory, readGcTtls, readProtectionMaxAge } from './protection.js';
import { quoteIdentifier } from './quoting.js';

export interface CockroachPreflight {
  readonly tables: readonly TableName[];
  /** Of `mergeChangefeedOptions`. */
  readonly options: ChangefeedOptions;
  /** Cluster settings that the runbook will set, by name. */
  readonly settings: Readonly<Record<string, string>>;
  readonly stream: string;
  /** Table of the drain's sentinel row; absent: there is none. */
  readonly sentinel?: TableName;
  /** Default: a webhook. */
  readonly intake?: Intake;
  /** Where the changefeed will send; null: nowhere. */
  readonly receiver: { readonly host: string; readonly port: number; readonly path: readonly string[] } | null;
  /** How long an outage must be survivable, in milliseconds. */
  readonly outageMs: number;
  /** A cursor that is there already; absent for a new stream. */
  readonly cursor?: Hlc;
  /** How long the trial without a sink waits for a message. Default 10,000. */
  readonly rangefeedTrialMs?: number;
  /** Wall clock of the caller in milliseconds since 1970; for the warning of skew only (protocol rule 31). */
  readonly now: () => number;
  readonly signal?: AbortSignal;
}

export interface CockroachPreflightResult {
  /** Every problem at once. */
  readonly findings: readonly Finding[];
  readonly tables: readonly IntrospectedTable[];
}

/**
 * Reads and tries everything that the stream needs of CockroachDB, and leaves nothing behind.
 * @throws CockroachError when CockroachDB cannot be asked
 */
export async function preflightCockroach(
  cockroach: Cockroach,
  request: CockroachPreflight,
): Promise<CockroachPreflightResult> {
  const database = await readDatabase(cockroach);
  const { tables, missing } = await describeTables(cockroach, request.tables);
  const names = tables.map((table) => table.table);
  const privileges = await readSystemPrivileges(cockroach);
  const findings = [
    ...missing.map((name) => missingTable(name, database)),
    ...tables.flatMap(findTableProblems),
    ...findPrivilegeProblems(privileges, request),
    ...(await trySelect(cockroach, names, privileges.user, 'its rows cannot be compared')),
    ...(request.sentinel ? await checkSentinel(cockroach, request.sentinel, { database, user: privileges.user }) : []),
    ...(await tryChangefeeds(cockroach, request, names, privileges.user)),
    ...(await findHistory(cockroach, request, { database, names, privileges })),
    ...(request.cursor === undefined ? [] : await tryCursor(cockroach, names, request.cursor)),
    ...(await findFeedsInTheWay(cockroach, request)),
    ...(await findSkew(cockroach, request)),
  ];
  return { findings, tables };
}

function findPrivilegeProblems(
  privileges: SystemPrivileges,
  { settings, intake }: Pick<CockroachPreflight, 'settings' | 'intake'>,
): readonly Finding[] {
  const lacks = (privilege: string, problem: string): Finding =>
    createFinding('blocking', `privilege.${privilege.toLowerCase()}`, {
      object: `user ${privileges.user}`,
      problem,
      found: `system privileges: ${[...(privileges.granted ?? [])].join(', ') || 'none'}`,
      remedy: onSource(`GRANT SYSTEM ${privilege} TO ${quoteIdentifier(privileges.user)};`),
    });
  const names = Object.keys(settings);
  return [
    ...(intake === 'pull' || hasAny(privileges, 'VIEWJOB', 'CONTROLJOB')
      ? []
      : [lacks('VIEWJOB', "without it changefeeds of others are not seen, and two could send the stream's rows")]),
    ...(names.length === 0 || hasAny(privileges, 'MODIFYCLUSTERSETTING')
      ? []
      : [lacks('MODIFYCLUSTERSETTING', `it may not set ${names.join(', ')}`)]),
  ];
}

async function tryChangefeeds(
  cockroach: Cockroach,
  request: CockroachPreflight,
  tables: readonly TableName[],
  user: string,
): Promise<readonly Finding[]> {
  if (tables.length === 0) return [];
  const cursor = await captureCursor(cockroach, request.signal);
  const enablesRangefeeds = request.settings['kv.rangefeed.enabled'] === 'true';
  const wanted = { tables, options: request.options, cursor, user, enablesRangefeeds };
  const trial = {
    timeoutMs: request.rangefeedTrialMs ?? 10_000,
    ...(request.signal ? { signal: request.signal } : {}),
  };
  if (request.intake === 'pull') return trySinkless(cockroach, wanted, trial);
  const refused = await tryCreateChangefeed(cockroach, wanted);
  if (refused.some((finding) => finding.id === 'rangefeed.disabled')) return refused;
  const silent = await tryRangefeed(cockroach, tables, trial);
  return [...refused, ...silent.filter((finding) => !(enablesRangefeeds && finding.id === 'rangefeed.disabled'))];
}

async function findHistory(
  cockroach: Cockroach,
  request: CockroachPreflight,
  { database, names, privileges }: { database: string; names: readonly TableName[]; privileges: SystemPrivileges },
): Promise<readonly Finding[]> {
  const known = await canProtectHistory(cockroach);
  const canProtect = known && hasAny(privileges, 'REPLICATION');
  const grant = known ? `GRANT SYSTEM REPLICATION TO ${quoteIdentifier(privileges.user)};` : null;
  const ttls = canProtect ? [] : await readGcTtls(cockroach, database, names);
  // It is the age of what a job protects, and `pull` has none.
  const maxAgeMs = request.intake === 'pull' ? null : await readProtectionMaxAge(cockroach);
  return findHistoryProblems({ canProtect, grant, ttls, outageMs: request.outageMs, maxAgeMs });
}

async function findFeedsInTheWay(cockroach: Cockroach, request: CockroachPreflight): Promise<readonly Finding[]> {
  const { receiver } = request;
  if (receiver === null) return [];
  const feeds = await findForeignFeeds(cockroach, receiver, request.stream);
  return feeds.map((feed) =>
    createFinding('blocking', 'receiver.inUse', {
      object: `${receiver.host}:${receiver.port}/${receiver.path.join('/')}`,
      problem: 'another changefeed sends to this receiver and schema',
      found: `job ${feed.jobId} (${feed.status})${feed.sink?.stream ? ` of stream ${feed.sink.stream}` : ''}`,
      // Of a run of ours: cancelled by hand, it would only be made again, or history would be lost to a run that is meant to go on.
      remedy: feed.sink?.stream
        ? action(
            `Finish or roll back the run ${feed.sink.stream} first; where Temporal knows no such run any more, run on the source: CANCEL JOB ${feed.jobId};`,
          )
        : onSource(`CANCEL JOB ${feed.jobId};`),
    }),
  );
}

/** Skew decides nothing (protocol rule 31), but lag would be shown wrong by as much. */
const SKEW_WARNING_MS = 2_000;

async function findSkew(cockroach: Cockroach, request: CockroachPreflight): Promise<readonly Finding[]> {
  const before = request.now();
  const theirs = hlcToMillis(await captureCursor(cockroach, request.signal));
  const after = request.now();
  const skew = theirs < before ? theirs - before : Math.max(0, theirs - after);
  if (Math.abs(skew) < SKEW_WARNING_MS) return [];
  return [
    createFinding('warning', 'clock.skew', {
      object: 'cluster',
      problem:
        "the cluster's clock and this worker's differ; no decision depends on it, but lag is shown wrong by as much",
      found: `the cluster is ${Math.abs(skew)} ms ${skew > 0 ? 'ahead' : 'behind'}`,
      remedy: action('Synchronise the clocks (NTP) of the worker and the cluster.'),
    }),
  ];
}
