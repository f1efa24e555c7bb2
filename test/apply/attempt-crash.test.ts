import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { AttemptOptions } from '../../src/apply/attempt.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { at } from '../targets/postgres/apply-fixture.js';
import { createAttemptFixture, sessionWith, survivor, type AttemptFixture } from './attempt-fixture.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

class Crash extends Error {}
const crash = (): never => {
  throw new Crash();
};

/** Where the process dies; what is on disk and in the row then stays as it is. */
const CRASHES: readonly [string, (fixture: AttemptFixture) => Partial<AttemptOptions>][] = [
  ['before the token is taken', (fixture) => ({ openSession: sessionWith(fixture, () => ({ takeToken: crash })) })],
  [
    'after the token is taken',
    (fixture) => ({
      openSession: sessionWith(fixture, (session) => ({ takeToken: (token) => session.takeToken(token).then(crash) })),
    }),
  ],
  ['after the stage is bound', (fixture) => ({ openSession: sessionWith(fixture, () => ({ bind: crash })) })],
  [
    'after the row is written',
    (fixture) => ({
      openSession: sessionWith(fixture, (session) => ({ bind: (...named) => session.bind(...named).then(crash) })),
    }),
  ],
  ['after the intake is open', () => ({ onTaken: () => Promise.reject(new Crash()) })],
];

suite('each step of the takeover may be the last before a crash (protocol rule D)', () => {
  for (const [when, dies] of CRASHES) {
    for (const [how, begin] of [
      ['a fresh stage', (fixture: AttemptFixture) => fixture.stageOf('a')],
      ['a surviving stage', survivor],
      ['a surviving stage that is renewed', survivor],
      ['another host', async (fixture: AttemptFixture) => (await survivor(fixture), fixture.stageOf('b'))],
    ] as const) {
      test(`${how}, a crash ${when}: the next attempt loses nothing and uses no incarnation for two things`, async (t) => {
        const fixture = await createAttemptFixture(t, postgres);
        const stage = await begin(fixture);
        const broken = fixture.start(stage, { renew: how.endsWith('renewed'), ...dies(fixture) });
        await assert.rejects(broken.ended, Crash);
        const left = stage.binding();

        const reopened = await fixture.stageOf(how === 'another host' ? 'b' : 'a');
        assert.deepEqual(reopened.binding(), left, 'what was bound is durable');
        const [namedStage, named] = await fixture.row();
        const next = fixture.start(reopened);
        const taken = await next.taken();
        // An incarnation that the crash left on one side only is not used again.
        const kept = namedStage === reopened.id && Number(named) === left?.incarnation;
        assert.equal(taken.stageKept, kept);
        assert.equal(taken.incarnation, kept ? Number(named) : Math.max(left?.incarnation ?? 0, Number(named)) + 1);
        assert.equal(taken.cursor, kept ? left.resolved : taken.applied);
        assert.deepEqual(await fixture.row(), [reopened.id, String(taken.incarnation)]);

        // The changefeed sends what comes after its cursor, and nothing else.
        const rest = [1, 2, 3, 4].filter((n) => at(n) > taken.cursor);
        await next.receive(taken.incarnation, rest, 4);
        await until('all is applied', () => next.applied() === at(4));
        assert.equal(await fixture.ids(), '1,2,3,4');
      });
    }
  }
});
