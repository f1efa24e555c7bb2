import { action, createFinding, onSource, type Finding } from '../domain/finding.js';
import { formatHlc, hlcToMillis, type Hlc } from '../domain/hlc.js';
import { formatTableName, type TableName } from '../domain/table.js';
import type { Cockroach } from './client.js';
import { CockroachError } from './errors.js';
import type { GcTtl } from './protection.js';
import { quoteLiteral, quoteTable } from './quoting.js';

export interface HistoryFacts {
  /** `protect_mvcc_history` exists and may be called: history is then kept whatever the TTL says. */
  readonly canProtect: boolean;
  /** The statement after which this user could; null: no grant would help. */
  readonly grant: string | null;
  readonly ttls: readonly GcTtl[];
  /** How long an outage must be survivable, in milliseconds. */
  readonly outageMs: number;
  /** `changefeed.protect_timestamp.max_age` in milliseconds; 0 is for ever, null unknown. */
  readonly maxAgeMs: number | null;
}

/** Whether history lasts for as long as the input promises (protocol rules 4 and 5). Pure. */
export function findHistoryProblems(facts: HistoryFacts): readonly Finding[] {
  const seconds = Math.ceil(facts.outageMs / 1_000);
  const short = facts.canProtect ? [] : facts.ttls.filter((ttl) => ttl.seconds < seconds);
  return [...short.map((ttl) => shortTtl(ttl, seconds, facts.grant)), ...ageProblem(facts)];
}

function shortTtl(ttl: GcTtl, seconds: number, grant: string | null): Finding {
  const name = ttl.object.startsWith('TABLE ') ? `TABLE ${quoteTable(ttl.table)}` : ttl.object;
  return createFinding('blocking', 'history.gcTtl', {
    object: ttl.object,
    problem: `its history is collected before the longest outage that the input promises to survive (${seconds} s) is over`,
    found: `gc.ttlseconds = ${ttl.seconds}`,
    remedy: onSource(
      `ALTER ${name} CONFIGURE ZONE USING gc.ttlseconds = ${seconds};${grant === null ? '' : ` -- or, for all tables at once, so that the run protects history itself: ${grant}`}`,
    ),
  });
}

function ageProblem({ maxAgeMs, outageMs }: HistoryFacts): readonly Finding[] {
  if (maxAgeMs === null || maxAgeMs === 0 || maxAgeMs >= outageMs) return [];
  return [
    createFinding('blocking', 'history.maxAge', {
      object: 'cluster',
      problem: 'CockroachDB gives a changefeed up before the longest outage that the input promises to survive is over',
      found: `changefeed.protect_timestamp.max_age = ${maxAgeMs / 1_000} s`,
      remedy: onSource(`SET CLUSTER SETTING changefeed.protect_timestamp.max_age = '${Math.ceil(outageMs / 1_000)}s';`),
    }),
  ];
}

/**
 * Reads each table AS OF the cursor: the history after it must still be there.
 * @throws CockroachError of a retryable kind
 */
export async function tryCursor(
  cockroach: Cockroach,
  tables: readonly TableName[],
  cursor: Hlc,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const table of tables) {
    try {
      await cockroach.query(
        `SELECT 1 FROM ${quoteTable(table)} AS OF SYSTEM TIME ${quoteLiteral(formatHlc(cursor))} LIMIT 1`,
      );
    } catch (cause) {
      if (!(cause instanceof CockroachError) || cause.retryable) throw cause;
      if (cause.kind === 'privilege') continue;
      findings.push(cursorProblem(table, cursor, cause));
    }
  }
  return findings;
}

function cursorProblem(table: TableName, cursor: Hlc, cause: CockroachError): Finding {
  const tooOld = cause.kind === 'cursorTooOld';
  return createFinding('blocking', tooOld ? 'cursor.tooOld' : 'cursor.refused', {
    object: formatTableName(table),
    problem: `it cannot be read as of the cursor ${formatHlc(cursor)} (${new Date(hlcToMillis(cursor)).toISOString()})`,
    found: cause.message,
    remedy: action(
      tooOld
        ? 'The history after the cursor is gone: a full copy of the table is needed. Raise gc.ttlseconds before the next run.'
        : 'Start with a cursor at which the table exists.',
    ),
  });
}
