import type { ChangefeedOptions } from '../domain/changefeed-options.js';
import { action, createFinding, onSource, type Finding } from '../domain/finding.js';
import type { Hlc } from '../domain/hlc.js';
import { formatTableName, type TableName } from '../domain/table.js';
import { buildCreateChangefeed, buildSinklessChangefeed, buildSinklessProbe } from './changefeed-statement.js';
import type { Cockroach } from './client.js';
import { CockroachError } from './errors.js';
import { checkedJobId } from './jobs.js';
import { quoteIdentifier, quoteTable } from './quoting.js';
import { isAtLeast, type CockroachVersion } from './version.js';

/** No sink of CockroachDB's has this scheme: the statement is checked whole and refused at its very end, so no job can come of it. */
const IMPOSSIBLE_SINK = 'failback-preflight://none';

export interface ChangefeedTrial {
  readonly tables: readonly TableName[];
  readonly options: ChangefeedOptions;
  readonly cursor: Hlc;
  readonly user: string;
  /** The runbook will switch rangefeeds on itself. */
  readonly enablesRangefeeds: boolean;
}

/**
 * Tries CREATE CHANGEFEED for each table with the options of the stream: privileges, options, targets, rangefeeds and licence.
 * @throws CockroachError of a retryable kind
 */
export async function tryCreateChangefeed(cockroach: Cockroach, trial: ChangefeedTrial): Promise<readonly Finding[]> {
  const findings = new Map<string, Finding>();
  for (const table of trial.tables) {
    const finding = await tryTable(cockroach, trial, table);
    // What is not the table's own is said once.
    if (finding) findings.set(`${finding.id} ${finding.object}`, finding);
  }
  return [...findings.values()];
}

async function tryTable(cockroach: Cockroach, trial: ChangefeedTrial, table: TableName): Promise<Finding | null> {
  const { options, cursor } = trial;
  const sql = buildCreateChangefeed({
    tables: [table],
    sinkUrl: IMPOSSIBLE_SINK,
    cursor,
    options,
    version: cockroach.version,
  });
  try {
    const [row] = await cockroach.query(sql);
    // A server that takes any sink has made a job of it: preflight leaves nothing behind.
    if (row?.['job_id']) await cockroach.query(`CANCEL JOB ${checkedJobId(row['job_id'])}`);
    return null;
  } catch (cause) {
    if (!(cause instanceof CockroachError) || cause.retryable) throw cause;
    return explain(
      cause,
      trial,
      [table],
      `GRANT CHANGEFEED ON TABLE ${quoteTable(table)} TO ${quoteIdentifier(trial.user)};`,
    );
  }
}

/** @param grant the statement after which this user may */
function explain(
  error: CockroachError,
  trial: ChangefeedTrial,
  tables: readonly TableName[],
  grant: string,
): Finding | null {
  const object = tables.map(formatTableName).join(', ');
  switch (error.kind) {
    case 'sinkUnsupported':
      return null;
    case 'privilege':
      return createFinding('blocking', 'privilege.changefeed', {
        object,
        problem: `user ${trial.user} may not create a changefeed on it`,
        found: error.message,
        remedy: onSource(grant),
      });
    case 'rangefeedDisabled':
      return trial.enablesRangefeeds ? null : rangefeedsOff(error.message);
    case 'licence':
      return createFinding('blocking', 'changefeed.licence', {
        object: 'cluster',
        problem: 'CockroachDB asks for an enterprise licence before it sends a changefeed to a webhook',
        found: error.message,
        remedy: action(
          'Start with "intake": "pull" in the input: the run then reads a changefeed without a sink, which needs no licence. Or set the licence: SET CLUSTER SETTING enterprise.license = \'...\'.',
        ),
      });
    case 'optionRefused':
      return createFinding('blocking', 'changefeed.option', {
        object: 'changefeed',
        problem: 'CockroachDB refuses an option',
        found: error.message,
        remedy: action('Correct changefeed.options in the input.'),
      });
    default:
      return createFinding('blocking', 'changefeed.refused', {
        object,
        problem: 'CockroachDB refuses a changefeed on it',
        found: error.message,
        remedy: action('Do what its words ask for, or leave the table out.'),
      });
  }
}

function rangefeedsOff(found: string): Finding {
  return createFinding('blocking', 'rangefeed.disabled', {
    object: 'cluster',
    problem: 'rangefeeds are off, and without them there is no changefeed',
    found,
    remedy: onSource('SET CLUSTER SETTING kv.rangefeed.enabled = true;'),
  });
}

/**
 * Runs the stream's changefeed without a sink until its first message.
 * @throws CockroachError of a retryable kind
 */
export async function trySinkless(
  cockroach: Cockroach,
  trial: ChangefeedTrial,
  options: TrialOptions,
): Promise<readonly Finding[]> {
  const { version } = cockroach;
  try {
    const came = await cockroach.stream(buildSinklessChangefeed({ ...trial, version }), () => true, options);
    return came ? [] : [silent(options)];
  } catch (cause) {
    if (!(cause instanceof CockroachError) || cause.retryable) throw cause;
    const finding = explain(cause, trial, trial.tables, grantReading(version, trial));
    return finding === null ? [] : [finding];
  }
}

/** Reading a changefeed without a sink needs SELECT alone since 23.1 (docs: changefeed-for), and a role option before. */
function grantReading(version: CockroachVersion, { tables, user }: ChangefeedTrial): string {
  const select = `GRANT SELECT ON TABLE ${tables.map(quoteTable).join(', ')} TO ${quoteIdentifier(user)};`;
  return isAtLeast(version, 23, 1) ? select : `ALTER ROLE ${quoteIdentifier(user)} WITH CONTROLCHANGEFEED; ${select}`;
}

export interface TrialOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs a changefeed without a sink until its first message: a rangefeed may be refused although the setting reads true.
 * @throws CockroachError of a retryable kind
 */
export async function tryRangefeed(
  cockroach: Cockroach,
  tables: readonly TableName[],
  options: TrialOptions,
): Promise<readonly Finding[]> {
  try {
    const came = await cockroach.stream(buildSinklessProbe(tables, cockroach.version), () => true, options);
    return came ? [] : [silent(options)];
  } catch (cause) {
    if (!(cause instanceof CockroachError) || cause.retryable) throw cause;
    // Privileges, options and targets have been tried by CREATE and SELECT already.
    return cause.kind === 'rangefeedDisabled' ? [rangefeedsOff(cause.message)] : [];
  }
}

function silent({ timeoutMs }: TrialOptions): Finding {
  return createFinding('warning', 'rangefeed.silent', {
    object: 'cluster',
    problem: 'a changefeed tried without a sink sent nothing',
    found: `no message within ${timeoutMs} ms`,
    remedy: action('See kv.closed_timestamp.target_duration and the health of the ranges; the stream may lag.'),
  });
}
