import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { parseHlc } from '../../../src/domain/hlc.js';
import { TargetRefusedError } from '../../../src/targets/failures.js';
import type { SqlClient } from '../../../src/targets/portable/sql-client.js';
import type { CheckpointStore } from '../../../src/targets/target.js';
import { createCheckpointStore } from '../../../src/targets/portable/checkpoint-store.js';
import { until } from '../../support/until.js';
import { startMariadbBackend, type MariadbBackend, type Session } from './backends.js';

const CURSOR = parseHlc('1759246920563173000.0000000007');
const ORIGIN = { clusterId: 'c1', tableIds: {} };

let backend: MariadbBackend;
before(async () => {
  backend = await startMariadbBackend();
});
after(() => backend.stop());

const tablesOf = async ({ client, schema }: Session): Promise<readonly (string | null | undefined)[]> => {
  const sql = 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ? ORDER BY 1';
  return (await client.query(sql, [schema])).rows.map(({ name }) => name);
};
const isThere = async ({ client, schema }: Session): Promise<boolean> =>
  (await client.query('SELECT 1 AS one FROM information_schema.schemata WHERE schema_name = ?', [schema])).rows.length >
  0;
const OURS = ['checkpoint', 'checkpoint_group', 'claim', 'dead_letters', 'guard', 'run'].map(
  (name) => `failback_${name}`,
);

test('several that make the tables at once all succeed, and the database is known as ours', async (t) => {
  const schema = backend.newSchema();
  const sessions = await Promise.all([1, 2, 3, 4].map(() => backend.connect(t, schema)));
  await Promise.all(sessions.map(({ store }) => store.ensureSchema()));
  const [first] = sessions as [Session];
  assert.deepEqual(await tablesOf(first), OURS);
  await first.store.removeRun('none');
  assert.equal(await isThere(first), false);
});

test('what somebody makes by hand at the same moment does no harm', async (t) => {
  const session = await backend.connect(t, backend.newSchema());
  const hand = await backend.connect(t, session.schema);
  const store = storeBefore(session, async (sql) => {
    const first = sql.startsWith('CREATE DATABASE') || (sql.startsWith('CREATE TABLE') && sql.includes('claim'));
    if (first) await hand.client.query(sql);
  });
  await store.ensureSchema();
  assert.deepEqual(await tablesOf(session), OURS);
  await session.store.removeRun('none');
  assert.deepEqual(await tablesOf(session), [], 'the tables were ours');
  assert.equal(await isThere(session), true, 'the database was not');
});

/** The store of a session whose client is told of each statement before it is sent. */
function storeBefore(session: Session, sent: (sql: string) => Promise<void>): CheckpointStore {
  const client: SqlClient = {
    ...session.client,
    async query(sql, parameters) {
      await sent(sql);
      return session.client.query(sql, parameters);
    },
  };
  return createCheckpointStore({ ...session, ...session.errors, client, close: () => Promise.resolve() });
}

const FIRST_ROWS: readonly (readonly [what: string, write: (store: CheckpointStore) => Promise<unknown>])[] = [
  ['checkpoint', (store) => store.insertOnce({ stream: 'new', run: 'new', cursor: CURSOR, origin: ORIGIN })],
  ['run', (store) => store.writeRun({ run: 'new', phase: 'prepare', state: {} })],
  ['claim', (store) => store.claimTables('new', [{ schema: 'shop', table: 'orders' }])],
];
for (const [table, write] of FIRST_ROWS)
  test(`the first ${table} row of a run that begins while the tables are dropped is not lost with them (rule 34)`, async (t) => {
    const ending = await backend.connect(t, backend.newSchema());
    const other = await backend.connect(t, ending.schema);
    const watcher = await backend.connect(t, ending.schema);
    await ending.store.ensureSchema();
    const written: Promise<unknown>[] = [];
    let done = false;
    const store = storeBefore(ending, async (sql) => {
      if (!sql.startsWith('DROP')) return;
      if (written.length === 0) written.push(write(other.store).finally(() => (done = true)));
      await until('the row is written, or waits', async () => done || (await waitsForLock(watcher)));
    });
    await store.removeRun('old');
    assert.equal(written.length, 1, 'there was something to drop');
    await Promise.all(written);
    assert.deepEqual(await ending.rows(`SELECT run FROM {${table}}`), [['new']]);
  });

async function waitsForLock({ client }: Session): Promise<boolean> {
  const sql = `SELECT id FROM information_schema.processlist WHERE state = 'User lock'`;
  return (await client.query(sql)).rows.length > 0;
}

test('the end of a run waits for nobody’s window', async (t) => {
  const session = await backend.connect(t, backend.newSchema());
  for (const run of ['one', 'two']) {
    await session.store.insertOnce({ stream: run, run, cursor: CURSOR, origin: ORIGIN });
    await session.rows(
      `INSERT INTO {guard} (stream, source_table, key_hash, hlc, run) VALUES ('${run}', 't', 'h', 1, '${run}')`,
    );
  }
  const window = await backend.connect(t, session.schema);
  await window.client.begin();
  await window.rows(`UPDATE {checkpoint} SET applied = applied + 1 WHERE stream = 'two'`);
  await window.rows(`DELETE FROM {guard} WHERE stream = 'two'`);
  await session.store.removeRun('one');
  assert.equal(await session.store.read('one'), null);
  await window.client.commit();
  assert.equal((await session.store.read('two'))?.run, 'two');
});

for (const [what, theirs] of [
  ['table', 'CREATE TABLE x.theirs (id int)'],
  ['view', 'CREATE VIEW x.theirs AS SELECT 1 AS one'],
  ['procedure', 'CREATE PROCEDURE x.theirs() SELECT 1'],
  ['event', 'CREATE EVENT x.theirs ON SCHEDULE EVERY 1 DAY DO SELECT 1'],
  ['sequence', 'CREATE SEQUENCE x.theirs'],
] as const)
  test(`a database with somebody else's ${what} stays, without our tables`, async (t) => {
    const session = await backend.connect(t, backend.newSchema());
    await session.store.ensureSchema();
    await session.client.query(theirs.replace('x.', `${session.schema}.`));
    await session.store.removeRun('one');
    assert.equal(await isThere(session), true);
    assert.deepEqual(
      (await tablesOf(session)).filter((name) => name?.startsWith('failback_')),
      [],
    );
  });

test('a database that somebody else has made stays, empty as it was', async (t) => {
  const session = await backend.connect(t, backend.newSchema());
  await session.client.query(`CREATE DATABASE ${session.schema}`);
  await session.store.ensureSchema();
  await session.store.removeRun('one');
  assert.deepEqual([await isThere(session), await tablesOf(session)], [true, []]);
});

test('a database and a table that somebody else has made are never dropped', async (t) => {
  const session = await backend.connect(t, backend.newSchema());
  await session.client.query(`CREATE DATABASE ${session.schema}`);
  await session.client.query(
    `CREATE TABLE ${session.schema}.failback_claim (table_name VARCHAR(400) PRIMARY KEY, run VARCHAR(255)) ENGINE = InnoDB`,
  );
  await session.store.ensureSchema();
  await session.store.removeRun('one');
  assert.deepEqual(await tablesOf(session), ['failback_claim']);
});

test('a checkpoint table that a crash may empty is refused (rule 23)', async (t) => {
  const session = await backend.connect(t, backend.newSchema());
  await session.client.query(`CREATE DATABASE ${session.schema}`);
  await session.client.query(
    `CREATE TABLE ${session.schema}.failback_run (run VARCHAR(255) PRIMARY KEY) ENGINE = MyISAM`,
  );
  await assert.rejects(session.store.ensureSchema(), (error) => {
    assert.ok(error instanceof TargetRefusedError);
    assert.match(error.message, /run ALTER TABLE `t_\w+`\.failback_run ENGINE = InnoDB/);
    return true;
  });
  assert.deepEqual(await tablesOf(session), ['failback_run'], 'nothing else was created');
});

test('the engine is stated, whatever the default is (rule 23)', async (t: TestContext) => {
  const session = await backend.connect(t, backend.newSchema());
  await session.client.query(`SET SESSION default_storage_engine = 'MyISAM'`);
  await session.store.ensureSchema();
  const { tables } = await session.dialect.schema.read(session.client, session.schema);
  assert.ok(tables.every(({ durable }) => durable));
});

test('a user without CREATE and DROP works with tables that are there, and they stay', async (t) => {
  const admin = await backend.connect(t, backend.newSchema());
  const { schema } = admin;
  await admin.store.ensureSchema();
  const user = `u_${schema}`;
  await admin.client.query(`CREATE USER '${user}'@'127.0.0.1' IDENTIFIED BY 'x'`);
  await admin.client.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.* TO '${user}'@'127.0.0.1'`);
  const narrow = await backend.connect(t, schema, { user: `${user}:x` });
  await narrow.store.ensureSchema();
  await narrow.store.insertOnce({ stream: 's', run: 'r', cursor: CURSOR, origin: ORIGIN });
  assert.deepEqual(await narrow.store.removeRun('r'), { count: 0, tables: [] });
  assert.equal(await narrow.store.read('s'), null);
  assert.deepEqual(await tablesOf(admin), OURS);
  const elsewhere = await backend.connect(t, backend.newSchema(), { user: `${user}:x` });
  await assert.rejects(elsewhere.store.ensureSchema(), TargetRefusedError);
});

test('the lock under which tables are made and dropped goes with its session', async (t) => {
  const session = await backend.connect(t, backend.newSchema());
  const holder = await backend.connect(t, session.schema);
  let [taken, freed] = [false, false];
  const held = holder.dialect.schema.exclusively?.(holder.client, session.schema, async () => {
    taken = true;
    await until('the lock is freed', () => freed);
  });
  await until('the lock is taken', () => taken);
  let made = false;
  const making = session.store.ensureSchema().then(() => (made = true));
  await until('it waits', () => waitsForLock(holder));
  assert.equal(made, false);
  await holder.store.close();
  await making;
  freed = true;
  await held;
  assert.deepEqual(await tablesOf(session), OURS);
});
