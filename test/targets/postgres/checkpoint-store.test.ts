import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { formatHlc, parseHlc } from '../../../src/domain/hlc.js';
import { openPostgresCheckpointStore } from '../../../src/targets/postgres/checkpoint-store.js';
import { TargetRefusedError } from '../../../src/targets/failures.js';
import type { CheckpointStore } from '../../../src/targets/target.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';

const CURSOR = parseHlc('1759246920563173000.0000000007');
const LATER = parseHlc('1759246999999999999.0000000000');
const ORIGIN = { clusterId: 'c1', tableIds: { 'public.orders': '104' } };
const ORDERS = { schema: 'public', table: 'orders' };
const ITEMS = { schema: 'public', table: 'Items' };

let server: Postgres;
let admin: pg.Client;
const open: CheckpointStore[] = [];

before(async () => {
  server = await startPostgres();
  admin = new pg.Client({ connectionString: server.url() });
  await admin.connect();
});

after(async () => {
  for (const store of open) await store.close();
  await admin.end();
  await server.stop();
});

async function store(schema = '_failback', user?: string): Promise<CheckpointStore> {
  const connection = { connectionString: server.url('postgres', user), applicationName: 'failback test' };
  const opened = await openPostgresCheckpointStore(connection, schema);
  open.push(opened);
  return opened;
}

async function tablesOf(schema: string): Promise<string[] | null> {
  const { rows } = await admin.query<{ names: string[] | null }>(
    `SELECT (SELECT coalesce(array_agg(c.relname::text ORDER BY c.relname), '{}') FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r') AS names
     FROM pg_namespace n WHERE n.nspname = $1`,
    [schema],
  );
  return rows[0]?.names ?? null;
}

test('two that create the schema at once both succeed', async () => {
  const stores = await Promise.all([1, 2, 3, 4].map(() => store('race')));
  await Promise.all(stores.map((each) => each.ensureSchema()));
  assert.deepEqual(await tablesOf('race'), ['checkpoint', 'checkpoint_group', 'claim', 'dead_letters', 'guard', 'run']);
  await stores[0]?.ensureSchema();
});

test('somebody who creates the schema by hand at the same moment does no harm', async () => {
  await admin.query('BEGIN');
  await admin.query('CREATE SCHEMA byhand');
  const mine = await store('byhand');
  const ensured = mine.ensureSchema();
  await waitForLock();
  await admin.query('COMMIT');
  await ensured;
  assert.deepEqual(await tablesOf('byhand'), [
    'checkpoint',
    'checkpoint_group',
    'claim',
    'dead_letters',
    'guard',
    'run',
  ]);
});

async function waitForLock(): Promise<void> {
  const watcher = new pg.Client({ connectionString: server.url() });
  await watcher.connect();
  try {
    await until('the store waits for the other transaction', async () => {
      const { rows } = await watcher.query(
        `SELECT 1 FROM pg_stat_activity WHERE application_name = 'failback test' AND wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
  } finally {
    await watcher.end();
  }
}

test('a role without CREATE on the database works in a schema that is there', async () => {
  await admin.query(`CREATE ROLE narrow LOGIN`);
  await admin.query(`CREATE SCHEMA given AUTHORIZATION narrow`);
  const mine = await store('given', 'narrow');
  await mine.ensureSchema();
  await mine.writeRun({ run: 'orders', phase: 'prepare', state: {} });
  await mine.ensureSchema();
  await mine.removeRun('orders');
  assert.deepEqual(await tablesOf('given'), [], 'the tables were ours, the schema was not');

  const refused = await store('elsewhere', 'narrow');
  await assert.rejects(
    refused.ensureSchema(),
    (error) => error instanceof TargetRefusedError && error.code === '42501',
  );
  assert.equal(await tablesOf('elsewhere'), null);
});

test('the checkpoint row is inserted once and the row that is there is returned (rule 1)', async () => {
  const mine = await store();
  await mine.ensureSchema();
  const first = await mine.insertOnce({ stream: 's1', run: 'orders', cursor: CURSOR, origin: ORIGIN });
  const second = await mine.insertOnce({
    stream: 's1',
    run: 'orders',
    cursor: LATER,
    origin: { clusterId: 'c2', tableIds: {} },
  });
  assert.deepEqual(second, first);
  assert.equal(second.cursor, CURSOR);
  assert.deepEqual(second, {
    stream: 's1',
    run: 'orders',
    applied: CURSOR,
    cursor: CURSOR,
    token: null,
    stageId: null,
    incarnation: 0,
    feedWanted: true,
    origin: ORIGIN,
  });
  assert.deepEqual(await mine.read('s1'), first);
  assert.equal(await mine.read('none'), null);
  await mine.setFeedWanted('s1', false);
  assert.equal((await mine.read('s1'))?.feedWanted, false);
});

test('where to stop, and what the attempt with the token sees there', async () => {
  const mine = await store();
  await mine.ensureSchema();
  assert.equal(await mine.readHold('held'), null);
  await mine.insertOnce({ stream: 'held', run: 'orders', cursor: CURSOR, origin: ORIGIN });
  assert.deepEqual(await mine.readHold('held'), { applied: CURSOR, stopAt: null, feedWanted: true, hold: null });
  await admin.query(`UPDATE _failback.checkpoint SET token = 'mine' WHERE stream = 'held'`);
  assert.equal(await mine.setStopAt('held', CURSOR), true);
  const hold = { at: CURSOR, seenUpTo: LATER, newerChanges: 3 };
  await mine.writeHold('held', 'zombie', hold);
  assert.deepEqual(await mine.readHold('held'), { applied: CURSOR, stopAt: CURSOR, feedWanted: true, hold: null });
  await mine.writeHold('held', 'mine', hold);
  await mine.writeHold('held', 'zombie', { ...hold, newerChanges: 0 });
  await mine.setStopAt('held', CURSOR);
  assert.deepEqual(await mine.readHold('held'), { applied: CURSOR, stopAt: CURSOR, feedWanted: true, hold });
  await admin.query(`UPDATE _failback.checkpoint SET token = 'next' WHERE stream = 'held'`);
  assert.equal((await mine.readHold('held'))?.hold, null, 'the next attempt has not looked yet');
  await mine.writeHold('held', 'next', hold);
  assert.equal(await mine.setStopAt('held', null), true);
  assert.deepEqual(await mine.readHold('held'), { applied: CURSOR, stopAt: null, feedWanted: true, hold: null });
  await admin.query(`UPDATE _failback.checkpoint SET applied = applied + 1 WHERE stream = 'held'`);
  assert.equal(await mine.setStopAt('held', CURSOR), false, 'what is passed already is no stop');
  assert.equal((await mine.readHold('held'))?.stopAt, null);
  await mine.setFeedWanted('held', false);
  assert.equal((await mine.readHold('held'))?.feedWanted, false, 'a stream at rest is told so by the same look');
});

test('a run is remembered, and changed', async () => {
  const mine = await store();
  await mine.ensureSchema();
  const state = { settings: { 'kv.rangefeed.enabled': 'false' }, big: '9223372036854775807' };
  await mine.writeRun({ run: 'orders', phase: 'prepare', state });
  await mine.writeRun({ run: 'orders', phase: 'cursor', state });
  assert.deepEqual(await mine.readRun('orders'), { run: 'orders', phase: 'cursor', state });
  assert.equal(await mine.readRun('none'), null);
});

test('a table has one claim; what is refused claims nothing (rule 33)', async () => {
  const [a, b] = [await store(), await store()];
  await a.ensureSchema();
  assert.deepEqual(await a.claimTables('run-a', [ORDERS]), []);
  assert.deepEqual(await a.claimTables('run-a', [ORDERS]), [], 'its own claim is no obstacle');
  assert.deepEqual(await b.claimTables('run-b', [ITEMS, ORDERS]), [{ table: ORDERS, run: 'run-a' }]);
  assert.deepEqual(await b.claimTables('run-c', [ITEMS]), [], 'run-b holds nothing');
  await a.removeRun('run-a');
  await b.removeRun('run-c');
});

test('of two runs that claim the same tables at once, one gets them all', async () => {
  const [a, b] = [await store('contest'), await store('contest')];
  await a.ensureSchema();
  const [ofA, ofB] = await Promise.all([
    a.claimTables('run-a', [ORDERS, ITEMS]),
    b.claimTables('run-b', [ITEMS, ORDERS]),
  ]);
  assert.deepEqual([ofA.length, ofB.length].sort(), [0, 2]);
});

test('the end of a run removes its own rows only, and the schema when it is the last (rule 34)', async () => {
  const mine = await store('shared');
  await mine.ensureSchema();
  for (const run of ['one', 'two']) {
    await mine.insertOnce({ stream: `${run}-stream`, run, cursor: CURSOR, origin: ORIGIN });
    await mine.writeRun({ run, phase: 'replicate', state: {} });
    await mine.claimTables(run, [{ schema: 'public', table: run }]);
  }
  await mine.removeRun('one');
  assert.equal(await mine.read('one-stream'), null);
  assert.equal(await mine.readRun('one'), null);
  assert.equal((await mine.read('two-stream'))?.run, 'two');
  assert.deepEqual(await mine.claimTables('three', [{ schema: 'public', table: 'two' }]), [
    { table: { schema: 'public', table: 'two' }, run: 'two' },
  ]);
  await mine.removeRun('two');
  assert.equal(await tablesOf('shared'), null);
  assert.equal(await mine.read('two-stream'), null, 'no schema, no row');
  await mine.removeRun('two');
  await mine.writeRun({ run: 'late', phase: 'prepare', state: {} });
  assert.equal((await mine.readRun('late'))?.phase, 'prepare', 'a schema that another run has dropped is made again');
});

test('dead letters are counted and asked for by stream, and the end of a run keeps them (rules 28 and 34)', async () => {
  const mine = await store('letters');
  await mine.ensureSchema();
  for (const run of ['one', 'two']) {
    await mine.insertOnce({ stream: run, run, cursor: CURSOR, origin: ORIGIN });
    const letter = `INSERT INTO letters.dead_letters (run, stream, source_table, key, hlc, sqlstate, reason)
      SELECT run, stream, $2, $3, $4::numeric, '22003', 'out of range' FROM letters.checkpoint WHERE stream = $1`;
    for (const [table, key, hlc] of [
      ['public.a', '[1]', formatHlc(LATER)],
      ['public.b', '[1]', formatHlc(LATER)],
      ['public.b', '[2]', formatHlc(LATER)],
      // Of an earlier run of the same name.
      ['public.c', '[3]', formatHlc(CURSOR)],
    ])
      await admin.query(letter, [run, table, key, hlc]);
  }
  const waiting = {
    count: 3,
    tables: [
      { table: 'public.b', count: 2 },
      { table: 'public.a', count: 1 },
    ],
  };
  assert.deepEqual(await mine.countDeadLetters('one'), waiting);
  assert.deepEqual(await mine.countDeadLetters('three'), { count: 0, tables: [] });
  assert.equal(await mine.askReplay('one'), 3);
  const asked = 'SELECT DISTINCT run, source_table FROM letters.dead_letters WHERE replay ORDER BY 1, 2';
  assert.deepEqual((await admin.query(asked)).rows, [
    { run: 'one', source_table: 'public.a' },
    { run: 'one', source_table: 'public.b' },
  ]);
  const left = { count: 4, tables: [...waiting.tables, { table: 'public.c', count: 1 }] };
  assert.deepEqual(await mine.removeRun('one'), left);
  assert.deepEqual(await mine.removeRun('one'), left, 'as it must be for a second try');
  assert.equal(await mine.read('one'), null);
  await mine.removeRun('two');
  assert.equal((await admin.query('SELECT 1 FROM letters.dead_letters')).rows.length, 8);
  await admin.query('DELETE FROM letters.dead_letters');
  assert.deepEqual(await mine.removeRun('two'), { count: 0, tables: [] });
  assert.equal(await tablesOf('letters'), null, 'thrown away by a person, they hold nothing up');
});

test('in a schema of an earlier release nothing is counted, asked for or kept', async () => {
  const mine = await store('before');
  await mine.ensureSchema();
  await admin.query('DROP TABLE before.dead_letters');
  await mine.insertOnce({ stream: 'one', run: 'one', cursor: CURSOR, origin: ORIGIN });
  assert.deepEqual(await mine.countDeadLetters('one'), { count: 0, tables: [] });
  assert.equal(await mine.askReplay('one'), 0);
  assert.deepEqual(await mine.removeRun('one'), { count: 0, tables: [] });
  assert.equal(await tablesOf('before'), null);
});

test("a schema with somebody else's table stays, without ours", async () => {
  const mine = await store('mixed');
  await mine.ensureSchema();
  await admin.query('CREATE TABLE mixed.theirs (id int)');
  await mine.writeRun({ run: 'one', phase: 'prepare', state: {} });
  await mine.removeRun('one');
  assert.deepEqual(await tablesOf('mixed'), ['theirs']);
});

test('tables that somebody else has made are never dropped', async () => {
  await admin.query(
    'CREATE SCHEMA premade; CREATE TABLE premade.claim (table_name text PRIMARY KEY, run text NOT NULL)',
  );
  const mine = await store('premade');
  await mine.ensureSchema();
  await mine.removeRun('one');
  assert.deepEqual(await tablesOf('premade'), ['claim']);
});

test('an UNLOGGED checkpoint table is refused (rule 23)', async () => {
  await admin.query(
    'CREATE SCHEMA loose; CREATE UNLOGGED TABLE loose.run (run text PRIMARY KEY, phase text, state jsonb)',
  );
  const mine = await store('loose');
  await assert.rejects(mine.ensureSchema(), /ALTER TABLE "loose"\.run SET LOGGED/);
  assert.deepEqual(await tablesOf('loose'), ['run'], 'nothing else was created');
});

test('errors name no secret', async () => {
  const connection = {
    connectionString: `postgresql://postgres:hunter2@127.0.0.1:1/postgres`,
    applicationName: 'failback test',
  };
  await assert.rejects(openPostgresCheckpointStore(connection, '_failback'), (error) => {
    assert.doesNotMatch(`${String(error)} ${JSON.stringify(error)}`, /hunter2/);
    return true;
  });
});
