import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { formatHlc } from '../../src/domain/hlc.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { until } from '../support/until.js';
import type { StartBench, TargetBench } from '../targets/bench.js';
import { at, remove, upsert } from '../targets/postgres/apply-fixture.js';
import { createLoopScene } from './loop-fixture.js';

const TABLE = ['CREATE TABLE t (id int PRIMARY KEY, v int)'];
const row = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);

/** What the loop does with any target. */
export function loopSuite(start: StartBench): void {
  let bench: TargetBench;
  before(async () => {
    bench = await start();
  });
  after(() => bench.stop());

  test('1,2,3,2 ends at 3, whenever the second 2 comes', async (t) => {
    const fixture = await createLoopScene(t, bench, TABLE, ['t']);
    const versions = [row(1, 7, 1), row(2, 7, 2), row(3, 7, 3)];
    await fixture.stageRows(versions);
    await fixture.stageRows([row(2, 7, 2)]);
    const loop = fixture.start();
    await fixture.resolve(2);
    await until('2 is applied', async () => (await fixture.rows('SELECT v FROM t'))[0]?.[0] === '2');
    await fixture.resolve(3);
    await until('3 is applied', async () => (await fixture.rows('SELECT v FROM t'))[0]?.[0] === '3');
    await fixture.stageRows([row(2, 7, 2)]);
    await fixture.resolve(4);
    assert.deepEqual(await loop.stopAt(at(4)), { ended: 'stopped', at: at(4) });
    assert.deepEqual(await fixture.rows('SELECT v FROM t'), [['3']]);
  });

  test('nothing beyond resolved is applied, windows end at any limit, and the loop stops exactly at T', async (t) => {
    const fixture = await createLoopScene(t, bench, TABLE, ['t']);
    await fixture.stageRows(Array.from({ length: 30 }, (_, i) => row(i + 1, i + 1, 1)));
    const loop = fixture.start({ limits: { rows: 4, bytes: 1_000_000 } });
    await fixture.resolve(20);
    await until('20 rows', async () => (await fixture.rows('SELECT 1 FROM t')).length === 20);
    await until('C follows', async () => (await fixture.applied()).startsWith('1759246920563173020'));
    await fixture.resolve(30);
    assert.deepEqual(await loop.stopAt(at(25)), { ended: 'stopped', at: at(25) });
    assert.deepEqual(await fixture.rows('SELECT max(id) FROM t'), [['25']]);
    assert.ok(fixture.progress().windows >= 7, `${fixture.progress().windows} windows`);
    assert.equal(fixture.progress().mutations, 25);
    assert.equal(fixture.stage.figures().entries, 5);
  });

  for (const [what, direction, sign] of [
    ['the COMMIT is lost on its way', 'to-server', 'commit'],
    ['the answer to the COMMIT is lost', 'to-client', 'committed'],
  ] as const) {
    test(`${what}: the loop goes on, and no change is applied twice (protocol rule 22)`, async (t) => {
      const fixture = await createLoopScene(t, bench, [...TABLE, ...bench.words.traced], ['t']);
      const proxy = await startByteProxy(t, bench.port);
      const loop = fixture.start({}, fixture.through(proxy.port));
      for (let n = 1; n <= 6; n++) {
        if (n % 2 === 0) proxy.arm(direction, bench.words[sign], 'cut-before');
        await fixture.stageRows([row(n, 1, n)]);
        await fixture.resolve(n);
        await until(`${n} is applied`, () => fixture.progress().applied === at(n));
      }
      assert.equal(proxy.hits(), 3);
      await loop.stopAt(at(6));
      assert.deepEqual(
        await fixture.rows('SELECT v FROM trace'),
        [1, 2, 3, 4, 5, 6].map((v) => [String(v)]),
      );
      assert.ok(fixture.progress().retries >= 3);
    });
  }

  test('the target is stopped for a while and started again: an incident, then the rest arrives', async (t) => {
    const own = await start();
    t.after(() => own.stop());
    const fixture = await createLoopScene(t, own, TABLE, ['t']);
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
    const read = await fixture.reader();
    assert.equal((await read('SELECT 1 FROM t')).length, 2);
  });

  test('another attempt takes the token: the loop ends as fenced and writes no more', async (t) => {
    const fixture = await createLoopScene(t, bench, TABLE, ['t']);
    const loop = fixture.start();
    await fixture.stageRows([row(1, 1, 1), row(2, 2, 2)]);
    await fixture.resolve(1);
    await until('the first row is applied', () => fixture.progress().applied === at(1));
    await (await fixture.open()).takeToken('young');
    await fixture.resolve(2);
    const end = await loop.ended;
    assert.ok(end.ended === 'fenced' && end.found?.token === 'young', end.ended);
    assert.deepEqual(await fixture.rows('SELECT id FROM t'), [['1']]);
  });

  test('the target is set back by one window under a live applier: nothing is written over the gap', async (t) => {
    const fixture = await createLoopScene(t, bench, TABLE, ['t']);
    const loop = fixture.start();
    for (const n of [1, 2]) {
      await fixture.stageRows([row(n, n, n)]);
      await fixture.resolve(n);
      await until(`${n} is applied`, () => fixture.progress().applied === at(n));
    }
    await fixture.run(
      'BEGIN',
      'DELETE FROM t WHERE id = 2',
      'UPDATE {checkpoint} SET applied = 1759246920563173001.0000000001',
      'COMMIT',
    );
    await fixture.stageRows([row(3, 3, 3)]);
    await fixture.resolve(3);
    const end = await loop.ended;
    assert.ok(end.ended === 'set-back' && end.found.applied === at(1), end.ended);
    assert.deepEqual(await fixture.rows('SELECT id FROM t'), [['1']]);
    // What was purged is gone from the stage, so it does not claim the gap either (protocol rule B).
    assert.equal((await fixture.start().ended).ended, 'incomplete');
  });

  test('a bad row halts; after it is mended the same window goes through', async (t) => {
    const fixture = await createLoopScene(t, bench, ['CREATE TABLE t (id int PRIMARY KEY, v smallint)'], ['t']);
    await fixture.stageRows([row(1, 1, 1), row(2, 2, 70_000)]);
    await fixture.resolve(2);
    const end = await fixture.start().ended;
    assert.ok(end.ended === 'halted' && end.error.name === 'BadRowError', end.ended);
    assert.match(end.error.message, /\.t key \[2\]/);
    assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
    await fixture.run(bench.words.toInteger('t', 'v'));
    assert.equal((await fixture.start().stopAt(at(2))).ended, 'stopped');
    assert.deepEqual(await fixture.rows('SELECT v FROM t ORDER BY id'), [['1'], ['70000']]);
  });

  test('whoever reads the target while windows are applied sees the bank’s total (invariant 2)', async (t) => {
    const ddl = [
      'CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL)',
      `INSERT INTO account VALUES ${Array.from({ length: 20 }, (_, i) => `(${i}, 100)`).join(', ')}`,
    ];
    const fixture = await createLoopScene(t, bench, ddl, ['account']);
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
    const read = await fixture.reader();
    const totals = new Set<string>();
    let reads = 0;
    let reading = true;
    const readAll = (async () => {
      while (reading) {
        const [[total] = []] = await read('SELECT sum(balance) AS total FROM account');
        totals.add(total ?? '');
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
    assert.deepEqual([...totals], ['2000']);
    assert.ok(reads > 50 && fixture.progress().windows > 300, `${reads} reads, ${fixture.progress().windows} windows`);
    const found = await fixture.rows('SELECT balance FROM account ORDER BY id');
    assert.deepEqual(
      found,
      balances.map((balance) => [String(balance)]),
    );
    await fixture.stageRows([remove(401, 0, '[0]')]);
  });

  test('dead letters are tried again while the loop is idle, and none once it has come to its stop (protocol rules 28, 32)', async (t) => {
    const fixture = await createLoopScene(t, bench, ['CREATE TABLE t (id int PRIMARY KEY, v smallint)'], ['t']);
    await fixture.stageRows([row(1, 1, 70_000), row(2, 2, 2)]);
    await fixture.resolve(2);
    const first = fixture.start({}, { onBadRow: 'deadLetter' });
    await until('it is put aside and counted', () => fixture.progress().deadLetters === 1);
    assert.equal((await first.stopAt(at(2))).ended, 'stopped');
    await fixture.run(bench.words.toInteger('t', 'v'), 'UPDATE {dead_letters} SET replay = (1 = 1)');

    const stopped = await fixture.start({ stopAt: () => at(2) }, { onBadRow: 'deadLetter' }).ended;
    assert.equal(stopped.ended, 'stopped');
    assert.deepEqual(await fixture.rows('SELECT id FROM t'), [['2']]);

    const loop = fixture.start({}, { onBadRow: 'deadLetter' });
    await until('it is taken', async () => (await fixture.rows('SELECT 1 FROM t')).length === 2);
    await until('none is counted', () => fixture.progress().deadLetters === 0);
    assert.equal(fixture.progress().upserts, 1);
    assert.equal(await fixture.applied(), formatHlc(at(2)));
    assert.equal((await loop.abort()).ended, 'aborted');
  });
}
