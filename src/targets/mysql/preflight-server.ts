import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { attempt } from './attempt.js';
import type { MysqlClient, MysqlServer } from './client.js';
import { quoteAccount } from './names.js';

const CLOCK_SKEW_WARN_MS = 5_000;
/** A row of CockroachDB is seldom larger. */
const PACKET_WARN_BYTES = 16 * 1024 * 1024;
const TRANSACTION_WARN_BYTES = 1024 * 1024 * 1024;
/** What each of the limits takes: less than 2 GiB, in blocks. */
const MOST_TRANSACTION_BYTES = 2 * TRANSACTION_WARN_BYTES - 4096;

/** The oldest and the newest version that the tests and the manuals speak of. */
const VERSIONS = { MySQL: { from: [8, 0], to: [8, 4] }, MariaDB: { from: [10, 6], to: [11, 8] } } as const;

export interface ServerCheck {
  readonly findings: readonly Finding[];
  /** CURRENT_USER(): the account whose privileges hold, `user@host`. */
  readonly account: string;
  /** False on a replica or a read-only server: what writes cannot be tried there. */
  readonly writable: boolean;
}

type Variables = ReadonlyMap<string, string>;

/** Checks what concerns the server as a whole. `connectionsNeeded` are those to come, beside the one that asks. */
export async function checkServer(client: MysqlClient, connectionsNeeded: number): Promise<ServerCheck> {
  const asked = Date.now();
  const { rows } = await client.query(SESSION_FACTS);
  const answered = Date.now();
  const facts = rows[0] ?? {};
  const account = facts['account'] ?? '';
  const variables = await readVariables(client);
  const readOnly = await checkWritable(client, variables);
  return {
    account,
    writable: readOnly.length === 0,
    findings: [
      ...checkVersion(client.server),
      ...readOnly,
      ...checkMode(facts['mode'] ?? ''),
      ...checkDurable(variables),
      ...checkBinlog(variables),
      ...checkSizes(client.maxAllowedPacket, variables),
      ...(await checkConnections(client, variables, account, connectionsNeeded, Number(facts['own_limit'] ?? 0))),
      ...checkWaits(client.server),
      ...checkTimeZone(variables),
      ...checkClock(Number(facts['clock_ms'] ?? 0) - (asked + answered) / 2),
    ],
  };
}

const SESSION_FACTS = `
  SELECT CURRENT_USER() AS account, @@SESSION.sql_mode AS mode, @@SESSION.max_user_connections AS own_limit,
    CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS CHAR) AS clock_ms`;

const VARIABLES = [
  'binlog_format',
  'innodb_doublewrite',
  'innodb_flush_log_at_trx_commit',
  'log_bin',
  'max_binlog_cache_size',
  'max_connections',
  'read_only',
  'super_read_only',
  'sync_binlog',
  'system_time_zone',
  'time_zone',
  'transaction_read_only',
  'tx_read_only',
  'wsrep_max_ws_size',
  'wsrep_on',
  'group_replication_transaction_size_limit',
  'innodb_read_only',
];

/** Not all servers have all of them; SHOW leaves out what there is not, and needs no privilege. */
async function readVariables(client: MysqlClient): Promise<Variables> {
  const { rows } = await client.query(
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${VARIABLES.map(() => '?').join(', ')})`,
    VARIABLES,
  );
  return new Map(rows.map((row) => [(row['variable_name'] ?? '').toLowerCase(), row['value'] ?? '']));
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && /^(?:on|1|yes)$/i.test(value);
}

function checkVersion({ product, version: [major, minor], versionText }: MysqlServer): Finding[] {
  const { from, to } = VERSIONS[product];
  const number = major * 1000 + minor;
  const older = number < from[0] * 1000 + from[1];
  if (!older && number <= to[0] * 1000 + to[1]) return [];
  return [
    createFinding(older ? 'blocking' : 'warning', 'server.version', {
      object: 'the target',
      problem: older
        ? `this ${product} is older than what is supported`
        : `this ${product} is newer than what has been tried`,
      found: versionText,
      remedy: action(
        older ? `Upgrade it to ${product} ${from.join('.')} or later.` : 'Rehearse the whole runbook on a copy first.',
      ),
    }),
  ];
}

/** Who may write in spite of read_only is not refused: so it is tried, and read only for the words. */
async function checkWritable(client: MysqlClient, variables: Variables): Promise<Finding[]> {
  const refused = await attempt(client, 'START TRANSACTION READ WRITE');
  await client.query('ROLLBACK');
  const on = ['read_only', 'super_read_only', 'innodb_read_only'].filter((name) => isOn(variables.get(name)));
  const forced = on.includes('super_read_only') || on.includes('innodb_read_only');
  if (refused === null && !forced) return [];
  return [
    createFinding('blocking', 'server.read-only', {
      object: 'the target',
      problem: 'it takes no writes: a replica, or closed by its administrator',
      found: refused === null ? `${on.join(', ')} = ON` : `${refused.message} (${refused.errno})`,
      remedy: on.includes('innodb_read_only')
        ? action('Connect to the primary.')
        : onTarget(
            on.includes('super_read_only')
              ? 'SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF'
              : 'SET GLOBAL read_only = OFF',
          ),
    }),
  ];
}

/** What is between us and the server may keep settings of its own. */
function checkMode(mode: string): Finding[] {
  const isStrict = /\bSTRICT_(?:TRANS|ALL)_TABLES\b/.test(mode);
  if (isStrict) return [];
  return [
    createFinding('blocking', 'server.sql-mode', {
      object: 'the target',
      problem: 'a strict sql_mode is asked for and not kept, so values would be cut or rounded in silence',
      found: `sql_mode = '${mode}'`,
      remedy: action('Connect to the server itself, not through what rewrites or shares its sessions.'),
    }),
  ];
}

/** Protocol rule 23: a commit that is reported must survive a crash. */
function checkDurable(variables: Variables): Finding[] {
  const findings: Finding[] = [];
  const flush = variables.get('innodb_flush_log_at_trx_commit');
  if (flush !== undefined && flush !== '1')
    findings.push(
      createFinding('blocking', 'server.not-durable', {
        object: 'the target',
        problem: 'a crash of its machine undoes what was committed, rows and checkpoint',
        found: `innodb_flush_log_at_trx_commit = ${flush}`,
        remedy: onTarget('SET GLOBAL innodb_flush_log_at_trx_commit = 1'),
      }),
    );
  const doublewrite = variables.get('innodb_doublewrite');
  if (doublewrite !== undefined && /^(?:off|0|detect_only)$/i.test(doublewrite))
    findings.push(
      createFinding('blocking', 'server.not-durable', {
        object: 'the target',
        problem: 'a crash of its machine may damage pages that were committed',
        found: `innodb_doublewrite = ${doublewrite}`,
        remedy: action('Start the server with innodb_doublewrite = ON.'),
      }),
    );
  const sync = variables.get('sync_binlog');
  if (isOn(variables.get('log_bin')) && sync !== undefined && sync !== '1')
    findings.push(
      createFinding('warning', 'server.binlog-not-durable', {
        object: 'the target',
        problem:
          'after a crash of its machine the last transactions are undone where the binary log lacks them; the stream applies them again within apply.retireOffset',
        found: `sync_binlog = ${sync}`,
        remedy: onTarget('SET GLOBAL sync_binlog = 1'),
      }),
    );
  return findings;
}

/** Under READ COMMITTED, InnoDB writes by row only (error 1665). */
function checkBinlog(variables: Variables): Finding[] {
  const format = variables.get('binlog_format');
  if (!isOn(variables.get('log_bin')) || format?.toUpperCase() !== 'STATEMENT') return [];
  return [
    createFinding('blocking', 'server.binlog-format', {
      object: 'the target',
      problem: 'with this format of the binary log it refuses transactions that read what is committed, as ours do',
      found: `binlog_format = ${format}`,
      remedy: onTarget(`SET GLOBAL binlog_format = 'ROW'`),
    }),
  ];
}

/** Protocol rule 20: one timestamp is one transaction. */
function checkSizes(packet: number, variables: Variables): Finding[] {
  const findings: Finding[] = [];
  if (packet < PACKET_WARN_BYTES)
    findings.push(
      createFinding('warning', 'server.packet', {
        object: 'the target',
        problem: 'a row that is larger than this, as SQL text, is refused, and the stream halts there',
        found: `max_allowed_packet = ${packet}`,
        remedy: onTarget(`SET GLOBAL max_allowed_packet = ${4 * PACKET_WARN_BYTES}`),
      }),
    );
  const limits = [
    ...(isOn(variables.get('log_bin')) ? ['max_binlog_cache_size'] : []),
    ...(isOn(variables.get('wsrep_on')) ? ['wsrep_max_ws_size'] : []),
    'group_replication_transaction_size_limit',
  ];
  for (const name of limits) {
    const value = Number(variables.get(name) ?? 0);
    // 0 means no limit where it is allowed at all.
    if (value === 0 || value >= TRANSACTION_WARN_BYTES) continue;
    findings.push(
      createFinding('warning', 'server.transaction-size', {
        object: 'the target',
        problem:
          'a transaction of CockroachDB that is larger than this cannot be applied as one, and the stream halts there',
        found: `${name} = ${value}`,
        remedy: onTarget(`SET GLOBAL ${name} = ${MOST_TRANSACTION_BYTES}`),
      }),
    );
  }
  return findings;
}

async function checkConnections(
  client: MysqlClient,
  variables: Variables,
  account: string,
  needed: number,
  ownLimit: number,
): Promise<Finding[]> {
  const { rows } = await client.query(`SHOW GLOBAL STATUS LIKE 'Threads_connected'`);
  const used = Number(rows[0]?.['value'] ?? 0);
  const { rows: own } = await client.query(
    `SELECT count(*) AS used FROM information_schema.PROCESSLIST WHERE USER = SUBSTRING_INDEX(USER(), '@', 1)`,
  );
  const free = [
    {
      limit: 'max_connections',
      left: Number(variables.get('max_connections') ?? Infinity) - used,
      remedy: (to: number) => onTarget(`SET GLOBAL max_connections = ${to}`),
      used,
    },
    {
      limit: `max_user_connections of ${account}`,
      left: ownLimit === 0 ? Infinity : ownLimit - Number(own[0]?.['used'] ?? 0),
      remedy: (to: number) => onTarget(`ALTER USER ${quoteAccount(account)} WITH MAX_USER_CONNECTIONS ${to}`),
      used: Number(own[0]?.['used'] ?? 0),
    },
  ];
  return free
    .filter(({ left }) => left < needed)
    .map(({ limit, left, used: taken, remedy }) =>
      createFinding('blocking', 'server.connections', {
        object: 'the target',
        problem: `the run needs ${needed} more connections than the one that asks`,
        found: `${limit} leaves ${Math.max(0, left)}`,
        remedy: remedy(taken + needed),
      }),
    );
}

/** Protocol rule 24. */
function checkWaits({ product }: MysqlServer): Finding[] {
  if (product === 'MariaDB') return [];
  return [
    createFinding('note', 'server.idle-transactions', {
      object: 'the target',
      problem:
        'MySQL has no limit for a transaction that rests, so a worker that is frozen keeps the checkpoint row until the takeover ends its session',
      found: 'MySQL',
      remedy: action('Nothing to do.'),
    }),
  ];
}

function checkTimeZone(variables: Variables): Finding[] {
  const zone = variables.get('time_zone') ?? 'SYSTEM';
  const shown = zone === 'SYSTEM' ? (variables.get('system_time_zone') ?? '') : zone;
  if (/^(?:UTC|GMT|\+00:00|Etc\/UTC)$/i.test(shown)) return [];
  return [
    createFinding('note', 'server.time-zone', {
      object: 'the target',
      problem:
        'its sessions show TIMESTAMP columns in another zone; those of the stream are in UTC, and DATETIME columns hold the clock of UTC',
      found: `time_zone = ${shown}`,
      remedy: action('See that the application reads DATETIME columns as UTC.'),
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
