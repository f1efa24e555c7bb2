import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { SourceCheck } from '../../src/apply/source-check.js';
import type { Hlc } from '../../src/domain/hlc.js';
import { SourceChangedError } from '../../src/domain/source-identity.js';
import type { StreamHold } from '../../src/targets/target.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { at, upsert } from '../targets/postgres/apply-fixture.js';
import { startPostgresBench } from '../targets/postgres/bench.js';
import { B_CHILD, createGroupsFixture, family, ONE, PAIRS, PAIRS_TURNED } from './groups-fixture.js';
import { groupsSuite } from './groups-suite.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const LOCK_B = 'LOCK TABLE b_child IN ACCESS EXCLUSIVE MODE';

groupsSuite(startPostgresBench);

test('what one group has applied before the others is purged when they come there, without another change', async (t) => {
  const fixture = await createGroupsFixture(t, postgres);
  const stage = await fixture.stageOf('a');
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const attempt = fixture.begin(
    stage,
    {},
    {
      replace: (session, group) => ({
        async apply(...window) {
          if (group === 1) await released;
          return session.apply(...window);
        },
      }),
    },
  );
  await attempt.taken();
  const holder = (): Promise<(string | null)[][]> => fixture.rows('SELECT holder_pid::text FROM _failback.checkpoint');
  const [[before] = []] = await holder();
  await attempt.receiveChanges(1, family(1, 'a'), 1);
  await fixture.awaitApplied('0:1 1:0', 0);
  await until('the stream’s row has been looked after', async () => (await holder())[0]?.[0] !== before);
  release();
  await fixture.awaitApplied('0:1 1:1', 1);
  await until('it is purged', () => stage.figures().entries === 0);
});

suite('after a crash between the commits of two groups', () => {
  class Crash extends Error {}

  for (const [what, host] of [
    ['its stage survives', 'a'],
    ['its stage is lost, and all is sent again from where the last of them is', 'b'],
  ] as const) {
    test(`each goes on from its own checkpoint, and nothing is written twice: ${what}`, async (t) => {
      const fixture = await createGroupsFixture(t, postgres);
      const changes = [1, 2, 3].flatMap((n) => [...family(2 * n, 'a'), ...family(2 * n + 1, 'b')]);
      let applied = 0;
      const first = fixture.begin(
        await fixture.stageOf('a'),
        { limits: { rows: 2, bytes: 1_000_000 } },
        {
          replace: (session, group) => ({
            async apply(...window) {
              // Group 1 dies when it has written one family, and the other all of its own.
              if (group === 1 && applied++ === 1) {
                await until('the other group is through', async () => (await fixture.groups()).startsWith('0:7'));
                throw new Crash();
              }
              return session.apply(...window);
            },
          }),
        },
      );
      await first.taken();
      await first.receiveChanges(1, changes, 7);
      await assert.rejects(first.ended, Crash);
      const [, behind] = (await fixture.groups()).split(' 1:');
      assert.ok(Number(behind) < 7 && Number(behind) >= 3, await fixture.groups());

      const second = fixture.begin(await fixture.stageOf(host));
      const { applied: least, incarnation, cursor, stageKept } = await second.taken();
      assert.deepEqual([least, stageKept], [at(Number(behind)), host === 'a'], 'it begins with the least of them');
      assert.equal(cursor, host === 'a' ? at(7) : least);
      // Everything once more: what lies before the one group's checkpoint and after the other's is a redelivery for one of them only.
      await second.receiveChanges(incarnation, [...changes, ...family(9, 'a'), ...family(9, 'b')], 9);
      await fixture.awaitApplied('0:9 1:9', 9);
      assert.deepEqual(
        await fixture.rows('SELECT tab, id::text FROM written ORDER BY tab, id'),
        [...[2, 4, 6, 9].map((id) => ['a_child', String(id)]), ...[3, 5, 7, 9].map((id) => ['b_child', String(id)])],
        'every row was written once',
      );
    });
  }

  test('a stage that knows less than any group has applied is not ours (protocol rule 15)', async (t) => {
    const fixture = await createGroupsFixture(t, postgres);
    const stage = await fixture.stageOf('a');
    const first = fixture.begin(stage);
    await first.taken();
    await first.receiveChanges(1, family(1, 'a'), 2);
    await fixture.awaitApplied('0:2 1:2', 2);
    await first.abort();
    // The disk is a copy of before: one group is further than it knows.
    await fixture.admin.query('UPDATE _failback.checkpoint_group SET applied = applied + 5 WHERE group_number = 0');
    const second = fixture.begin(await fixture.stageOf('a'));
    assert.equal((await second.taken()).stageKept, false);
  });
});

suite('takeover', () => {
  test('takes the token of all groups at once; the old attempt writes nothing more in any (protocol rules 26 and D)', async (t) => {
    const fixture = await createGroupsFixture(t, postgres);
    const old = fixture.begin(await fixture.stageOf('a'));
    await old.taken();
    await old.receiveChanges(1, [...family(1, 'a'), ...family(1, 'b')], 1);
    await fixture.awaitApplied('0:1 1:1', 1);
    const young = fixture.begin(await fixture.stageOf('b'), { stopAt: () => 'unknown' });
    await young.taken();
    assert.deepEqual(
      await fixture.rows(
        'SELECT token FROM _failback.checkpoint UNION ALL SELECT token FROM _failback.checkpoint_group',
      ),
      [[young.token], [young.token], [young.token]],
    );
    await old.receiveChanges(1, [...family(2, 'a'), ...family(2, 'b')], 2);
    const end = await old.ended;
    assert.ok(end.ended === 'fenced' && end.found?.token === young.token, end.ended);
    assert.equal(await fixture.groups(), '0:1 1:1');
    assert.deepEqual(await fixture.rows('SELECT count(*)::text FROM written'), [['2']]);
  });

  test('ends the session that holds the row of any group (protocol rule 24)', async (t) => {
    const fixture = await createGroupsFixture(t, postgres);
    const old = fixture.begin(await fixture.stageOf('a'), {}, { options: { lockTimeoutMs: 60_000 } });
    await old.taken();
    await fixture.awaitApplied('0:0 1:0');
    await fixture.lock(LOCK_B);
    await old.receiveChanges(1, [...family(1, 'a'), ...family(1, 'b')], 1);
    await fixture.awaitApplied('0:1 1:0');
    const young = fixture.begin(await fixture.stageOf('b'));
    await young.taken();
    assert.equal((await old.ended).ended, 'fenced');
  });

  test('of a schema that an earlier version has made, and whose stream knows no groups', async (t) => {
    const fixture = await createGroupsFixture(t, postgres);
    await fixture.admin.query('DROP TABLE _failback.checkpoint_group');
    const attempt = fixture.begin(await fixture.stageOf('a'), { plan: ONE });
    await attempt.taken();
    await attempt.receiveChanges(1, family(1, 'a'), 1);
    await until('it is applied', () => attempt.applied() === at(1));
    assert.equal(await fixture.store.setStopAt('orders', at(5)), true);
  });
});

suite('at a stop', () => {
  test('every group comes to exactly there, then the stream’s row, and only then it is told (protocol rule 32)', async (t) => {
    const fixture = await createGroupsFixture(t, postgres);
    const holds: StreamHold[] = [];
    let stop: Hlc | null = null;
    const attempt = fixture.begin(await fixture.stageOf('a'), {
      stopAt: () => stop,
      onHold: (hold) => {
        holds.push(hold);
        return Promise.resolve();
      },
    });
    await attempt.taken();
    await attempt.receiveChanges(1, [...family(1, 'a'), ...family(1, 'b')], 1);
    await fixture.awaitApplied('0:1 1:1', 1);
    assert.equal(await fixture.store.setStopAt('orders', at(4)), true);
    stop = at(4);
    const unlock = await fixture.lock(LOCK_B);
    await attempt.receiveChanges(1, [...family(3, 'a'), ...family(3, 'b'), ...family(5, 'a'), ...family(6, 'b')], 6);
    await fixture.awaitApplied('0:4 1:1', 1);
    assert.deepEqual(holds, [], 'one has not come yet');
    await unlock();
    await fixture.awaitApplied('0:4 1:4', 4);
    const hold = await until('it is told', () => holds[0]);
    assert.deepEqual(hold, { at: at(4), seenUpTo: at(6), newerChanges: 4 });
    assert.deepEqual(await fixture.rows('SELECT max(id)::text FROM written'), [['3']]);
    await fixture.store.setStopAt('orders', null);
    stop = null;
    await attempt.receiveChanges(1, [], 7);
    await fixture.awaitApplied('0:7 1:7', 7);
    assert.deepEqual(await fixture.rows('SELECT max(id)::text FROM written'), [['6']]);
  });

  test('a stop is refused that any group has passed, and no window passes one that is set', async (t) => {
    const fixture = await createGroupsFixture(t, postgres);
    const attempt = fixture.begin(await fixture.stageOf('a'));
    await attempt.taken();
    await fixture.awaitApplied('0:0 1:0');
    const unlock = await fixture.lock(LOCK_B);
    await attempt.receiveChanges(1, [...family(2, 'a'), ...family(3, 'b')], 3);
    await fixture.awaitApplied('0:3 1:0');
    // The stream's row is still at 0; what the window of the locked group would come to is not known.
    assert.equal(await fixture.store.setStopAt('orders', at(2)), false, 'group 0 is at 3');
    assert.deepEqual(await fixture.rows('SELECT stop_at::text FROM _failback.checkpoint'), [[null]]);
    assert.equal(await fixture.store.setStopAt('orders', at(3)), true);
    await unlock();
    await fixture.awaitApplied('0:3 1:3', 3);
    // The attempt was not told of the stop: the rows are.
    await attempt.receiveChanges(1, [...family(4, 'a'), ...family(4, 'b')], 4);
    await until('both are refused', () =>
      [0, 1].every((n) => attempt.log.some((line) => line.includes(`group ${n}:`))),
    );
    assert.equal(await fixture.groups(), '0:3 1:3');
  });

  test('one that has come there goes on with the others when the stop is lifted before all have', async (t) => {
    const fixture = await createGroupsFixture(t, postgres);
    let stop: Hlc | null = at(2);
    const attempt = fixture.begin(await fixture.stageOf('a'), { stopAt: () => stop });
    await attempt.taken();
    const unlock = await fixture.lock(LOCK_B);
    await attempt.receiveChanges(1, [...family(1, 'a'), ...family(1, 'b')], 5);
    await fixture.awaitApplied('0:2 1:0');
    stop = null;
    await fixture.awaitApplied('0:5 1:0');
    await unlock();
    await fixture.awaitApplied('0:5 1:5', 5);
  });
});

suite('grouping anew (protocol rule 26)', () => {
  test('from one checkpoint to groups, and back once all are where the furthest is', async (t) => {
    const fixture = await createGroupsFixture(t, postgres);
    const single = fixture.begin(await fixture.stageOf('a'), { plan: ONE });
    await single.taken();
    await single.receiveChanges(1, [...family(1, 'a'), ...family(1, 'b')], 1);
    await until('it is applied', () => single.applied() === at(1));
    assert.equal(await fixture.groups(), '');
    await single.abort();

    const pairs = fixture.begin(await fixture.stageOf('a'));
    assert.equal((await pairs.taken()).stageKept, true, 'the stage is the same, however the tables are grouped');
    await fixture.awaitApplied('0:1 1:1', 1);
    const unlock = await fixture.lock(LOCK_B);
    await pairs.receiveChanges(
      1,
      [2, 3, 4].flatMap((n) => [...family(n, 'a'), ...family(n, 'b')]),
      4,
    );
    await fixture.awaitApplied('0:4 1:1');
    await pairs.abort();
    assert.equal(await fixture.groups(), '0:4 1:1');

    const again = fixture.begin(await fixture.stageOf('a'), { plan: ONE });
    await again.taken();
    await again.receiveChanges(1, [...family(5, 'a'), ...family(5, 'b')], 5);
    await until('the one behind tries', () => again.log.some((line) => line.includes('group 1:')));
    assert.equal(await fixture.groups(), '0:4 1:1', 'the old groups go on, and no further than the furthest');
    await unlock();
    await fixture.awaitApplied('', 5);
    assert.deepEqual(await fixture.rows('SELECT count(*)::text, count(DISTINCT (tab, id))::text FROM written'), [
      ['10', '10'],
    ]);
    await again.abort();
  });

  test('to other groups: all are made equal first, each table by the group that it was in', async (t) => {
    const fixture = await createGroupsFixture(t, postgres);
    const pairs = fixture.begin(await fixture.stageOf('a'));
    await pairs.taken();
    const unlock = await fixture.lock(LOCK_B);
    await pairs.receiveChanges(1, [...family(1, 'a'), ...family(2, 'b')], 3);
    await fixture.awaitApplied('0:3 1:0');
    await pairs.abort();
    await unlock();
    const turned = fixture.begin(await fixture.stageOf('a'), { plan: PAIRS_TURNED });
    await turned.taken();
    await fixture.awaitApplied('0:3 1:3', 3);
    await until('they are other groups', async () => {
      const [row] = await fixture.rows('SELECT tables::text FROM _failback.checkpoint_group WHERE group_number = 0');
      return row?.[0] === '{public.b_parent,public.b_child}';
    });
    await turned.receiveChanges(1, [...family(4, 'a'), ...family(4, 'b')], 4);
    await fixture.awaitApplied('0:4 1:4', 4);
    assert.deepEqual(await fixture.rows('SELECT count(*)::text FROM written'), [['4']]);
  });

  test('is not done by an attempt that has been overtaken', async (t) => {
    const fixture = await createGroupsFixture(t, postgres);
    const attempt = fixture.begin(
      await fixture.stageOf('a'),
      {},
      {
        replace: (session) => ({
          async regroup(...layout) {
            await fixture.admin.query(`UPDATE _failback.checkpoint SET token = 'young'`);
            await session.regroup(...layout);
          },
        }),
      },
    );
    assert.equal((await attempt.ended).ended, 'fenced');
    assert.equal(await fixture.groups(), '');
  });
});

test('a bad row halts its group; the others end their windows, and the attempt ends with it', async (t) => {
  const fixture = await createGroupsFixture(t, postgres);
  const attempt = fixture.begin(await fixture.stageOf('a'));
  await attempt.taken();
  await attempt.receiveChanges(1, family(1, 'b'), 1);
  await fixture.awaitApplied('0:1 1:1', 1);
  const bad = upsert(2, B_CHILD, '[7]', '{"id": 7, "parent": 1, "v": 5000}');
  await attempt.receiveChanges(1, [...family(2, 'a'), bad], 2);
  const end = await attempt.ended;
  assert.ok(end.ended === 'halted' && end.error.name === 'BadRowError', end.ended);
  assert.match(await fixture.groups(), / 1:1$/);
});

test('another key at the source: all that was resolved before is applied in every group, then it halts (protocol rule 8)', async (t) => {
  const fixture = await createGroupsFixture(t, postgres);
  const error = new SourceChangedError('Source.KeyChanged', 'another key');
  let changed: SourceChangedError | null = null;
  const source: SourceCheck = { changed: () => changed, firstOtherKey: () => Promise.resolve(null) };
  const attempt = fixture.begin(await fixture.stageOf('a'), { source });
  await attempt.taken();
  const unlock = await fixture.lock(LOCK_B);
  await attempt.receiveChanges(1, [...family(1, 'a'), ...family(2, 'b')], 2);
  await fixture.awaitApplied('0:2 1:0');
  changed = error;
  await attempt.receiveChanges(1, [], 2);
  await until('the locked one tries on', () => attempt.log.filter((line) => line.includes('group 1:')).length > 2);
  await unlock();
  assert.deepEqual(await attempt.ended, { ended: 'halted', error });
  assert.equal(await fixture.groups(), '0:2 1:2');
  assert.deepEqual(await fixture.rows('SELECT count(*)::text FROM written'), [['2']]);
});

test('the target set back: the attempt begins again where the last of the groups is then', async (t) => {
  const fixture = await createGroupsFixture(t, postgres);
  const attempt = fixture.begin(await fixture.stageOf('a'), { plan: PAIRS });
  await attempt.taken();
  await attempt.receiveChanges(1, [...family(1, 'a'), ...family(1, 'b')], 1);
  await fixture.awaitApplied('0:1 1:1', 1);
  await attempt.receiveChanges(1, [...family(2, 'a'), ...family(3, 'b')], 3);
  await fixture.awaitApplied('0:3 1:3', 3);
  await fixture.admin.query(
    `BEGIN; DELETE FROM a_child WHERE id = 2; DELETE FROM a_parent WHERE id = 2; DELETE FROM written WHERE id > 1;
     DELETE FROM b_child WHERE id = 3; DELETE FROM b_parent WHERE id = 3;
     UPDATE _failback.checkpoint_group SET applied = (SELECT cursor FROM _failback.checkpoint) + 0.000000001; COMMIT`,
  );
  // Nothing is noticed before there is something to write.
  await attempt.receiveChanges(1, [], 4);
  const { applied, incarnation, stageKept } = await attempt.taken(2);
  assert.equal(stageKept, false);
  assert.ok(applied < at(1) && applied > at(0));
  await attempt.receiveChanges(
    incarnation,
    [1, 2, 3].flatMap((n) => [...family(n, 'a'), ...family(n, 'b')]),
    3,
  );
  await fixture.awaitApplied('0:3 1:3', 3);
  assert.deepEqual(await fixture.rows('SELECT count(*)::text FROM b_child'), [['3']]);
});
