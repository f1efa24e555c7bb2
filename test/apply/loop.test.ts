import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { formatHlc } from '../../src/domain/hlc.js';
import { createTableSql } from '../../src/targets/postgres/checkpoint-ddl.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { at, remove, upsert } from '../targets/postgres/apply-fixture.js';
import { createLoopFixture } from './loop-fixture.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, v int)';
/** Every write of a row leaves a trace: what is applied twice is seen. */
const TRACED = `${TABLE}; CREATE TABLE trace (id int, v int);
  CREATE FUNCTION trace() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO trace VALUES (NEW.id, NEW.v); RETURN NULL; END';
  CREATE TRIGGER trace AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trace()`;
const row = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);
const throughProxy = (port: number, database: string) => `postgresql://postgres@127.0.0.1:${port}/${database}`;
const COMMIT = 'COMMIT\0';

test('1,2,3,2 ends at 3, whenever the second 2 comes', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  const versions = [row(1, 7, 1), row(2, 7, 2), row(3, 7, 3)];
  await fixture.stageRows(versions);
  await fixture.stageRows([row(2, 7, 2)]);
  const loop = fixture.start();
  await fixture.resolve(2);
  await until('2 is applied', async () => (await fixture.rows('SELECT v::text FROM t'))[0]?.[0] === '2');
  await fixture.resolve(3);
  await until('3 is applied', async () => (await fixture.rows('SELECT v::text FROM t'))[0]?.[0] === '3');
  await fixture.stageRows([row(2, 7, 2)]);
  await fixture.resolve(4);
  assert.deepEqual(await loop.stopAt(at(4)), { ended: 'stopped', at: at(4) });
  assert.deepEqual(await fixture.rows('SELECT v::text FROM t'), [['3']]);
});

test('nothing beyond resolved is applied, windows end at any limit, and the loop stops exactly at T', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  await fixture.stageRows(Array.from({ length: 30 }, (_, i) => row(i + 1, i + 1, 1)));
  const loop = fixture.start({ limits: { rows: 4, bytes: 1_000_000 } });
  await fixture.resolve(20);
  await until('20 rows', async () => (await fixture.rows('SELECT 1 FROM t')).length === 20);
  await until('C follows', async () => (await fixture.applied()).startsWith('1759246920563173020'));
  await fixture.resolve(30);
  assert.deepEqual(await loop.stopAt(at(25)), { ended: 'stopped', at: at(25) });
  assert.deepEqual(await fixture.rows('SELECT max(id)::text FROM t'), [['25']]);
  assert.ok(fixture.progress().windows >= 7, `${fixture.progress().windows} windows`);
  assert.equal(fixture.progress().mutations, 25);
  assert.equal(fixture.stage.figures().entries, 5);
});

test('while nothing changes the checkpoint follows, now and then', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  const loop = fixture.start({ idleAdvanceMs: 300 });
  const started = performance.now();
  for (let n = 1; n <= 40; n++) {
    await fixture.resolve(n);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await until('C is at 40', () => fixture.progress().applied === at(40));
  const most = Math.ceil((performance.now() - started) / 300) + 1;
  assert.ok(fixture.progress().windows <= most, `${fixture.progress().windows} transactions, ${most} at most`);
  assert.deepEqual(await loop.abort(), { ended: 'aborted' });
});

for (const [what, direction] of [
  ['the COMMIT is lost on its way', 'to-server'],
  ['the answer to the COMMIT is lost', 'to-client'],
] as const) {
  test(`${what}: the loop goes on, and no change is applied twice (protocol rule 22)`, async (t) => {
    const fixture = await createLoopFixture(t, postgres, TRACED, ['t']);
    const proxy = await startByteProxy(t, postgres.port);
    const loop = fixture.start({}, { connectionString: throughProxy(proxy.port, fixture.database) });
    for (let n = 1; n <= 6; n++) {
      if (n % 2 === 0) proxy.arm(direction, COMMIT, 'cut-before');
      await fixture.stageRows([row(n, 1, n)]);
      await fixture.resolve(n);
      await until(`${n} is applied`, () => fixture.progress().applied === at(n));
    }
    assert.equal(proxy.hits(), 3);
    await loop.stopAt(at(6));
    assert.deepEqual(
      await fixture.rows('SELECT v::text FROM trace'),
      [1, 2, 3, 4, 5, 6].map((v) => [String(v)]),
    );
    assert.ok(fixture.progress().retries >= 3);
  });
}

test('the target is stopped for a while and started again: an incident, then the rest arrives', async (t) => {
  const own = await startPostgres({ settings: { fsync: 'off' } });
  t.after(() => own.stop());
  const fixture = await createLoopFixture(t, own, TABLE, ['t']);
  const loop = fixture.start();
  await fixture.stageRows([row(1, 1, 1)]);
  await fixture.resolve(1);
  await until('the first row is there', () => fixture.progress().applied === at(1));
  await own.kill();
  await fixture.stageRows([row(2, 2, 2)]);
  await fixture.resolve(2);
  const incident = await until('three failures in a row', () => {
    const { incident } = fixture.progress();
    return (incident?.attempts ?? 0) >= 3 ? incident : null;
  });
  assert.equal(incident.code, 'ECONNREFUSED');
  await own.restart();
  await until('the second row is applied', () => fixture.progress().applied === at(2));
  assert.equal(fixture.progress().incident, null);
  await loop.stopAt(at(2));
  const check = new pg.Client({ connectionString: own.url(fixture.database) });
  await check.connect();
  assert.equal((await check.query('SELECT 1 FROM t')).rowCount, 2);
  await check.end();
});

test('another attempt takes the token: the loop ends as fenced and writes no more', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  const loop = fixture.start();
  await fixture.stageRows([row(1, 1, 1), row(2, 2, 2)]);
  await fixture.resolve(1);
  await until('the first row is applied', () => fixture.progress().applied === at(1));
  await (await fixture.open()).takeToken('young');
  await fixture.resolve(2);
  const end = await loop.ended;
  assert.ok(end.ended === 'fenced' && end.found?.token === 'young', end.ended);
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t'), [['1']]);
});

test('the target is set back by one window under a live applier: nothing is written over the gap', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  const loop = fixture.start();
  for (const n of [1, 2]) {
    await fixture.stageRows([row(n, n, n)]);
    await fixture.resolve(n);
    await until(`${n} is applied`, () => fixture.progress().applied === at(n));
  }
  await fixture.admin.query(
    `BEGIN; DELETE FROM t WHERE id = 2; UPDATE _failback.checkpoint SET applied = 1759246920563173001.0000000001; COMMIT`,
  );
  await fixture.stageRows([row(3, 3, 3)]);
  await fixture.resolve(3);
  const end = await loop.ended;
  assert.ok(end.ended === 'set-back' && end.found.applied === at(1), end.ended);
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t'), [['1']]);
  // What was purged is gone from the stage, so it does not claim the gap either (protocol rule B).
  assert.equal((await fixture.start().ended).ended, 'incomplete');
});

test('applied changes stay for retireOffset of the source’s time, and the floor rises with the purge only (protocol rule 16)', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  const second = 1_000_000_000;
  const loop = fixture.start({ retireOffsetMs: 10_000 });
  await fixture.stageRows([row(second, 1, 1), row(8 * second, 2, 1)]);
  await fixture.resolve(8 * second);
  await until('both are applied', () => fixture.progress().applied === at(8 * second));
  assert.equal(fixture.stage.figures().entries, 2);
  assert.equal(fixture.stage.binding()?.floor, at(0));
  // Nothing is written any more, and yet they go in their time.
  await fixture.resolve(12 * second);
  await until('the first is purged', () => fixture.stage.figures().entries === 1);
  const floor = fixture.stage.binding()?.floor ?? at(0);
  assert.ok(floor > at(second) && floor < at(8 * second), String(floor));
  await fixture.resolve(40 * second);
  await until('all is purged', () => fixture.stage.figures().entries === 0);
  await loop.abort();
});

test('a stage bound to another incarnation is not applied (protocol rules A, B)', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  await fixture.stageRows([row(1, 1, 1)]);
  await fixture.resolve(1);
  assert.equal((await fixture.start({ incarnation: 2 }).ended).ended, 'incomplete');
  await fixture.stage.bind(2, at(5), 'plan');
  assert.equal((await fixture.start({ incarnation: 2 }).ended).ended, 'incomplete');
  assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
});

test('a bad row halts; after it is mended the same window goes through', async (t) => {
  const fixture = await createLoopFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY, v int2)', ['t']);
  await fixture.stageRows([row(1, 1, 1), row(2, 2, 70_000)]);
  await fixture.resolve(2);
  const end = await fixture.start().ended;
  assert.ok(end.ended === 'halted' && end.error.name === 'BadRowError', end.ended);
  assert.match(end.error.message, /public\.t key \[2\]/);
  assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
  await fixture.admin.query('ALTER TABLE t ALTER v TYPE int');
  assert.equal((await fixture.start().stopAt(at(2))).ended, 'stopped');
  assert.deepEqual(await fixture.rows('SELECT v::text FROM t ORDER BY id'), [['1'], ['70000']]);
});

test('abort: the window under way is finished, and a frozen one is cut off after the grace time', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  const proxy = await startByteProxy(t, postgres.port);
  const loop = fixture.start({ abortGraceMs: 300 }, { connectionString: throughProxy(proxy.port, fixture.database) });
  await until('it has begun', () => fixture.progress().applied !== null);
  proxy.arm('to-server', COMMIT, 'pause');
  await fixture.stageRows([row(1, 1, 1)]);
  await fixture.resolve(1);
  await until('the window is frozen', () => proxy.hits() === 1);
  const started = performance.now();
  assert.deepEqual(await loop.abort(), { ended: 'aborted' });
  assert.ok(performance.now() - started < 4000);
  const unhurried = await createLoopFixture(t, postgres, TABLE, ['t']);
  assert.deepEqual(await unhurried.start().abort(), { ended: 'aborted' });
});

test('whoever reads the target while windows are applied sees the bank’s total (invariant 2)', async (t) => {
  const ddl = `CREATE TABLE account (id int PRIMARY KEY, balance int8 NOT NULL);
    INSERT INTO account SELECT i, 100 FROM generate_series(0, 19) i`;
  const fixture = await createLoopFixture(t, postgres, ddl, ['account']);
  const balances = Array<number>(20).fill(100);
  const move = (n: number) => {
    const [from, to, amount] = [n % 20, (n * 7 + 3) % 20, n % 13];
    if (from === to) return [];
    balances[from] = (balances[from] ?? 0) - amount;
    balances[to] = (balances[to] ?? 0) + amount;
    return [from, to].map((id) => upsert(n, 0, `[${id}]`, `{"balance": ${balances[id]}, "id": ${id}}`));
  };
  // Windows of one row: only the timestamp keeps both sides of a transfer together (protocol rule 20).
  const loop = fixture.start({ limits: { rows: 1, bytes: 1_000_000 } });
  const reader = new pg.Client({ connectionString: postgres.url(fixture.database) });
  await reader.connect();
  const totals = new Set<string>();
  let reads = 0;
  let reading = true;
  const readAll = (async () => {
    while (reading) {
      const { rows } = await reader.query<{ total: string }>('SELECT sum(balance)::text AS total FROM account');
      totals.add(rows[0]?.total ?? '');
      reads++;
    }
  })();
  for (let n = 1; n <= 400; n += 20) {
    await fixture.stageRows(Array.from({ length: 20 }, (_, i) => move(n + i)).flat());
    await fixture.resolve(n + 19);
  }
  assert.equal((await loop.stopAt(at(400))).ended, 'stopped');
  reading = false;
  await readAll;
  await reader.end();
  assert.deepEqual([...totals], ['2000']);
  assert.ok(reads > 50 && fixture.progress().windows > 300, `${reads} reads, ${fixture.progress().windows} windows`);
  const found = await fixture.rows('SELECT balance::text FROM account ORDER BY id');
  assert.deepEqual(
    found,
    balances.map((balance) => [String(balance)]),
  );
  await fixture.stageRows([remove(401, 0, '[0]')]);
});

test('dead letters are tried again while the loop is idle, and none once it has come to its stop (protocol rules 28, 32)', async (t) => {
  const ddl = `${createTableSql('_failback', 'dead_letters').join('; ')}; CREATE TABLE t (id int PRIMARY KEY, v int2)`;
  const fixture = await createLoopFixture(t, postgres, ddl, ['t']);
  await fixture.stageRows([row(1, 1, 70_000), row(2, 2, 2)]);
  await fixture.resolve(2);
  const first = fixture.start({}, { onBadRow: 'deadLetter' });
  await until('it is put aside and counted', () => fixture.progress().deadLetters === 1);
  assert.equal((await first.stopAt(at(2))).ended, 'stopped');
  await fixture.admin.query('ALTER TABLE t ALTER v TYPE int; UPDATE _failback.dead_letters SET replay = true');

  const stopped = await fixture.start({ stopAt: () => at(2) }, { onBadRow: 'deadLetter' }).ended;
  assert.equal(stopped.ended, 'stopped');
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t'), [['2']]);

  const loop = fixture.start({}, { onBadRow: 'deadLetter' });
  await until('it is taken', async () => (await fixture.rows('SELECT 1 FROM t')).length === 2);
  await until('none is counted', () => fixture.progress().deadLetters === 0);
  assert.equal(fixture.progress().upserts, 1);
  assert.equal(await fixture.applied(), formatHlc(at(2)));
  assert.equal((await loop.abort()).ended, 'aborted');
});

test('flushPeriod: what is resolved waits for more, no longer than so long after the window before; a full window does not', async (t) => {
  const fixture = await createLoopFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY, v int)', ['t']);
  const row = (n: number) => upsert(n, 0, `[${n}]`, `{"id": ${n}, "v": 1}`);
  const loop = fixture.start({ flushPeriodMs: 60_000, idleAdvanceMs: 60_000, limits: { rows: 4, bytes: 1_000_000 } });
  await fixture.stageRows([row(1)]);
  await fixture.resolve(1);
  await until('the first waits for nothing', () => fixture.progress().windows === 1);
  for (const n of [2, 3]) {
    await fixture.stageRows([row(n)]);
    await fixture.resolve(n);
  }
  await fixture.stageRows([row(4), row(5), row(6)]);
  await fixture.resolve(6);
  await until('a full window', () => fixture.progress().windows === 2);
  assert.equal(fixture.progress().applied, at(5), 'the rows that waited are in it, in one window');
  await loop.stopAt(at(6));
  assert.equal(fixture.progress().windows, 3, 'a stop waits for nothing');

  const quick = fixture.start({ flushPeriodMs: 2_500, idleAdvanceMs: 60_000 });
  await fixture.stageRows([row(7)]);
  await fixture.resolve(7);
  await until('7', () => fixture.progress().applied === at(7));
  const begun = performance.now();
  for (let n = 8; n <= 12; n++) {
    await fixture.stageRows([row(n)]);
    await fixture.resolve(n);
  }
  await until('12', () => fixture.progress().applied === at(12));
  assert.ok(performance.now() - begun > 2_000, 'it has waited');
  assert.equal(fixture.progress().windows, 2);
  await quick.abort();
});
