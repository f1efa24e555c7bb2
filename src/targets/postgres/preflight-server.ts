import type pg from 'pg';
import { escapeIdentifier } from 'pg';
import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';

const OLDEST_VERSION = 110_000;
const CLOCK_SKEW_WARN_MS = 5_000;

interface ServerFacts {
  readonly version: number;
  readonly versionText: string;
  readonly recovering: boolean;
  readonly readOnly: boolean;
  readonly encoding: string;
  readonly fsync: string;
  readonly fullPageWrites: string;
  readonly synchronousCommit: string;
  readonly transactionTimeout: string;
  readonly database: string;
  readonly role: string;
  /** Connections that may still be opened: by the server, by the database's limit, by the role's. */
  readonly free: readonly { readonly limit: string; readonly left: number }[];
  readonly clockMs: number;
}

/** No parameters. Later settings are asked for so that older servers answer with nothing. */
const SERVER_FACTS = `
  SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS "versionText",
    pg_is_in_recovery() AS recovering, current_setting('transaction_read_only') = 'on' AS "readOnly",
    pg_encoding_to_char(d.encoding) AS encoding, current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS "fullPageWrites", current_setting('synchronous_commit') AS "synchronousCommit",
    coalesce(nullif(current_setting('transaction_timeout', true), ''), '0') AS "transactionTimeout",
    d.datname AS database, r.rolname AS role,
    jsonb_build_array(
      jsonb_build_object('limit', 'max_connections', 'left', current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')),
      jsonb_build_object('limit', 'CONNECTION LIMIT of the database', 'left', CASE WHEN d.datconnlimit < 0 THEN NULL
        ELSE d.datconnlimit - (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.backend_type = 'client backend') END),
      jsonb_build_object('limit', 'CONNECTION LIMIT of the role', 'left', CASE WHEN r.rolconnlimit < 0 THEN NULL
        ELSE r.rolconnlimit - (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid AND a.backend_type = 'client backend') END)
    ) AS free,
    extract(epoch FROM clock_timestamp()) * 1000 AS "clockMs"
  FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`;

export interface ServerCheck {
  readonly findings: readonly Finding[];
  readonly role: string;
  readonly database: string;
  /** False on a standby or a read-only server: what writes cannot be tried there. */
  readonly writable: boolean;
}

/** Checks what concerns the server as a whole. `connectionsNeeded` are those to come, beside the one that asks. */
export async function checkServer(client: pg.Client, connectionsNeeded: number): Promise<ServerCheck> {
  const asked = Date.now();
  const { rows } = await client.query<ServerFacts>(SERVER_FACTS);
  const answered = Date.now();
  const facts = rows[0];
  if (!facts) throw new Error('the target lists neither its own database nor the role connected to it');
  const findings = [
    ...checkWritable(facts),
    ...checkDurable(facts),
    ...checkConnections(facts, connectionsNeeded),
    ...checkTimeout(facts),
    ...checkClock(Number(facts.clockMs) - (asked + answered) / 2),
  ];
  return {
    findings,
    role: facts.role,
    database: facts.database,
    writable: !facts.recovering && !facts.readOnly,
  };
}

function checkWritable(facts: ServerFacts): Finding[] {
  const findings: Finding[] = [];
  if (facts.version < OLDEST_VERSION) {
    findings.push(
      createFinding('blocking', 'server.version', {
        object: 'the target',
        problem: 'this PostgreSQL is older than what is supported',
        found: facts.versionText,
        remedy: action('Upgrade it to PostgreSQL 11 or later.'),
      }),
    );
  }
  if (facts.recovering) {
    findings.push(
      createFinding('blocking', 'server.in-recovery', {
        object: 'the target',
        problem: 'it is a standby and takes no writes',
        found: 'pg_is_in_recovery() = true',
        remedy: action('Connect to the primary.'),
      }),
    );
  } else if (facts.readOnly) {
    findings.push(
      createFinding('blocking', 'server.read-only', {
        object: 'the target',
        problem: 'transactions are read-only',
        found: 'default_transaction_read_only = on',
        remedy: onTarget(
          `ALTER ROLE ${escapeIdentifier(facts.role)} IN DATABASE ${escapeIdentifier(facts.database)} SET default_transaction_read_only = off`,
        ),
      }),
    );
  }
  if (facts.encoding !== 'UTF8') {
    findings.push(
      createFinding('blocking', 'server.encoding', {
        object: `database ${facts.database}`,
        problem: 'CockroachDB holds UTF-8 texts that this encoding cannot hold',
        found: facts.encoding,
        remedy: action('Move the tables to a database with the encoding UTF8.'),
      }),
    );
  }
  return findings;
}

/** Protocol rule 23: a commit that is reported must survive a crash, or the checkpoint lies. */
function checkDurable(facts: ServerFacts): Finding[] {
  const settings = [
    ['fsync', facts.fsync],
    ['full_page_writes', facts.fullPageWrites],
  ] as const;
  const off = settings.flatMap(([name, value]) =>
    value === 'on'
      ? []
      : [
          createFinding('blocking', 'server.not-durable', {
            object: 'the target',
            problem: 'a crash of its machine may damage what was committed, rows and checkpoint',
            found: `${name} = ${value}`,
            remedy: onTarget(`ALTER SYSTEM SET ${name} = on; SELECT pg_reload_conf()`),
          }),
        ],
  );
  if (facts.synchronousCommit !== 'off') return off;
  return [
    ...off,
    createFinding('note', 'server.synchronous-commit', {
      object: 'the target',
      problem: 'commits are not flushed by default; sessions of the stream force it on',
      found: 'synchronous_commit = off',
      remedy: action('Nothing to do.'),
    }),
  ];
}

function checkConnections(facts: ServerFacts, needed: number): Finding[] {
  return facts.free
    .filter(({ left }) => left !== null && left < needed)
    .map(({ limit, left }) =>
      createFinding('blocking', 'server.connections', {
        object: 'the target',
        problem: `the run needs ${needed} more connections than the one that asks`,
        found: `${limit} leaves ${Math.max(0, left)}`,
        remedy: action(
          `Raise ${limit}, close other connections, or, with parallel applies, lower apply.targetMaxPoolSize.`,
        ),
      }),
    );
}

function checkTimeout(facts: ServerFacts): Finding[] {
  if (facts.transactionTimeout === '0') return [];
  return [
    createFinding('warning', 'server.transaction-timeout', {
      object: 'the target',
      problem: 'a window that takes longer is rolled back, each time',
      found: `transaction_timeout = ${facts.transactionTimeout}`,
      remedy: onTarget(`ALTER ROLE ${escapeIdentifier(facts.role)} SET transaction_timeout = 0`),
    }),
  ];
}

/** A warning only: no decision rests on this clock (protocol rule 31), but lag is shown by it. */
function checkClock(skewMs: number): Finding[] {
  if (Math.abs(skewMs) <= CLOCK_SKEW_WARN_MS) return [];
  return [
    createFinding('warning', 'server.clock', {
      object: 'the target',
      problem: "its clock and the worker's differ, so times in logs do not compare",
      found: `${Math.round(skewMs)} ms`,
      remedy: action('Set both by NTP.'),
    }),
  ];
}
