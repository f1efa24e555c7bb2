import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { createCheckpointClient } from '../../../src/targets/oracle/checkpoint-client.js';
import { oracleCheckpointDialect } from '../../../src/targets/oracle/checkpoint-dialect.js';
import { toTargetError } from '../../../src/targets/oracle/errors.js';
import { oracleParts } from '../../../src/targets/oracle/session.js';
import type { CheckpointDialect } from '../../../src/targets/portable/checkpoint-dialect.js';
import { createCheckpointStore } from '../../../src/targets/portable/checkpoint-store.js';
import { createApplySession, type SessionOptions } from '../../../src/targets/session/session.js';
import type { ApplySession, CheckpointStore } from '../../../src/targets/target.js';
import type { H2, H2Session } from '../../support/h2.js';
import { at } from '../postgres/apply-fixture.js';
import { planIn } from './writer-fixture.js';

/** H2 has no DBMS_SESSION and ends no session of another. */
const dialect: CheckpointDialect = {
  ...oracleCheckpointDialect,
  sessions: {
    async nameSession(client, name) {
      await client.query('SET @NAME = ?', [name]);
    },
    end: () => Promise.resolve(false),
    lockHolders: () => Promise.resolve([]),
  },
};

/** A schema with the stream's checkpoint row at `at(0)`; the session that is opened first has its token. */
export interface SessionFixture {
  readonly admin: H2Session;
  readonly store: CheckpointStore;
  readonly stream: string;
  readonly open: (options?: Partial<SessionOptions>) => Promise<ApplySession>;
  /** Rows of a query, every value as text. */
  readonly rows: (sql: string) => Promise<(string | null)[][]>;
}

export async function createSessionFixture(
  t: Pick<TestContext, 'after'>,
  h2: H2,
  ddl: string,
  tables: readonly string[],
): Promise<SessionFixture> {
  const schema = `S${randomUUID().replaceAll('-', '').toUpperCase()}`;
  const admin = await h2.connect(schema);
  for (const statement of ddl.split(/;\s*$/m)) if (statement.trim() !== '') await admin.script(statement);
  const close = () => admin.close();
  const access = { client: createCheckpointClient(admin), dialect, schema, lockTimeoutMs: 1000 };
  const store = createCheckpointStore({ ...access, toTargetError, close });
  const stream = 'orders';
  await store.ensureSchema();
  await store.insertOnce({ stream, run: 'run', cursor: at(0), origin: { clusterId: 'c', tableIds: {} } });
  const opened: ApplySession[] = [];
  t.after(async () => {
    await Promise.all(opened.map((session) => session.close()));
    await admin.close();
  });
  return {
    admin,
    store,
    stream,
    open: async (over = {}) => {
      const options: SessionOptions = {
        plan: planIn(schema, tables),
        stream,
        checkpointSchema: schema,
        flushSize: 1000,
        extraColumns: 'error',
        enforcementOff: false,
        collapseMutations: true,
        lockTimeoutMs: 1000,
        idleInTransactionTimeoutMs: 60_000,
        ...over,
      };
      const session = createApplySession(oracleParts(await h2.connect(schema), options, dialect), options);
      opened.push(session);
      return session;
    },
    rows: async (sql) => {
      const { rows } = await admin.execute(sql);
      await admin.commit();
      return rows.map((row) => Object.values(row));
    },
  };
}
