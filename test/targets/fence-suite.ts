import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FenceLostError, TargetUnavailableError } from '../../src/targets/failures.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { until } from '../support/until.js';
import type { StartBench, TargetBench } from './bench.js';
import { at, remove, upsert, windowOf } from './postgres/apply-fixture.js';

const TABLE = ['CREATE TABLE t (id int PRIMARY KEY, v varchar(20))'];
const row = (n: number, v: string) => upsert(n, 0, '[1]', `{"id": 1, "v": "${v}"}`);
const LOCK_AT_ONCE = 'SELECT 1 FROM {checkpoint} FOR UPDATE NOWAIT';

/** The fence of the session that applies, on any target. */
export function fenceSuite(start: StartBench): void {
  let bench: TargetBench;
  before(async () => {
    bench = await start();
  });
  after(() => bench.stop());

  test('an old token can never commit, with rows or without (protocol rule C)', async (t) => {
    const fixture = await bench.scene(t, TABLE, ['t']);
    const old = await fixture.open();
    await old.apply(fixture.token, windowOf(0, 1, [row(1, 'old')]));
    const young = await fixture.open();
    const taken = await young.takeToken('young');
    assert.deepEqual(
      { applied: taken?.applied, stageId: taken?.stageId, incarnation: taken?.incarnation },
      { applied: at(1), stageId: null, incarnation: 0 },
    );
    for (const mutations of [[], [row(2, 'zombie')]]) {
      await assert.rejects(old.apply(fixture.token, windowOf(1, 2, mutations)), (error: unknown) => {
        assert.ok(error instanceof FenceLostError);
        assert.equal(error.found?.token, 'young');
        return true;
      });
    }
    assert.equal(await old.bind(fixture.token, 'stage of the zombie', 9), false);
    assert.equal(await young.bind('young', 'stage', 2), true);
    await young.apply('young', windowOf(1, 2, [row(2, 'young')]));
    assert.deepEqual(await fixture.rows('SELECT v FROM t'), [['young']]);
    assert.deepEqual(await fixture.rows('SELECT stage_id, incarnation FROM {checkpoint}'), [['stage', '2']]);
  });

  test('the checkpoint must be the one we left: set back, or gone, nothing is written', async (t) => {
    const fixture = await bench.scene(t, TABLE, ['t']);
    const session = await fixture.open();
    await session.apply(fixture.token, windowOf(0, 5, [row(5, 'five')]));
    await fixture.run('UPDATE {checkpoint} SET applied = applied - 2');
    for (const mutations of [[], [row(6, 'six')]]) {
      await assert.rejects(session.apply(fixture.token, windowOf(5, 6, mutations)), { name: 'FenceLostError' });
    }
    await fixture.run('DELETE FROM {checkpoint}');
    await assert.rejects(session.apply(fixture.token, windowOf(5, 6, [row(6, 'six')])), (error: unknown) => {
      assert.ok(error instanceof FenceLostError);
      assert.equal(error.found, null);
      return true;
    });
    assert.equal(await session.takeToken('again'), null);
    assert.deepEqual(await fixture.rows('SELECT count(*) FROM {checkpoint}'), [['0']]);
    assert.deepEqual(await fixture.rows('SELECT v FROM t'), [['five']]);
  });

  test('a window planned before the stop was set does not pass it (protocol rule 32)', async (t) => {
    const fixture = await bench.scene(t, TABLE, ['t']);
    const session = await fixture.open();
    await session.apply(fixture.token, windowOf(0, 5, [row(5, 'five')]));
    await fixture.run('UPDATE {checkpoint} SET stop_at = applied + 2');
    for (const mutations of [[], [row(8, 'eight')]]) {
      await assert.rejects(session.apply(fixture.token, windowOf(5, 8, mutations)), (error: unknown) => {
        assert.ok(error instanceof FenceLostError, 'the compare-and-set refuses it');
        assert.equal(error.found?.token, fixture.token);
        assert.equal(error.found?.applied, at(5));
        return true;
      });
    }
    await session.apply(fixture.token, windowOf(5, 7, [row(7, 'seven')]));
    assert.deepEqual(await fixture.rows('SELECT v FROM t'), [['seven']]);
  });

  test('rows and checkpoint commit together, the compare-and-set first (invariant 3)', async (t) => {
    const fixture = await bench.scene(t, TABLE, ['t']);
    const proxy = await startByteProxy(t, bench.port);
    const session = await fixture.open(fixture.through(proxy.port));
    proxy.arm('to-server', bench.words.commit, 'pause');
    const applied = session.apply(fixture.token, windowOf(0, 1, [row(1, 'one')]));
    await until('the transaction is held before its COMMIT', () => proxy.hits() === 1);
    assert.deepEqual(await fixture.rows('SELECT v FROM t'), []);
    assert.equal(await fixture.applied(), '1759246920563173000.0000000000');
    await assert.rejects(fixture.rows(LOCK_AT_ONCE));
    proxy.resume();
    await applied;
    assert.deepEqual(await fixture.rows('SELECT v FROM t'), [['one']]);
    assert.equal(await fixture.applied(), '1759246920563173001.0000000001');
  });

  for (const where of ['before its COMMIT', 'in the middle of its rows'] as const) {
    test(`an applier frozen ${where} is ended by the takeover and harmless when it thaws (protocol rule 24)`, async (t) => {
      const fixture = await bench.scene(t, TABLE, ['t']);
      const proxy = await startByteProxy(t, bench.port);
      const zombie = await fixture.open(fixture.through(proxy.port));
      proxy.arm('to-server', where === 'before its COMMIT' ? bench.words.commit : 'DELETE FROM', 'pause');
      const frozen = zombie.apply(fixture.token, windowOf(0, 1, [row(1, 'zombie'), remove(1, 0, '[2]')]));
      const failure = assert.rejects(frozen, { name: 'TargetUnavailableError' });
      await until('the zombie is frozen', () => proxy.hits() === 1);
      const young = await fixture.open();
      const taken = await young.takeToken('young');
      assert.equal(taken?.applied, at(0));
      await young.apply('young', windowOf(0, 1, [row(1, 'young')]));
      proxy.resume();
      await failure;
      assert.deepEqual(await fixture.rows('SELECT v FROM t'), [['young']]);
    });
  }

  test('the server ends a session that rests in a transaction, so that its lock does not last (protocol rule 24)', async (t) => {
    const fixture = await bench.scene(t, TABLE, ['t']);
    const proxy = await startByteProxy(t, bench.port);
    const frozen = await fixture.open({
      ...fixture.through(proxy.port),
      idleInTransactionTimeoutMs: 1000,
    });
    proxy.arm('to-server', bench.words.commit, 'pause');
    const failure = assert.rejects(frozen.apply(fixture.token, windowOf(0, 1, [row(1, 'one')])), {
      name: 'TargetUnavailableError',
    });
    await until('the session is frozen', () => proxy.hits() === 1);
    await until('the row is free again', () => fixture.rows(LOCK_AT_ONCE));
    assert.deepEqual(await fixture.rows('SELECT v FROM t'), []);
    proxy.resume();
    await failure;
  });

  for (const [what, direction, sign, committed] of [
    ['the COMMIT is lost', 'to-server', 'commit', false],
    ['the answer to the COMMIT is lost', 'to-client', 'committed', true],
  ] as const) {
    test(`${what}: the outcome is unknown until the row is read under its lock (protocol rule 22)`, async (t) => {
      const fixture = await bench.scene(t, TABLE, ['t']);
      const proxy = await startByteProxy(t, bench.port);
      const session = await fixture.open(fixture.through(proxy.port));
      proxy.arm(direction, bench.words[sign], 'cut-before');
      await assert.rejects(session.apply(fixture.token, windowOf(0, 1, [row(1, 'one')])), (error: unknown) => {
        assert.ok(error instanceof TargetUnavailableError);
        assert.equal(error.commitUnknown, true);
        return true;
      });
      assert.equal(proxy.hits(), 1);
      const next = await fixture.open();
      assert.equal((await next.readLocked())?.applied, committed ? at(1) : at(0));
      assert.deepEqual(await fixture.rows('SELECT v FROM t'), committed ? [['one']] : []);
    });
  }

  test('a COMMIT still on its way holds the row: nobody reads past it (protocol rule 22)', async (t) => {
    const fixture = await bench.scene(t, TABLE, ['t']);
    const proxy = await startByteProxy(t, bench.port);
    const session = await fixture.open(fixture.through(proxy.port));
    proxy.arm('to-server', bench.words.commit, 'pause');
    const applied = session.apply(fixture.token, windowOf(0, 1, [row(1, 'one')]));
    await until('the COMMIT is on its way', () => proxy.hits() === 1);
    const next = await fixture.open({ lockTimeoutMs: 150 });
    await assert.rejects(next.readLocked(), { name: 'TargetUnavailableError', code: bench.words.lockTimeout });
    proxy.resume();
    await applied;
    assert.equal((await next.readLocked())?.applied, at(1));
  });
}
