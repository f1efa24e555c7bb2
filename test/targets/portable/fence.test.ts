import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { formatHlc } from '../../../src/domain/hlc.js';
import { TargetUnavailableError } from '../../../src/targets/failures.js';
import { inTransaction } from '../../../src/targets/portable/sql-client.js';
import { startByteProxy } from '../../support/byte-proxy.js';
import { until } from '../../support/until.js';
import { BACKENDS, startMariadbBackend, type Backend, type MariadbBackend } from './backends.js';
import { at, createFixture, STREAM, TOKEN } from './fixture.js';

for (const [name, start] of BACKENDS)
  describe(name, () => {
    let backend: Backend;
    before(async () => {
      backend = await start();
    });
    after(() => backend.stop());

    test('an old token moves nothing any more, in a transaction or alone (protocol rule C)', async (t) => {
      const old = await createFixture(t, backend);
      assert.equal(await old.row.record(TOKEN), true);
      assert.equal(await old.row.advance(TOKEN, at(0), at(1)), true);
      const young = await old.another();
      const taken = await young.takeOver('young');
      assert.deepEqual(taken, {
        stream: STREAM,
        applied: at(1),
        cursor: at(0),
        token: 'young',
        stageId: null,
        incarnation: 0,
        groups: [],
      });
      for (const within of [true, false]) {
        const tried = () => old.row.advance(TOKEN, at(1), at(2));
        assert.equal(await (within ? inTransaction(old.client, tried) : tried()), false);
      }
      assert.equal(await old.row.record(TOKEN), false);
      assert.equal(await old.row.hold(TOKEN), null);
      assert.equal(await old.row.bind(TOKEN, 'stage of the zombie', 9), false);
      assert.equal(await young.row.bind('young', 'stage', 2), true);
      assert.deepEqual(await young.row.hold('young'), { applied: at(1), stopAt: null });
      const { groups: none, ...there } = taken ?? { groups: [] };
      assert.deepEqual([await old.row.read(), none], [{ ...there, stageId: 'stage', incarnation: 2 }, []]);
    });

    test('the checkpoint must be the one we left: set back, ahead, or gone, it is not moved', async (t) => {
      const fixture = await createFixture(t, backend);
      assert.equal(await fixture.row.advance(TOKEN, at(0), at(5)), true);
      assert.equal(await fixture.row.advance(TOKEN, at(5), at(5)), true, 'found counts, changed or not');
      assert.equal(await fixture.row.advance(TOKEN, at(4), at(6)), false);
      // The logical part counts to its last digit, which no double has.
      await fixture.rows('UPDATE {checkpoint} SET applied = applied + 0.0000000001');
      assert.equal(await fixture.row.advance(TOKEN, at(5), at(6)), false);
      await fixture.rows('DELETE FROM {checkpoint}');
      assert.equal(await fixture.row.advance(TOKEN, at(5), at(6)), false);
      assert.equal(await fixture.takeOver('again'), null);
      assert.equal(await fixture.row.read(), null);
    });

    test('a window planned before the stop was set does not pass it (protocol rule 32)', async (t) => {
      const fixture = await createFixture(t, backend);
      assert.equal(await fixture.store.setStopAt(STREAM, at(2)), true);
      assert.equal(await fixture.row.advance(TOKEN, at(0), at(3)), false);
      assert.deepEqual(await fixture.row.hold(TOKEN), { applied: at(0), stopAt: at(2) });
      assert.equal(await fixture.row.advance(TOKEN, at(0), at(2)), true);
      assert.equal(await fixture.store.setStopAt(STREAM, at(1)), false);
    });

    test('what is applied at once beyond a stop refuses it (protocol rule 32)', async (t) => {
      const fixture = await createFixture(t, backend);
      const guard = `INSERT INTO {guard} (stream, source_table, key_hash, hlc, run) VALUES ('${STREAM}', 't', 'h', ${formatHlc(at(3))}, 'run')`;
      await fixture.rows(guard);
      assert.equal(await fixture.store.setStopAt(STREAM, at(2)), false);
      assert.equal(await fixture.store.setStopAt(STREAM, at(3)), true);
    });

    test('groups are taken together, and the stream is where the last of them is (protocol rule 26)', async (t) => {
      const fixture = await createFixture(t, backend);
      const layout = [
        { number: 1, tables: ['shop.a', 'shop.b'] },
        { number: 2, tables: ['shop.c'] },
      ];
      assert.equal(await fixture.groups.regroup('zombie', at(0), layout), false);
      assert.equal(await fixture.rowOf(1).hold(TOKEN), null);
      assert.equal(await fixture.groups.regroup(TOKEN, at(0), layout), true);
      const [one, two] = [fixture.rowOf(1), fixture.rowOf(2)];
      assert.equal(await one.advance(TOKEN, at(0), at(4)), true);
      assert.equal(await two.advance(TOKEN, at(0), at(2)), true);
      assert.equal(await fixture.groups.advanceToLeast('zombie'), null);
      assert.equal(await fixture.groups.advanceToLeast(TOKEN), at(2));
      assert.equal((await fixture.row.read())?.applied, at(2));
      assert.deepEqual([(await one.read())?.applied, (await one.readLocked())?.cursor], [at(4), at(0)]);
      assert.equal(await two.advance(TOKEN, at(2), at(3)), true);
      const young = await fixture.another();
      const taken = await young.takeOver('young');
      assert.deepEqual(
        [taken?.applied, taken?.groups],
        [
          at(3),
          [
            { ...layout[0], applied: at(4) },
            { ...layout[1], applied: at(3) },
          ],
        ],
      );
      for (const old of [one, two]) assert.equal(await old.advance(TOKEN, at(4), at(5)), false);
      assert.equal(await young.store.setStopAt(STREAM, at(3)), false, 'a group has passed it');
      assert.equal((await young.row.hold('young'))?.stopAt, null);
      assert.equal(await young.store.setStopAt(STREAM, at(5)), true);
      assert.equal(await young.rowOf(2).advance('young', at(3), at(6)), false);
      await assert.rejects(young.groups.regroup('young', at(4), []), /not all at/);
      assert.equal(await young.rowOf(2).advance('young', at(3), at(4)), true);
      assert.equal(await young.groups.regroup('young', at(4), []), true);
      assert.deepEqual([(await young.row.read())?.applied, (await young.takeOver('next'))?.groups], [at(4), []]);
    });

    test('of two that compare and set at once, one does', async (t) => {
      const fixture = await createFixture(t, backend);
      const rival = await fixture.another({ lockTimeoutMs: 10_000 });
      await fixture.client.begin();
      assert.equal(await fixture.row.advance(TOKEN, at(0), at(1)), true);
      const late = inTransaction(rival.client, () => rival.row.advance(TOKEN, at(0), at(2)));
      const first = await Promise.race([late, fixture.rows('SELECT 1 AS one FROM {checkpoint}')]);
      assert.deepEqual(first, [['1']], 'it waits');
      await fixture.client.commit();
      assert.equal(await late, false);
      assert.equal((await fixture.row.read())?.applied, at(1));
    });

    test('a COMMIT still on its way holds the row: nobody reads past it (protocol rule 22)', async (t) => {
      const fixture = await createFixture(t, backend);
      const next = await fixture.another();
      await fixture.client.begin();
      await fixture.row.advance(TOKEN, at(0), at(1));
      await assert.rejects(next.row.readLocked(), (error) => next.errors.isLockTimeout(error));
      assert.equal((await next.row.read())?.applied, at(0));
      await fixture.client.commit();
      assert.equal((await next.row.readLocked())?.applied, at(1));
    });
  });

describe('sessions of MariaDB', () => {
  let backend: MariadbBackend;
  before(async () => {
    backend = await startMariadbBackend();
  });
  after(() => backend.stop());

  for (const what of ['its COMMIT', 'its first row'] as const)
    test(`an applier frozen before ${what} is ended by the takeover and harmless when it thaws (protocol rule 24)`, async (t) => {
      const fixture = await createFixture(t, backend);
      const proxy = await startByteProxy(t, backend.server.port);
      const zombie = await fixture.another({ port: proxy.port });
      await zombie.row.record(TOKEN);
      await zombie.client.begin();
      await zombie.row.advance(TOKEN, at(0), at(1));
      proxy.arm('to-server', what === 'its COMMIT' ? 'COMMIT' : 'INSERT INTO', 'pause');
      const frozen =
        what === 'its COMMIT'
          ? zombie.client.commit()
          : zombie.rows(`INSERT INTO {run} (run, phase, state_json) VALUES ('r', 'p', '{}')`);
      const failure = assert.rejects(frozen, (error) => {
        assert.ok(zombie.errors.toTargetError(error, 'applying') instanceof TargetUnavailableError, String(error));
        return true;
      });
      await until('the zombie is frozen', () => proxy.hits() === 1);
      const young = await fixture.another();
      assert.equal((await young.takeOver('young'))?.applied, at(0));
      assert.equal(await young.row.advance('young', at(0), at(1)), true);
      proxy.resume();
      await failure;
      assert.deepEqual(await fixture.rows('SELECT token FROM {checkpoint} UNION ALL SELECT run FROM {run}'), [
        ['young'],
      ]);
    });

  test('a group’s frozen applier is ended too', async (t) => {
    const fixture = await createFixture(t, backend);
    await fixture.groups.regroup(TOKEN, at(0), [{ number: 1, tables: ['a'] }]);
    const zombie = await fixture.another();
    const row = zombie.rowOf(1);
    await row.record(TOKEN);
    await zombie.client.begin();
    await row.advance(TOKEN, at(0), at(1));
    const young = await fixture.another();
    assert.equal((await young.takeOver('young'))?.applied, at(0));
    await assert.rejects(zombie.client.commit());
  });

  test('a row locked by somebody else: the takeover names that session and leaves it alone', async (t) => {
    const fixture = await createFixture(t, backend);
    const gone = await fixture.another();
    await gone.row.record(TOKEN);
    await gone.store.close();
    const stranger = await fixture.another();
    const [[id = ''] = []] = await stranger.rows('SELECT CONNECTION_ID()');
    await stranger.client.begin();
    await stranger.rows('SELECT stream FROM {checkpoint} FOR UPDATE');
    const young = await fixture.another();
    await assert.rejects(young.takeOver('young'), (error: unknown) => {
      assert.ok(error instanceof TargetUnavailableError);
      assert.equal(error.code, '1205');
      assert.match(error.message, new RegExp(`server process ${id},`));
      return true;
    });
    await stranger.client.rollback();
    assert.equal((await young.takeOver('young'))?.token, 'young');
  });
});
