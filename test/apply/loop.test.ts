import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startByteProxy } from '../support/byte-proxy.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { at, upsert } from '../targets/postgres/apply-fixture.js';
import { startPostgresBench } from '../targets/postgres/bench.js';
import { createLoopFixture } from './loop-fixture.js';
import { loopSuite } from './loop-suite.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, v int)';
const row = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);
const throughProxy = (port: number, database: string) => `postgresql://postgres@127.0.0.1:${port}/${database}`;
const COMMIT = 'COMMIT\0';

loopSuite(startPostgresBench);

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
