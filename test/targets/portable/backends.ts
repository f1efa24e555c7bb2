import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { createCheckpointClient as createMysqlClient } from '../../../src/targets/mysql/checkpoint-client.js';
import { mysqlCheckpointDialect } from '../../../src/targets/mysql/checkpoint-dialect.js';
import { connectMysql } from '../../../src/targets/mysql/client.js';
import * as mysqlErrors from '../../../src/targets/mysql/errors.js';
import { createCheckpointClient as createOracleClient } from '../../../src/targets/oracle/checkpoint-client.js';
import { oracleCheckpointDialect } from '../../../src/targets/oracle/checkpoint-dialect.js';
import * as oracleErrors from '../../../src/targets/oracle/errors.js';
import type { CheckpointTable } from '../../../src/targets/portable/checkpoint-ddl.js';
import type { CheckpointAccess, CheckpointDialect } from '../../../src/targets/portable/checkpoint-dialect.js';
import { createCheckpointStore } from '../../../src/targets/portable/checkpoint-store.js';
import type { ErrorWords } from '../../../src/targets/session/parts.js';
import type { CheckpointStore } from '../../../src/targets/target.js';
import { startH2 } from '../../support/h2.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';

/** A server that keeps the checkpoint tables, through its dialect. */
export interface Backend {
  readonly dialect: CheckpointDialect;
  /** Empty tables are dropped when the last run has ended. */
  readonly drops: boolean;
  newSchema(): string;
  /** A session of its own, ended after the test. */
  connect(t: Pick<TestContext, 'after'>, schema: string, options?: ConnectOptions): Promise<Session>;
  stop(): Promise<void>;
}

export interface ConnectOptions {
  readonly lockTimeoutMs?: number;
  /** Of a proxy before the server. */
  readonly port?: number;
  /** `name:password` */
  readonly user?: string;
}

export interface Session extends CheckpointAccess {
  readonly errors: ErrorWords;
  readonly store: CheckpointStore;
  /** Rows of a query, every value as text. `{checkpoint}` stands for the table. */
  rows(sql: string): Promise<readonly (string | null)[][]>;
}

export interface MariadbBackend extends Backend {
  readonly server: Mariadb;
}

export async function startMariadbBackend(): Promise<MariadbBackend> {
  const server = await startMariadb();
  return {
    server,
    dialect: mysqlCheckpointDialect,
    drops: true,
    newSchema: () => `t_${randomUUID().slice(0, 8)}`,
    async connect(t, schema, { lockTimeoutMs = 1000, port = server.port, user = 'failback:failback' } = {}) {
      const connectionString = `mysql://${user}@127.0.0.1:${port}/`;
      const client = await connectMysql({ connectionString, applicationName: 'failback test', lockTimeoutMs });
      t.after(() => client.close());
      const close = () => client.close();
      const access = { client: createMysqlClient(client), dialect: mysqlCheckpointDialect, schema, lockTimeoutMs };
      return sessionOf(access, MYSQL_WORDS, close);
    },
    stop: () => server.stop(),
  };
}

const MYSQL_WORDS: ErrorWords = {
  ...mysqlErrors,
  causeOf: (error) => new mysqlErrors.MysqlError(error),
  endingSessions: 'KILL <process> ends it',
};

const ORACLE_WORDS: ErrorWords = {
  ...oracleErrors,
  causeOf: (error) => new oracleErrors.OracleError(error),
  endingSessions: 'ALTER SYSTEM KILL SESSION ends it',
};

/** H2 has Oracle's SQL, and sessions of its own kind. */
const h2Dialect: CheckpointDialect = {
  ...oracleCheckpointDialect,
  sessions: {
    async nameSession(client, name) {
      await client.query(`SET @NAME = ?`, [name]);
    },
    end: () => Promise.resolve(false),
    lockHolders: () => Promise.resolve([]),
  },
};

const CATALOGUE = [
  `CREATE OR REPLACE VIEW ALL_TABLES AS SELECT table_schema AS OWNER, table_name AS TABLE_NAME,
     CASE WHEN table_type LIKE '%TEMPORARY' THEN 'Y' ELSE 'N' END AS TEMPORARY FROM information_schema.tables`,
  `CREATE OR REPLACE VIEW ALL_TAB_COMMENTS AS SELECT table_schema AS OWNER, table_name AS TABLE_NAME, remarks AS COMMENTS
   FROM information_schema.tables`,
];

export async function startH2Backend(): Promise<Backend> {
  const server = await startH2();
  return {
    dialect: h2Dialect,
    drops: false,
    newSchema: () => `T_${randomUUID().slice(0, 8).toUpperCase()}`,
    async connect(t, schema, { lockTimeoutMs = 1000 } = {}) {
      const client = await server.connect(schema);
      t.after(() => client.close());
      await client.script(CATALOGUE.join('; '));
      const close = () => client.close();
      const access = { client: createOracleClient(client), dialect: h2Dialect, schema, lockTimeoutMs };
      return sessionOf(access, ORACLE_WORDS, close);
    },
    stop: () => server.stop(),
  };
}

function sessionOf(access: CheckpointAccess, errors: Session['errors'], close: () => Promise<void>): Session {
  const { client, dialect, schema } = access;
  return {
    ...access,
    errors,
    store: createCheckpointStore({ ...access, ...errors, close }),
    async rows(sql) {
      const named = sql.replace(/\{(\w+)\}/g, (_, table: CheckpointTable) => dialect.tableName(schema, table));
      return (await client.query(named)).rows.map((row) => Object.values(row));
    },
  };
}

export const BACKENDS: readonly (readonly [name: string, start: () => Promise<Backend>])[] = [
  ['MariaDB', startMariadbBackend],
  ['H2 as Oracle', startH2Backend],
];
