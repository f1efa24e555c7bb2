import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { StreamPlan } from '../../../src/domain/table.js';
import { openMysqlCheckpointStore } from '../../../src/targets/mysql/checkpoint-store.js';
import { connectMysql, type MysqlClient } from '../../../src/targets/mysql/client.js';
import { openMysqlApplySession, type MysqlApplyOptions } from '../../../src/targets/mysql/session.js';
import type { ApplyMutation, ApplySession } from '../../../src/targets/target.js';
import type { Mariadb } from '../../support/mariadb.js';
import { at, planOf, remove, upsert, windowOf } from '../postgres/apply-fixture.js';

export { at, remove, upsert, windowOf };

/** A database of its own with the stream's checkpoint row, at `at(0)`, under the token `token`. */
export interface ApplyFixture {
  readonly admin: MysqlClient;
  readonly database: string;
  readonly stream: string;
  readonly token: string;
  open(options?: Partial<MysqlApplyOptions>): Promise<ApplySession>;
  options(options?: Partial<MysqlApplyOptions>): MysqlApplyOptions;
  /** Applies the changes as the window up to `to`, from where the last one ended. */
  apply(to: number, changes: readonly ApplyMutation[]): Promise<Awaited<ReturnType<ApplySession['apply']>>>;
  /** Rows of a query, every value as text. */
  rows(sql: string): Promise<(string | null)[][]>;
}

/** Closed after the test `t`, whatever its end. `tables` as for `planOf`. */
export async function createApplyFixture(
  t: Pick<TestContext, 'after'>,
  mariadb: Mariadb,
  ddl: readonly string[],
  tables: readonly string[],
  over: Partial<MysqlApplyOptions> = {},
): Promise<ApplyFixture> {
  const database = `t_${randomUUID().replaceAll('-', '')}`;
  const maintenance = await connectMysql({ connectionString: mariadb.url(), applicationName: 'test' });
  await maintenance.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  await maintenance.close();
  const connectionString = mariadb.url(database);
  const admin = await connectMysql({ connectionString, applicationName: 'test' });
  for (const statement of ddl) await admin.query(statement);
  const stream = `orders ${database}`;
  const token = randomUUID();
  const store = await openMysqlCheckpointStore({ connectionString, applicationName: 'test' }, database);
  await store.ensureSchema();
  await store.insertOnce({ stream, run: 'run', cursor: at(0), origin: ORIGIN });
  await store.close();
  const opened: ApplySession[] = [];
  t.after(async () => {
    await Promise.all(opened.map((session) => session.close()));
    await admin.close();
  });
  const plan: StreamPlan = planOf(tables).map((table) => ({
    ...table,
    target: { schema: database, table: table.target.table },
  }));
  const options = (more: Partial<MysqlApplyOptions> = {}): MysqlApplyOptions => ({
    connectionString,
    plan,
    stream,
    checkpointSchema: database,
    flushSize: 1000,
    extraColumns: 'error',
    enforcementOff: false,
    collapseMutations: true,
    lockTimeoutMs: 1000,
    idleInTransactionTimeoutMs: 60_000,
    ...over,
    ...more,
  });
  const open = async (more: Partial<MysqlApplyOptions> = {}): Promise<ApplySession> => {
    const session = await openMysqlApplySession(options(more));
    opened.push(session);
    return session;
  };
  const owner = await open();
  await owner.takeToken(token);
  let from = 0;
  return {
    admin,
    database,
    stream,
    token,
    open,
    options,
    async apply(to, changes) {
      const figures = await owner.apply(token, windowOf(from, to, changes));
      from = to;
      return figures;
    },
    async rows(sql) {
      return (await admin.query(sql)).rows.map((row) => Object.values(row));
    },
  };
}

const ORIGIN = { clusterId: 'cluster', tableIds: {} };
