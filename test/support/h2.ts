import { accessSync } from 'node:fs';
import pg from 'pg';
import { endProcess, spawnOwned } from '../../demo/parts/owned-process.js';
import { findExecutable, pathFolders } from '../../setup/locations.mjs';
import type { Bind, BatchError, BindKind, OracleClient, OracleRow } from '../../src/targets/oracle/client.js';
import { LIKE_ORACLE_FOR_CHECKS } from './h2-catalogue.js';
import { freePort } from './ports.js';
import { until } from './until.js';

const JAR = '/usr/share/java/h2.jar';

/** H2 in its Oracle mode, in the memory of a process that ends with this one. */
export interface H2 {
  /** A session of its own in `schema`, which is created where it is missing. */
  connect(schema: string): Promise<H2Session>;
  /** ... of a plain user, in a schema that is there. */
  connectAs(user: string, schema: string): Promise<H2Session>;
  stop(): Promise<void>;
}

/** A session of H2 that looks like one of Oracle's, as far as our statements go. */
export interface H2Session extends OracleClient {
  /** Statements that H2 has no counterpart of and that were left out, in the order in which they came. */
  readonly leftOut: readonly string[];
  /** Runs SQL of H2 as it is. */
  script(sql: string): Promise<readonly OracleRow[]>;
}

/** @throws when java or H2 is missing, in one line */
export async function startH2(): Promise<H2> {
  const java = findExecutable('java', pathFolders());
  if (java === undefined) throw new Error('java is missing, which runs H2: apt-get install default-jre-headless');
  try {
    accessSync(JAR);
  } catch {
    throw new Error(`${JAR} is missing: apt-get install libh2-java`);
  }
  const port = await freePort();
  const args = ['-Xmx256m', '-cp', JAR, 'org.h2.tools.Server', '-pg', '-pgPort', String(port), '-ifNotExists'];
  const child = spawnOwned(java, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const open = async (user = 'sa'): Promise<pg.Client> => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user,
      password: user,
      database: 'mem:oracle;DB_CLOSE_DELAY=-1',
      types: { getTypeParser: () => (text: string) => text },
    });
    client.on('error', () => undefined);
    await client.connect();
    // H2 sends an answer in small pieces, each held back until the one before is acknowledged: what we send acknowledges at once.
    const { stream } = client.connection;
    stream.on('data', () => stream.write(FLUSH));
    return client;
  };
  const ready = async (): Promise<true> => {
    if (child.exitCode !== null) return true;
    await (await open()).end();
    return true;
  };
  await until('H2 answers', ready, { timeoutMs: 30_000 });
  if (child.exitCode !== null) throw new Error(`H2 has ended at once: ${said.split('\n')[0] ?? ''}`);
  const clients: pg.Client[] = [];
  return {
    async connect(schema) {
      const client = await open();
      clients.push(client);
      await client.query(`SET MODE Oracle; CREATE SCHEMA IF NOT EXISTS "${schema}"; SET SCHEMA "${schema}"`);
      await client.query('SET LOCK_TIMEOUT 2000');
      for (const sql of [...LIKE_ORACLE, ...LIKE_ORACLE_FOR_CHECKS]) await client.query(sql);
      return createSession(client);
    },
    async connectAs(user, schema) {
      const admin = await open();
      // Connecting sets the database's mode, which administrators only may.
      await admin.query(
        `CREATE USER IF NOT EXISTS "${user}" PASSWORD '${user}' ADMIN; ALTER USER "${user}" ADMIN TRUE`,
      );
      const client = await open(user);
      clients.push(client);
      await client.query(`SET MODE Oracle; SET SCHEMA "${schema}"`);
      await admin.query(`ALTER USER "${user}" ADMIN FALSE`);
      await admin.end();
      return createSession(client);
    },
    async stop() {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
      await endProcess(child, 'SIGTERM', 5_000);
    },
  };
}

/** The protocol's message Flush: nothing answers it. */
const FLUSH = Buffer.from([0x48, 0, 0, 0, 4]);

/** What H2's Oracle mode lacks and our statements use. Views of the catalogue give what Oracle's own give, as far as we read them. */
const LIKE_ORACLE: readonly string[] = [
  `CREATE ALIAS IF NOT EXISTS TO_BINARY_DOUBLE FOR "java.lang.Double.valueOf(java.lang.String)"`,
  `CREATE ALIAS IF NOT EXISTS TO_BINARY_FLOAT FOR "java.lang.Float.valueOf(java.lang.String)"`,
  `CREATE OR REPLACE VIEW ALL_TAB_COLS AS
   SELECT c.table_schema AS OWNER, c.table_name AS TABLE_NAME, c.column_name AS COLUMN_NAME, c.ordinal_position AS COLUMN_ID,
     CASE c.type_name
       WHEN 'CHARACTER VARYING' THEN 'VARCHAR2' WHEN 'CHARACTER' THEN 'CHAR' WHEN 'CHARACTER LARGE OBJECT' THEN 'CLOB'
       WHEN 'BINARY LARGE OBJECT' THEN 'BLOB' WHEN 'BINARY VARYING' THEN 'RAW' WHEN 'NUMERIC' THEN 'NUMBER' WHEN 'DECFLOAT' THEN 'NUMBER'
       WHEN 'DOUBLE PRECISION' THEN 'BINARY_DOUBLE' WHEN 'REAL' THEN 'BINARY_FLOAT'
       WHEN 'TIMESTAMP' THEN CASE c.datetime_precision WHEN 0 THEN 'DATE' ELSE 'TIMESTAMP(' || c.datetime_precision || ')' END
       WHEN 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP(' || c.datetime_precision || ') WITH TIME ZONE'
       WHEN 'INTERVAL' THEN CASE
         WHEN upper(c.interval_type) = 'YEAR TO MONTH' THEN 'INTERVAL YEAR(' || c.interval_precision || ') TO MONTH'
         ELSE 'INTERVAL DAY(' || c.interval_precision || ') TO SECOND(' || c.datetime_precision || ')' END
       ELSE c.type_name END AS DATA_TYPE,
     CASE WHEN c.type_name LIKE '%CHAR%' OR c.type_name = 'BINARY VARYING' THEN c.character_maximum_length ELSE 22 END AS DATA_LENGTH,
     CASE WHEN c.type_name = 'NUMERIC' THEN c.declared_numeric_precision WHEN c.type_name = 'INTERVAL' THEN c.interval_precision END AS DATA_PRECISION,
     CASE WHEN c.type_name = 'NUMERIC' THEN coalesce(c.declared_numeric_scale, 0) WHEN c.type_name LIKE 'TIME%' OR c.type_name = 'INTERVAL' THEN c.datetime_precision END AS DATA_SCALE,
     CASE WHEN c.type_name LIKE 'CHARACTER%' THEN c.character_maximum_length ELSE 0 END AS CHAR_LENGTH,
     CASE WHEN c.type_name LIKE 'CHARACTER%' THEN 'C' END AS CHAR_USED,
     CASE c.is_nullable WHEN 'YES' THEN 'Y' ELSE 'N' END AS NULLABLE,
     CASE c.is_generated WHEN 'ALWAYS' THEN 'YES' ELSE 'NO' END AS VIRTUAL_COLUMN,
     'NO' AS HIDDEN_COLUMN, 'YES' AS USER_GENERATED,
     c.is_identity AS IDENTITY_COLUMN, c.column_default AS DATA_DEFAULT, 'USING_NLS_COMP' AS COLLATION, 'NO' AS DEFAULT_ON_NULL
   FROM (SELECT *, upper(data_type) AS type_name FROM information_schema.columns) AS c`,
  `CREATE OR REPLACE VIEW ALL_TAB_IDENTITY_COLS AS
   SELECT table_schema AS OWNER, table_name AS TABLE_NAME, column_name AS COLUMN_NAME, identity_generation AS GENERATION_TYPE
   FROM information_schema.columns WHERE is_identity = 'YES'`,
  `CREATE OR REPLACE VIEW ALL_TABLES AS
   SELECT table_schema AS OWNER, table_name AS TABLE_NAME, CASE WHEN table_type LIKE '%TEMPORARY' THEN 'Y' ELSE 'N' END AS TEMPORARY,
     'NO' AS READ_ONLY, 'NO' AS PARTITIONED, 'DISABLED' AS ROW_MOVEMENT
   FROM information_schema.tables WHERE table_type <> 'VIEW'`,
  `CREATE OR REPLACE VIEW ALL_TAB_COMMENTS AS
   SELECT table_schema AS OWNER, table_name AS TABLE_NAME, remarks AS COMMENTS FROM information_schema.tables`,
  `CREATE OR REPLACE VIEW ALL_JSON_COLUMNS AS
   SELECT table_schema AS OWNER, table_name AS TABLE_NAME, column_name AS COLUMN_NAME, 'TEXT' AS FORMAT
   FROM information_schema.columns WHERE FALSE`,
  `CREATE OR REPLACE VIEW ALL_CONSTRAINTS AS
   SELECT t.constraint_schema AS OWNER, t.constraint_name AS CONSTRAINT_NAME, t.table_name AS TABLE_NAME,
     CASE t.constraint_type WHEN 'PRIMARY KEY' THEN 'P' WHEN 'UNIQUE' THEN 'U' WHEN 'FOREIGN KEY' THEN 'R' ELSE 'C' END AS CONSTRAINT_TYPE,
     r.unique_constraint_schema AS R_OWNER, r.unique_constraint_name AS R_CONSTRAINT_NAME,
     CASE r.delete_rule WHEN 'RESTRICT' THEN 'NO ACTION' ELSE r.delete_rule END AS DELETE_RULE,
     'ENABLED' AS STATUS, 'NOT DEFERRABLE' AS "deferrable", 'IMMEDIATE' AS "deferred", t.index_schema AS INDEX_OWNER, t.index_name AS INDEX_NAME,
     (SELECT k.check_clause FROM information_schema.check_constraints AS k
       WHERE k.constraint_schema = t.constraint_schema AND k.constraint_name = t.constraint_name) AS SEARCH_CONDITION_VC
   FROM information_schema.table_constraints AS t
   LEFT JOIN information_schema.referential_constraints AS r
     ON r.constraint_schema = t.constraint_schema AND r.constraint_name = t.constraint_name`,
  `CREATE OR REPLACE VIEW ALL_CONS_COLUMNS AS
   SELECT constraint_schema AS OWNER, constraint_name AS CONSTRAINT_NAME, table_name AS TABLE_NAME, column_name AS COLUMN_NAME,
     ordinal_position AS "position"
   FROM information_schema.key_column_usage`,
  `CREATE OR REPLACE VIEW ALL_INDEXES AS
   SELECT index_schema AS OWNER, index_name AS INDEX_NAME, table_schema AS TABLE_OWNER, table_name AS TABLE_NAME,
     CASE WHEN index_type_name IN ('UNIQUE INDEX', 'PRIMARY KEY') THEN 'UNIQUE' ELSE 'NONUNIQUE' END AS UNIQUENESS
   FROM information_schema.indexes`,
  `CREATE OR REPLACE VIEW ALL_IND_COLUMNS AS
   SELECT index_schema AS INDEX_OWNER, index_name AS INDEX_NAME, table_schema AS TABLE_OWNER, table_name AS TABLE_NAME,
     column_name AS COLUMN_NAME, ordinal_position AS COLUMN_POSITION
   FROM information_schema.index_columns`,
];

/** Numbers of H2's errors, and those with which Oracle says the same. */
const ORA_OF_H2: Readonly<Record<string, number>> = {
  22001: 12899,
  22003: 1438,
  22004: 1438,
  22007: 1843,
  22012: 1476,
  22018: 1722,
  22037: 1722,
  23502: 1400,
  23503: 2292,
  23505: 1,
  23506: 2291,
  23507: 2292,
  23513: 2290,
  40001: 60,
  42102: 942,
  42104: 942,
  42122: 904,
  50200: 30006,
  57014: 1013,
  90067: 3113,
  90096: 1031,
  90098: 3113,
  90121: 3113,
};

/** An error as the driver gives it: `ORA-00001: ...` and its number. */
class OraError extends Error {
  readonly code: string;
  constructor(
    readonly errorNum: number,
    words: string,
    options: { cause: unknown },
  ) {
    const code = `ORA-${String(errorNum).padStart(5, '0')}`;
    super(`${code}: ${words}`, options);
    this.code = code;
  }
}

function toOraError(error: unknown): unknown {
  const message = error instanceof Error ? error.message : '';
  const [, number = ''] = /\[(\d+)-\d+\]\s*$/.exec(message) ?? [];
  if (/NUMERIC|DECFLOAT/.test(message) && number === '22001')
    return new OraError(1438, words(1438, message), { cause: error });
  const ora = ORA_OF_H2[number];
  if (ora !== undefined) return new OraError(ora, words(ora, message), { cause: error });
  if (/Connection terminated|not queryable|ECONNRESET/.test(message))
    return new OraError(3113, 'end-of-file', { cause: error });
  return error;
}

/** Oracle's manner of naming the constraint or the column. */
function words(number: number, message: string): string {
  const [, constraint = 'X'] = /"?(?:[\w ]*\.)?(CONSTRAINT_\w+|[A-Z][A-Z0-9_]*)(?::| ON |")/.exec(message) ?? [];
  const [, column = 'X'] = /column "([^" ]+)/.exec(message) ?? [];
  if (number === 1400 || number === 12899) return `"S"."T"."${column}" (${message})`;
  return `(S.${constraint}) ${message}`;
}

/**
 * H2's server of PostgreSQL's protocol loses its place when a statement with parameters is refused as it is read: so values are written into
 * the statement, as the literals of their kinds.
 */
function inlined(sql: string, binds: readonly Bind[]): string {
  let count = 0;
  const text = sql.replace(/'(?:[^']|'')*'|"[^"]*"|:(\d+)\b/g, (part, place: string | undefined) => {
    if (place === undefined) return part;
    // The driver takes values in the order in which their places stand, and each place once.
    if (Number(place) !== ++count) throw new Error(`:${place} stands where the driver takes value ${count}: ${sql}`);
    return literal(binds[count - 1] ?? null);
  });
  if (count !== binds.length) throw new Error(`${binds.length} values for ${count} places, which is NJS-098: ${sql}`);
  return text;
}

function literal(value: Bind): string {
  if (value === null || value.length === 0) return 'NULL';
  return typeof value === 'string' ? `'${value.replaceAll(`'`, `''`)}'` : `X'${Buffer.from(value).toString('hex')}'`;
}

/** The driver takes bytes where they are announced only. */
function checkKinds(sql: string, binds: readonly Bind[], kinds: readonly BindKind[]): void {
  for (const [place, value] of binds.entries())
    if (value !== null && (typeof value !== 'string') !== (kinds[place] === 'bytes'))
      throw new Error(`value ${place + 1} is not of the kind that is announced, which is NJS-011: ${sql}`);
}

/** H2 checks constraints at once and has its settings elsewhere. */
const NOT_IN_H2 = /^(ALTER SESSION|SET CONSTRAINTS|SET TRANSACTION)/;

function createSession(client: pg.Client): H2Session {
  const leftOut: string[] = [];
  let begun = false;
  const run = async (sql: string): Promise<pg.QueryResult<Record<string, string | null>>> => {
    try {
      // A transaction begins by itself in Oracle.
      if (!begun) await client.query('BEGIN');
      begun = true;
      return await client.query<Record<string, string | null>>(sql);
    } catch (error) {
      throw toOraError(error);
    }
  };
  const end = async (how: 'COMMIT' | 'ROLLBACK'): Promise<void> => {
    try {
      if (begun) await client.query(how);
    } catch (error) {
      throw toOraError(error);
    } finally {
      begun = false;
    }
  };
  return {
    leftOut,
    async script(sql) {
      const { rows } = await client.query<Record<string, string | null>>(sql);
      return rows;
    },
    async execute(sql, binds = [], kinds = []) {
      checkKinds(sql, binds, kinds);
      if (NOT_IN_H2.test(sql)) {
        leftOut.push(sql);
        return { rows: [], rowCount: 0 };
      }
      // H2 asks for privileges when a statement is run; those that are explained find no row.
      const runnable = sql.replace(/^EXPLAIN PLAN FOR /, '').replace(/FOR UPDATE WAIT \d+/, 'FOR UPDATE');
      const { rows, rowCount } = await run(inlined(runnable, binds));
      return { rows: rows.map(lowerCased), rowCount: rowCount ?? rows.length };
    },
    async executeMany(sql, rows, kinds = []) {
      for (const row of rows) checkKinds(sql, row, kinds);
      const errors: BatchError[] = [];
      for (const [offset, binds] of rows.entries()) {
        try {
          await run(inlined(sql, binds));
        } catch (error) {
          // What it has done it has undone, as in Oracle.
          if (!(error instanceof OraError)) throw error;
          errors.push({ offset, error });
        }
      }
      return errors;
    },
    commit: () => end('COMMIT'),
    rollback: () => end('ROLLBACK'),
    break: () => Promise.resolve(),
    close: () => client.end().catch(() => undefined),
  };
}

function lowerCased(row: Readonly<Record<string, string | null>>): OracleRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name.toLowerCase(), value]));
}
