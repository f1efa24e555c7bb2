import oracledb from 'oracledb';
import { readConnectionString } from './connection-string.js';
import { toTargetError } from './errors.js';

/** One dedicated connection to an Oracle database. */
export interface OracleConnection {
  /** `oracle://...`; holds the password, so it is never shown. */
  readonly connectionString: string;
  /** Shown in V$SESSION.MODULE, e.g. `failback orders`. */
  readonly applicationName: string;
  /** Longest wait for the connection, in milliseconds; 10,000 by default. */
  readonly connectTimeoutMs?: number;
  /**
   * Longest round trip, in milliseconds; absent: as long as it takes. An UPDATE has no lock time-out in Oracle: it waits for as long as another
   * transaction holds the row, so that nothing but this ends it. The statement is undone then, and the transaction goes on.
   */
  readonly callTimeoutMs?: number;
  /** Longest wait of a statement that asks for a table's lock, in milliseconds. */
  readonly lockTimeoutMs?: number;
}

/** A value on its way: characters or bytes. */
export type Bind = string | Uint8Array | null;

/** As what a place of a statement is sent: characters of the database's set, of its national set, or bytes. */
export type BindKind = 'text' | 'national' | 'bytes';

/** Rows by their lower-case alias, each value as text. */
export type OracleRow = Readonly<Record<string, string | null>>;

/** What one row of an array bind met with. */
export interface BatchError {
  /** Its place among the rows, from 0. */
  readonly offset: number;
  readonly error: unknown;
}

/**
 * The part of a driver that the dialect stands on. Statements have `:1`, `:2`, ... A transaction begins with the first statement that writes, and
 * every statement of data definition ends it. Errors are the driver's own.
 */
export interface OracleClient {
  execute(
    sql: string,
    binds?: readonly Bind[],
    kinds?: readonly BindKind[],
  ): Promise<{ readonly rows: readonly OracleRow[]; readonly rowCount: number }>;
  /**
   * Runs a statement that writes once for each row of values, in one round trip. Returns the rows that failed; every other is written. Any error
   * that is none of a row's is thrown.
   */
  executeMany(
    sql: string,
    rows: readonly (readonly Bind[])[],
    kinds?: readonly BindKind[],
  ): Promise<readonly BatchError[]>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Interrupts what runs at the moment: it fails with ORA-01013. */
  break(): Promise<void>;
  /** Ends the session, whatever it is doing; a connection that does not answer is cut. */
  close(): Promise<void>;
}

/**
 * What every session of ours needs, whatever the user's or the database's own settings say: numbers and dates are read and written in one
 * spelling, and a commit is durable (protocol rule 23).
 */
const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  NLS_NUMERIC_CHARACTERS: `'.,'`,
  NLS_DATE_FORMAT: `'SYYYY-MM-DD HH24:MI:SS'`,
  NLS_TIMESTAMP_FORMAT: `'SYYYY-MM-DD HH24:MI:SS.FF9'`,
  NLS_TIMESTAMP_TZ_FORMAT: `'SYYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM'`,
  NLS_CALENDAR: `'GREGORIAN'`,
  NLS_SORT: 'BINARY',
  NLS_COMP: 'BINARY',
  NLS_LENGTH_SEMANTICS: 'BYTE',
  TIME_ZONE: `'+00:00'`,
  ISOLATION_LEVEL: 'READ COMMITTED',
  COMMIT_WAIT: `'WAIT'`,
  COMMIT_LOGGING: `'IMMEDIATE'`,
};

/**
 * Opens a connection and sets the session up. The caller closes it.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function connectOracle(config: OracleConnection): Promise<OracleClient> {
  const address = readConnectionString(config.connectionString);
  const seconds = Math.max(1, Math.ceil((config.connectTimeoutMs ?? 10_000) / 1000));
  let connection: oracledb.Connection | null = null;
  try {
    connection = await oracledb.getConnection({
      user: address.user,
      password: address.password,
      connectString: address.connectString,
      transportConnectTimeout: seconds,
      connectTimeout: seconds,
      // The driver notices a server that is gone (protocol rule 24). In minutes.
      expireTime: 1,
      ...(address.walletLocation === null ? {} : { walletLocation: address.walletLocation }),
      ...(address.walletPassword === null ? {} : { walletPassword: address.walletPassword }),
      ...(address.serverDn === null ? {} : { sslServerCertDN: address.serverDn }),
    });
    connection.module = config.applicationName.slice(0, LONGEST_MODULE);
    const settings = {
      ...SESSION_SETTINGS,
      ...(config.lockTimeoutMs === undefined
        ? {}
        : { DDL_LOCK_TIMEOUT: String(Math.ceil(config.lockTimeoutMs / 1000)) }),
    };
    for (const [name, value] of Object.entries(settings))
      await connection.execute(`ALTER SESSION SET ${name} = ${value}`);
    connection.callTimeout = config.callTimeoutMs ?? 0;
    return createClient(connection);
  } catch (error) {
    await connection?.close({ drop: true }).catch(() => undefined);
    throw toTargetError(error, 'connecting');
  }
}

/** Bytes of V$SESSION.MODULE. */
const LONGEST_MODULE = 48;

function createClient(connection: oracledb.Connection): OracleClient {
  return {
    async execute(sql, binds = [], kinds = []) {
      const definitions = binds.map((_, place) => definitionOf([binds], place, kinds[place] ?? 'text'));
      const values = binds.map((value, place) => ({
        ...definitions[place],
        dir: oracledb.BIND_IN,
        val: toDriver(value),
      }));
      const result = await connection.execute<Record<string, string | null>>(sql, values, {
        outFormat: oracledb.OUT_FORMAT_OBJECT,
        fetchTypeHandler: asText,
      });
      const rows = (result.rows ?? []).map(lowerCased);
      return { rows, rowCount: result.rowsAffected ?? rows.length };
    },
    async executeMany(sql, rows, kinds = []) {
      const [first] = rows;
      if (first === undefined) return [];
      const result = await connection.executeMany(
        sql,
        rows.map((row) => row.map(toDriver)),
        {
          bindDefs: first.map((_, place) => definitionOf(rows, place, kinds[place] ?? 'text')),
          // No row counts: those of a MERGE are wrong behind the first error (node-oracledb 1686).
          batchErrors: true,
        },
      );
      return (result.batchErrors ?? []).map((error) => ({ offset: error.offset ?? 0, error }));
    },
    commit: () => connection.commit(),
    rollback: () => connection.rollback(),
    break: () => connection.break(),
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
      // Rolls back and ends the session. One that is still at work has to be interrupted first.
      const closed = connection
        .close({ drop: true })
        .catch(() => connection.break().then(() => connection.close({ drop: true })))
        .catch(() => undefined);
      await Promise.race([closed, late]);
      clearTimeout(timer);
    },
  };
}

const CLOSE_MS = 2000;

/** Numbers, dates and intervals are spelled by the server, to the last digit; long texts come whole. */
function asText({ dbType }: oracledb.Metadata<unknown>): oracledb.FetchTypeResponse | undefined {
  if (dbType === oracledb.DB_TYPE_BLOB) return { type: oracledb.DB_TYPE_RAW, converter: asHex };
  if (dbType === oracledb.DB_TYPE_BOOLEAN)
    return { converter: (value: unknown) => (typeof value === 'boolean' ? String(value) : null) };
  return NEVER_TEXT.has(dbType) ? undefined : { type: oracledb.DB_TYPE_VARCHAR };
}

/** RAWTOHEX takes no BLOB. */
function asHex(bytes: unknown): string | null {
  return Buffer.isBuffer(bytes) ? bytes.toString('hex') : null;
}

/** Text as it is, and what the driver has no text of: no statement asks for an interval. */
const NEVER_TEXT: ReadonlySet<unknown> = new Set([
  oracledb.DB_TYPE_VARCHAR,
  oracledb.DB_TYPE_INTERVAL_DS,
  oracledb.DB_TYPE_INTERVAL_YM,
]);

function lowerCased(row: Readonly<Record<string, string | null>>): OracleRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name.toLowerCase(), value]));
}

function toDriver(value: Bind): string | Buffer | null {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

/** The longest values of SQL, whatever MAX_STRING_SIZE is: beyond them, a value goes as a LOB of the session's. */
const LONGEST_TEXT = 4000;
const LONGEST_BYTES = 2000;

function definitionOf(
  rows: readonly (readonly Bind[])[],
  place: number,
  kind: BindKind,
): { readonly type: oracledb.DbType; readonly maxSize?: number } {
  let longest = 1;
  for (const row of rows) {
    const value = row[place] ?? '';
    longest = Math.max(longest, typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength);
  }
  switch (kind) {
    case 'bytes':
      return longest > LONGEST_BYTES
        ? { type: oracledb.DB_TYPE_BLOB }
        : { type: oracledb.DB_TYPE_RAW, maxSize: longest };
    case 'national':
      return longest * 2 > LONGEST_TEXT
        ? { type: oracledb.DB_TYPE_NCLOB }
        : { type: oracledb.DB_TYPE_NVARCHAR, maxSize: longest * 2 };
    case 'text':
      return longest > LONGEST_TEXT
        ? { type: oracledb.DB_TYPE_CLOB }
        : { type: oracledb.DB_TYPE_VARCHAR, maxSize: longest };
  }
}
