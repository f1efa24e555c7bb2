import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { AttemptOptions, AttemptOutcome } from '../../src/apply/attempt.js';
import { formatHlc, type Hlc } from '../../src/domain/hlc.js';
import type { Stage } from '../../src/staging/stage.js';
import type { StreamHold } from '../../src/targets/target.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { openPostgresApplySession } from '../../src/targets/postgres/session.js';
import { at, planOf } from '../targets/postgres/apply-fixture.js';
import { createAttemptFixture, FINGERPRINT, sessionWith, survivor, type AttemptFixture } from './attempt-fixture.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

suite('which stage is ours (protocol rules B, D)', () => {
  test('the first attempt binds incarnation 1 at the cursor and names it in the row', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    const stage = await fixture.stageOf('a');
    const attempt = fixture.start(stage);
    assert.deepEqual(await attempt.taken(), {
      token: attempt.token,
      incarnation: 1,
      cursor: at(0),
      applied: at(0),
      stageKept: false,
    });
    assert.deepEqual(await fixture.row(), [stage.id, '1']);
    assert.deepEqual(stage.binding(), { incarnation: 1, floor: at(0), resolved: at(0), plan: FINGERPRINT });
  });

  test('a surviving stage is kept with its rows, and the changefeed goes on at its resolved', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    const stage = await survivor(fixture);
    const attempt = fixture.start(stage);
    const { incarnation, cursor, applied, stageKept } = await attempt.taken();
    assert.deepEqual(
      { incarnation, cursor, applied, stageKept },
      { incarnation: 1, cursor: at(3), applied: at(1), stageKept: true },
    );
    await until('what only the stage had is applied', () => attempt.applied() === at(3));
    assert.equal(await fixture.ids(), '1,2,3');
  });

  test('renew keeps every entry and takes the next incarnation, at resolved (protocol rule 3)', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    const stage = await survivor(fixture);
    const attempt = fixture.start(stage, { renew: true });
    const { incarnation, cursor, stageKept } = await attempt.taken();
    assert.deepEqual({ incarnation, cursor, stageKept }, { incarnation: 2, cursor: at(3), stageKept: true });
    assert.deepEqual(await fixture.row(), [stage.id, '2']);
    await assert.rejects(attempt.receive(1, [9], 9), { name: 'StaleIncarnationError' });
    await until('what only the stage had is applied', () => attempt.applied() === at(3));
    assert.equal(await fixture.ids(), '1,2,3');
  });

  const foreign: [string, (fixture: AttemptFixture, stage: Stage) => Promise<[Stage, Partial<AttemptOptions>?]>][] = [
    ['another host’s, which is empty', async (fixture) => [await fixture.stageOf('b')]],
    [
      'bound to the incarnation, but not the one the row names',
      async (fixture) => {
        const other = await fixture.stageOf('b');
        await other.bind(1, at(0), FINGERPRINT);
        await other.resolve(1, at(9));
        return [other];
      },
    ],
    [
      'of a lower incarnation than the row’s',
      async (fixture, stage) => {
        await fixture.admin.query('UPDATE _failback.checkpoint SET incarnation = 2');
        return [stage];
      },
    ],
    [
      'of a higher incarnation than the row’s',
      async (_fixture, stage) => {
        await stage.renew(2);
        return [stage];
      },
    ],
    [
      'behind the checkpoint',
      async (fixture, stage) => {
        await fixture.admin.query(`UPDATE _failback.checkpoint SET applied = ${formatHlc(at(4))}`);
        return [stage];
      },
    ],
    [
      'purged beyond the checkpoint: the target was set back',
      async (fixture, stage) => {
        await fixture.admin.query(`UPDATE _failback.checkpoint SET applied = cursor`);
        return [stage];
      },
    ],
    ['bound under another plan', (_fixture, stage) => Promise.resolve([stage, { plan: planOf(['t:id,v']) }])],
    [
      'a copy of an old disk, which knows less than it has mirrored (protocol rule 15)',
      (_fixture, stage) => Promise.resolve([stage, { mirrored: { stageId: stage.id, resolved: formatHlc(at(4)) } }]),
    ],
  ];
  for (const [what, prepare] of foreign) {
    test(`a stage is bound anew, empty, at C as the next incarnation when it is ${what}`, async (t) => {
      const fixture = await createAttemptFixture(t, postgres);
      const [stage, over] = await prepare(fixture, await survivor(fixture));
      const used = Math.max(stage.binding()?.incarnation ?? 0, Number((await fixture.row())[1]));
      const attempt = fixture.start(stage, over);
      const taken = await attempt.taken();
      const [[applied]] = (await fixture.rows('SELECT applied::text FROM _failback.checkpoint')) as [[string]];
      assert.equal(formatHlc(taken.cursor), applied);
      assert.equal(taken.applied, taken.cursor);
      assert.equal(taken.incarnation, used + 1);
      assert.equal(taken.stageKept, false);
      assert.equal(stage.figures().entries, 0);
      assert.deepEqual(stage.binding(), {
        incarnation: used + 1,
        floor: taken.cursor,
        resolved: taken.cursor,
        plan: stage.binding()?.plan,
      });
      assert.deepEqual(await fixture.row(), [stage.id, String(used + 1)]);
    });
  }

  test('what was mirrored of another stage, or no more than this one knows, says nothing against it', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    let stage = await survivor(fixture);
    for (const mirrored of [
      { stageId: 'another', resolved: formatHlc(at(9)) },
      { stageId: stage.id, resolved: formatHlc(at(3)) },
    ]) {
      const attempt = fixture.start(stage, { mirrored });
      assert.equal((await attempt.taken()).stageKept, true);
      await attempt.abort();
      stage = await fixture.stageOf('a');
    }
  });

  test('the dying changefeed’s last rows and resolved timestamp do not reach the stage bound after it (protocol rule A)', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    await survivor(fixture);
    const attempt = fixture.start(await fixture.stageOf('b'));
    assert.equal((await attempt.taken()).incarnation, 2);
    await assert.rejects(attempt.receive(1, [4], 9), { name: 'StaleIncarnationError' });
    await attempt.receive(2, [2, 3, 4], 4);
    await until('all is applied', () => attempt.applied() === at(4));
    assert.equal(await fixture.ids(), '1,2,3,4');
  });

  test('set back under a live attempt: it begins the next incarnation at the row’s checkpoint by itself', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    const attempt = fixture.start(await fixture.stageOf('a'));
    await attempt.taken();
    for (const n of [1, 2]) {
      await attempt.receive(1, [n], n);
      await until(`${n} is applied`, () => attempt.applied() === at(n));
    }
    await fixture.admin.query(
      `BEGIN; DELETE FROM t WHERE id = 2; UPDATE _failback.checkpoint SET applied = ${formatHlc(at(1))}; COMMIT`,
    );
    await attempt.receive(1, [3], 3).catch(() => undefined);
    const again = await attempt.taken(2);
    assert.deepEqual([again.incarnation, again.cursor, again.stageKept], [2, at(1), false]);
    assert.deepEqual(attempt.intake, ['open 1', 'closed', 'open 2']);
    await attempt.receive(2, [2, 3], 3);
    await until('3 is applied', () => attempt.applied() === at(3));
    assert.equal(await fixture.ids(), '1,2,3');
  });

  test('set back by less than retireOffset: what is applied already is applied again from the stage, of the same changefeed (protocol rule 16)', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    const attempt = fixture.start(await fixture.stageOf('a'), { retireOffsetMs: 30_000 });
    await attempt.taken();
    for (const n of [1, 2, 3]) {
      await attempt.receive(1, [n], n);
      await until(`${n} is applied`, () => attempt.applied() === at(n));
    }
    await fixture.admin.query(
      `BEGIN; DELETE FROM t WHERE id > 1; UPDATE _failback.checkpoint SET applied = ${formatHlc(at(1))}; COMMIT`,
    );
    await attempt.receive(1, [4], 4);
    const again = await attempt.taken(2);
    assert.deepEqual([again.incarnation, again.applied, again.cursor, again.stageKept], [1, at(1), at(4), true]);
    await until('4 is applied', () => attempt.applied() === at(4));
    assert.equal(await fixture.ids(), '1,2,3,4');
  });
});

suite('the order of the takeover (protocol rule D)', () => {
  test('the intake opens only after the row names stage and incarnation', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    const stage = await fixture.stageOf('a');
    const order: string[] = [];
    const attempt = fixture.start(stage, {
      openSession: sessionWith(fixture, (session) => ({
        async takeToken(token) {
          const taken = await session.takeToken(token);
          order.push('token');
          return taken;
        },
        async bind(...named) {
          order.push(`stage bound to ${stage.binding()?.incarnation}`);
          const held = await session.bind(...named);
          order.push('row');
          return held;
        },
      })),
      listen: (incarnation) => {
        order.push(`intake ${incarnation}`);
        return () => undefined;
      },
      // Whoever hears it creates the changefeed.
      onTaken: ({ incarnation }) => {
        order.push(`word of ${incarnation}`);
        return Promise.resolve();
      },
    });
    await until('the whole takeover', () => order.length === 5);
    assert.deepEqual(order, ['token', 'stage bound to 1', 'row', 'intake 1', 'word of 1']);
    await attempt.abort();
  });

  test('a second attempt fences the first, whose later rows never reach the target', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    const old = fixture.start(await fixture.stageOf('a'));
    await old.taken();
    await old.receive(1, [1], 1);
    await until('1 is applied', () => old.applied() === at(1));
    const young = fixture.start(await fixture.stageOf('b'));
    assert.equal((await young.taken()).incarnation, 2);
    await old.receive(1, [2], 2);
    const end = await old.ended;
    assert.ok(end.ended === 'fenced' && end.found?.token === young.token, end.ended);
    assert.deepEqual(old.intake, ['open 1', 'closed']);
    await young.receive(2, [2, 3], 3);
    await until('3 is applied', () => young.applied() === at(3));
    assert.equal(await fixture.ids(), '1,2,3');
  });

  test('overtaken between the token and the row: it names nothing there and never listens', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    const old = fixture.start(await fixture.stageOf('a'), {
      openSession: sessionWith(fixture, (session) => ({
        async bind(...named) {
          const young = await fixture.open();
          await young.takeToken('young');
          await young.bind('young', 'stage of the young', 7);
          return session.bind(...named);
        },
      })),
    });
    assert.equal((await old.ended).ended, 'fenced');
    assert.deepEqual(old.intake, []);
    assert.deepEqual(await fixture.row(), ['stage of the young', '7']);
  });

  test('a row that is gone ends the attempt and is not made again (protocol rule C)', async (t) => {
    const fixture = await createAttemptFixture(t, postgres);
    await fixture.admin.query('DELETE FROM _failback.checkpoint');
    const attempt = fixture.start(await fixture.stageOf('a'));
    assert.deepEqual(await attempt.ended, { ended: 'fenced', found: null });
    assert.deepEqual(attempt.intake, []);
    assert.deepEqual(await fixture.row(), []);
  });
});

test('at its stop the target rests exactly there, while what the source has after it is taken and counted (protocol rule 32)', async (t) => {
  const fixture = await createAttemptFixture(t, postgres);
  const holds: StreamHold[] = [];
  let stop: Hlc | null = at(2);
  const attempt = fixture.start(await fixture.stageOf('a'), {
    stopAt: () => stop,
    onHold: (hold) => {
      holds.push(hold);
      return Promise.resolve();
    },
  });
  await attempt.taken();
  await attempt.receive(1, [1, 2, 3], 3);
  const seen = (seenUpTo: number) =>
    until(`it rests, seen up to ${seenUpTo}`, () => holds.find((hold) => hold.seenUpTo === at(seenUpTo)));
  assert.deepEqual(await seen(3), { at: at(2), seenUpTo: at(3), newerChanges: 1 });
  await attempt.receive(1, [4], 9);
  assert.deepEqual(await seen(9), { at: at(2), seenUpTo: at(9), newerChanges: 2 });
  assert.equal(await fixture.ids(), '1,2');
  assert.equal(attempt.applied(), at(2));
  stop = null;
  await attempt.receive(1, [], 10);
  await until('it goes on', () => attempt.applied() === at(10));
  assert.equal(await fixture.ids(), '1,2,3,4');
});

for (const statement of ['SET token = $2', 'SET stage_id = $3']) {
  test(`aborted while the target says nothing to ${statement}: it is cut off after the grace time`, async (t) => {
    // First, so that it is closed first: what hangs on it then ends.
    const proxy = await startByteProxy(t, postgres.port);
    const fixture = await createAttemptFixture(t, postgres);
    const stage = await fixture.stageOf('a');
    const frozen = proxy.arm('to-server', statement, 'pause');
    const connectionString = `postgresql://postgres@127.0.0.1:${proxy.port}/${fixture.database}`;
    const attempt = fixture.start(stage, {
      abortGraceMs: 300,
      openSession: () => openPostgresApplySession(fixture.options({ connectionString })),
    });
    await until('the takeover is frozen', frozen);
    let end: AttemptOutcome | undefined;
    void attempt.abort().then((outcome) => (end = outcome));
    await until('its end', () => end, { timeoutMs: 4_000 });
    assert.deepEqual(end, { ended: 'aborted' });
    assert.deepEqual(attempt.intake, [], 'it never listened');
  });
}
