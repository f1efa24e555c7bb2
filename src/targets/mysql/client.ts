import mysql, { type Connection, type ResultSetHeader } from 'mysql2/promise';
import type { SqlClient, SqlParameter, SqlResult } from '../portable/sql-client.js';
import { toTargetError } from './errors.js';
import { readConnectionString } from './connection-string.js';

/** One dedicated connection to a MySQL or MariaDB. */
export interface MysqlConnection {
  /** `mysql://...` or `mariadb://...`; holds the password, so it is never shown. */
  readonly connectionString: string;
  /** Shown among the connection's attributes, e.g. `failback orders`. */
  readonly applicationName: string;
  /** Longest wait for the connection, in milliseconds; 10,000 by default. */
  readonly connectTimeoutMs?: number;
  /** Longest wait for a lock, in milliseconds; the servers count in seconds, so it is rounded up. Absent: as the server has it. */
  readonly lockTimeoutMs?: number;
  /** MariaDB ends the session when a transaction of ours rests for so long; MySQL knows no such limit. Absent: no limit. */
  readonly idleInTransactionTimeoutMs?: number;
  /** Foreign keys neither refuse nor act in this session: any user may ask for that. */
  readonly foreignKeysOff?: boolean;
}

export type MysqlProduct = 'MySQL' | 'MariaDB';

export interface MysqlServer {
  readonly product: MysqlProduct;
  readonly version: readonly [major: number, minor: number, patch: number];
  /** As the server spells it, e.g. `10.11.19-MariaDB-0+deb12u1`. */
  readonly versionText: string;
}

/** Binary values have to be asked for as HEX(). */
export interface MysqlClient extends Pick<SqlClient, 'query'> {
  readonly server: MysqlServer;
  /** The session's number on the server: what KILL takes. */
  readonly id: string;
  /** The database of the connection string; null where it names none. */
  readonly database: string | null;
  /** Bytes that a statement may have. */
  readonly maxAllowedPacket: number;
  /** Ends the session; a connection that does not answer is cut. */
  close(): Promise<void>;
}

/**
 * Values are never changed in silence: what does not fit is an error, 0 in an AUTO_INCREMENT column is 0, a zero date is none. Backslashes
 * escape, as the driver takes it. Nothing of the server's default mode is left.
 */
const SQL_MODE = [
  'STRICT_TRANS_TABLES',
  'STRICT_ALL_TABLES',
  'NO_ZERO_DATE',
  'NO_ZERO_IN_DATE',
  'ERROR_FOR_DIVISION_BY_ZERO',
  'NO_ENGINE_SUBSTITUTION',
  'NO_AUTO_VALUE_ON_ZERO',
].join(',');

/**
 * What every session of ours needs, whatever the server's or init_connect's own settings say. A literal of ours is compared byte by byte where no
 * column says otherwise.
 */
const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  sql_mode: `'${SQL_MODE}'`,
  time_zone: `'+00:00'`,
  autocommit: '1',
  completion_type: '0',
  unique_checks: '1',
  sql_safe_updates: '0',
  sql_select_limit: 'DEFAULT',
  sql_auto_is_null: '0',
};

const OF_PRODUCT: Readonly<Record<MysqlProduct, Readonly<Record<string, string>>>> = {
  MySQL: { max_execution_time: '0' },
  MariaDB: { max_statement_time: '0', check_constraint_checks: '1' },
};

/**
 * Opens a connection and sets the session up. The caller closes it. A connection that is lost while idle crashes nothing: the next query on
 * it fails.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function connectMysql(config: MysqlConnection): Promise<MysqlClient> {
  const facts = readConnectionString(config.connectionString);
  let connection: Connection | null = null;
  try {
    connection = await mysql.createConnection({
      ...facts,
      charset: 'UTF8MB4_BIN',
      connectTimeout: config.connectTimeoutMs ?? 10_000,
      connectAttributes: { program_name: config.applicationName },
      enableKeepAlive: true,
      keepAliveInitialDelay: 10_000,
      // A number of JavaScript's would lose digits (invariant 7).
      typeCast: (field) => field.string('utf8'),
      jsonStrings: true,
      // The driver would look all of a statement through for placeholders.
      queryFormat: (sql: string, values: readonly SqlParameter[]) =>
        values.length === 0 ? sql : mysql.format(sql, [...values]),
    });
    // Without a listener, node ends the process when an idle connection is lost.
    connection.on('error', () => undefined);
    return await setUpSession(connection, config, facts.database ?? null);
  } catch (error) {
    connection?.destroy();
    throw toTargetError(error, 'connecting');
  }
}

async function setUpSession(
  connection: Connection,
  config: MysqlConnection,
  database: string | null,
): Promise<MysqlClient> {
  const query = queryOn(connection);
  const { rows } = await query('SELECT version() AS version, connection_id() AS id, @@max_allowed_packet AS packet');
  const [facts] = rows;
  const server = readServer(facts?.['version'] ?? '');
  await query('SET NAMES utf8mb4 COLLATE utf8mb4_bin');
  // The compare-and-set must see what was committed while it waited (protocol rule 22).
  await query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE');
  const settings = {
    ...SESSION_SETTINGS,
    ...OF_PRODUCT[server.product],
    ...limits(config, server),
    foreign_key_checks: config.foreignKeysOff === true ? '0' : '1',
  };
  await query(
    `SET ${Object.entries(settings)
      .map(([name, value]) => `SESSION ${name} = ${value}`)
      .join(', ')}`,
  );
  return {
    server,
    id: facts?.['id'] ?? '',
    database,
    maxAllowedPacket: Number(facts?.['packet']),
    query,
    close: () => close(connection),
  };
}

/** Of MySQL, wait_timeout would end a session that rests outside of a transaction as well. */
function limits(
  { lockTimeoutMs, idleInTransactionTimeoutMs }: MysqlConnection,
  { product }: MysqlServer,
): Readonly<Record<string, string>> {
  const seconds = (ms: number): string => String(Math.max(1, Math.ceil(ms / 1000)));
  return {
    ...(lockTimeoutMs === undefined
      ? {}
      : { innodb_lock_wait_timeout: seconds(lockTimeoutMs), lock_wait_timeout: seconds(lockTimeoutMs) }),
    ...(idleInTransactionTimeoutMs === undefined || product === 'MySQL'
      ? {}
      : { idle_transaction_timeout: seconds(idleInTransactionTimeoutMs) }),
  };
}

function readServer(versionText: string): MysqlServer {
  // Behind some proxies MariaDB says `5.5.5-10.6.1-MariaDB`.
  const [, major = '0', minor = '0', patch = '0'] =
    /^(?:5\.5\.5-(?=\d+\.\d+\.\d+-MariaDB))?(\d+)\.(\d+)\.(\d+)/.exec(versionText) ?? [];
  return {
    product: /mariadb/i.test(versionText) ? 'MariaDB' : 'MySQL',
    version: [Number(major), Number(minor), Number(patch)],
    versionText,
  };
}

function queryOn(connection: Connection): SqlClient['query'] {
  return async (sql, parameters = []): Promise<SqlResult> => {
    const [answer] = await connection.query(sql, [...parameters]);
    if (!Array.isArray(answer)) return { rows: [], rowCount: (answer as ResultSetHeader).affectedRows };
    const rows = (answer as Record<string, string | null>[]).map(lowerCased);
    return { rows, rowCount: rows.length };
  };
}

function lowerCased(row: Record<string, string | null>): Record<string, string | null> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name.toLowerCase(), value]));
}

const CLOSE_MS = 2000;

async function close(connection: Connection): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const cut = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS);
  });
  await Promise.race([connection.end().catch(() => undefined), cut]);
  clearTimeout(timer);
  connection.destroy();
}
