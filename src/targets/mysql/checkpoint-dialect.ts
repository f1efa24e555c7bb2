import { createHash } from 'node:crypto';
import { CHECKPOINT_TABLES, MADE_BY_US, serverName } from '../portable/checkpoint-ddl.js';
import type { CheckpointDialect, SchemaDialect, SessionDialect } from '../portable/checkpoint-dialect.js';
import type { SqlClient } from '../portable/sql-client.js';
import { TargetUnavailableError } from '../failures.js';
import { errnoOf } from './errors.js';

/** MySQL keeps no comment of a database: its tables' say whose it is. */
const DATABASE_TOO = ' So is its database.';

const schemaDialect: SchemaDialect = {
  async read(client, schema) {
    const names = CHECKPOINT_TABLES.map(serverName);
    const [database] = (await client.query(DATABASE, [schema])).rows;
    const { rows } = await client.query(TABLES, [schema, ...names]);
    return {
      schemaExists: database !== undefined,
      schemaIsOurs: rows.some(({ comment }) => comment === `${MADE_BY_US}${DATABASE_TOO}`),
      tables: CHECKPOINT_TABLES.flatMap((table) => {
        const found = rows.find(({ name }) => name === serverName(table));
        if (found === undefined) return [];
        const ours = found['comment']?.startsWith(MADE_BY_US) === true;
        return [{ table, ours, durable: found['engine'] === 'InnoDB' }];
      }),
    };
  },
  create: (schema) => `CREATE DATABASE ${quote(schema)} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
  // The engine is stated: a server's default may be one that a crash empties (protocol rule 23).
  createTable: (name, columns, schemaIsOurs) => [
    `CREATE TABLE ${name} (${columns}) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ` +
      `COMMENT = '${MADE_BY_US}${schemaIsOurs ? DATABASE_TOO : ''}'`,
  ],
  async exclusively(client, schema, work) {
    const name = `failback ${createHash('sha256').update(schema.toLowerCase()).digest('hex').slice(0, 32)}`;
    const { rows } = await client.query('SELECT GET_LOCK(?, ?) AS taken', [name, String(EXCLUSIVE_S)]);
    if (rows[0]?.['taken'] !== '1') throw new TargetUnavailableError('1205', busy(schema), { cause: undefined });
    try {
      return await work();
    } finally {
      // A session that has ended has no lock any more, either.
      await client.query('SELECT RELEASE_LOCK(?)', [name]).catch(() => undefined);
    }
  },
  async holdsMore(client, schema) {
    const names = CHECKPOINT_TABLES.map(serverName);
    const parameters = [schema, ...names, schema, schema];
    return (await client.query(OTHERS, parameters)).rows.length > 0;
  },
  drop: (schema) => `DROP DATABASE ${quote(schema)}`,
  makeDurable: (name) => `run ALTER TABLE ${name} ENGINE = InnoDB`,
};

/** Longest wait while another run makes or drops the tables, or writes its first row, in seconds. */
const EXCLUSIVE_S = 30;

function busy(schema: string): string {
  return (
    `another session has been making, dropping or beginning to fill the checkpoint tables in ${schema} for ${EXCLUSIVE_S} s: ` +
    `SHOW PROCESSLIST shows it, KILL <its id> ends it`
  );
}

/** database */
const DATABASE = 'SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name = ?';

const OURS = CHECKPOINT_TABLES.map(() => '?').join(', ');
/** database, tables */
const TABLES = `
  SELECT LOWER(table_name) AS name, engine AS engine, table_comment AS comment
  FROM information_schema.tables WHERE table_schema = ? AND LOWER(table_name) IN (${OURS})`;
/** database, tables, database, database */
const OTHERS = `
  SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ? AND LOWER(table_name) NOT IN (${OURS})
  UNION ALL SELECT routine_name FROM information_schema.routines WHERE routine_schema = ?
  UNION ALL SELECT event_name FROM information_schema.events WHERE event_schema = ?`;

/** A session is known by a lock that it holds as long as it lives: connection numbers are used again when a server restarts. */
const sessions: SessionDialect = {
  async nameSession(client, name) {
    const { rows } = await client.query('SELECT GET_LOCK(?, 0) AS taken', [name]);
    if (rows[0]?.['taken'] !== '1') throw new Error(`the session cannot be named ${name}`);
  },
  async end(client, names) {
    let ended = false;
    for (const name of names) {
      const id = (await client.query('SELECT IS_USED_LOCK(?) AS id', [name])).rows[0]?.['id'] ?? null;
      if (id === null) continue;
      try {
        await client.query(`KILL CONNECTION ${Number(id)}`);
        ended = true;
      } catch (error) {
        // It may have ended by itself; another user's is not ours to end.
        if (errnoOf(error) === NO_SUCH_THREAD) ended = true;
        else if (errnoOf(error) !== KILL_DENIED) throw error;
      }
    }
    return ended;
  },
  async lockHolders(client, schema, table) {
    const product = (await client.query('SELECT VERSION() AS version')).rows[0]?.['version'] ?? '';
    try {
      return /mariadb/i.test(product)
        ? await ids(client, MARIADB_LOCKERS, [])
        : await ids(client, MYSQL_LOCKERS, [schema, serverName(table)]);
    } catch (error) {
      if (DENIED.has(errnoOf(error) ?? 0)) return [];
      throw error;
    }
  },
};

async function ids(client: SqlClient, sql: string, parameters: readonly string[]): Promise<readonly string[]> {
  return (await client.query(sql, parameters)).rows.flatMap(({ id }) => id ?? []);
}

/** MariaDB shows whose transactions hold row locks, and of a lock only while it is waited for. */
const MARIADB_LOCKERS = `
  SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx
  WHERE trx_rows_locked > 0 AND trx_mysql_thread_id <> CONNECTION_ID() ORDER BY 1`;
/** database, table */
const MYSQL_LOCKERS = `
  SELECT DISTINCT t.processlist_id AS id FROM performance_schema.data_locks l
  JOIN performance_schema.threads t ON t.thread_id = l.thread_id
  WHERE l.object_schema = ? AND l.object_name = ? AND l.lock_type = 'RECORD' AND t.processlist_id <> CONNECTION_ID() ORDER BY 1`;

const NO_SUCH_THREAD = 1094;
const KILL_DENIED = 1095;
/** To a database, a table, an administrator's right. */
const DENIED: ReadonlySet<number> = new Set([1044, 1142, 1227]);

function quote(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

export const mysqlCheckpointDialect: CheckpointDialect = {
  tableName: (schema, table) => `${quote(schema)}.${serverName(table)}`,
  types: {
    text: (characters) => `VARCHAR(${characters})`,
    longText: 'LONGTEXT',
    hlc: 'DECIMAL(30,10)',
    timestamp: 'DATETIME(6)',
  },
  hlcParameter: 'CAST(? AS DECIMAL(30,10))',
  hlcText: (expression) => `CAST(${expression} AS CHAR)`,
  // The session's innodb_lock_wait_timeout.
  forUpdate: () => 'FOR UPDATE',
  updatesWaitForever: false,
  firstRows: (count) => `LIMIT ${count}`,
  schema: schemaDialect,
  sessions,
  errors: {
    // No such table, no such database.
    isMissingTable: (error) => [1146, 1049].includes(errnoOf(error) ?? 0),
    isDuplicate: (error) => errnoOf(error) === 1062,
    // Table, database.
    isAlreadyThere: (error) => [1050, 1007].includes(errnoOf(error) ?? 0),
    isDenied: (error) => DENIED.has(errnoOf(error) ?? 0),
  },
};
