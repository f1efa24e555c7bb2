import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { seededRandom } from '../../demo/simulator/feeds/faults.js';
import { until } from '../support/until.js';
import { after as isAfter, assertOrdered, FAST, startFeedWorld, type FeedWorld } from './feed-world.js';

let world: FeedWorld;
before(async () => {
  world = await startFeedWorld();
});
after(() => world.stop());
beforeEach(async () => {
  await world.sql('CREATE TABLE t (id bigint PRIMARY KEY, v text)');
  await world.sql('CREATE TABLE u (id bigint PRIMARY KEY, n bigint)');
});
afterEach(async () => {
  await world.clearFaults();
  await world.sql("UPDATE crdb_sim.job SET status = 'cancel-requested' WHERE status = 'running'");
  await until(
    'all jobs have ended',
    async () => (await world.sql('SELECT FROM crdb_sim.job WHERE finished IS NULL')).rowCount === 0,
  );
  await world.sql('DROP TABLE t, u');
  world.sink.requests.length = 0;
});

const settle = async (): Promise<void> => world.resolvedPast(await world.now());
const insert = async (id: number, v = 'x'): Promise<unknown> =>
  world.sql('INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = excluded.v', [id, v]);
const quiet = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('faults of a changefeed', () => {
  it('feed_duplicate posts a batch twice in a row', async () => {
    await world.fault('feed_duplicate');
    await world.createJob(['t']);
    await insert(1);
    await insert(2);
    await settle();
    const { rows, repeated } = assertOrdered(world.sink.bodies());
    assert.deepEqual([rows, repeated], [4, 2]);
  });

  it('feed_duplicate posts some of the batches twice when it has a probability', async () => {
    await world.fault('feed_duplicate', { probability: 0.5, seed: 3 });
    await world.createJob(['t']);
    for (let id = 1; id <= 30; id++) await insert(id);
    await settle();
    const { rows, repeated } = assertOrdered(world.sink.bodies());
    assert.ok(repeated > 5 && repeated < 25, `${repeated} of ${rows} rows came again`);
  });

  it('meet the job that they name and no other', async () => {
    const named = await world.createJob(['t'], FAST, { sinkUri: world.sink.url('/named') });
    await world.createJob(['t'], FAST, { sinkUri: world.sink.url('/other') });
    await world.fault('feed_stall', { job: named });
    await world.fault('feed_duplicate', { job: named });
    await quiet(60);
    await insert(1);
    const from = (place: string) =>
      world.sink.requests.filter(({ line, body }) => line.includes(place) && body.includes('"payload"')).length;
    await until('the other job sends', () => from('/other') > 0);
    await quiet(100);
    assert.deepEqual([from('/named'), from('/other')], [0, 1]);
    await world.clearFaults();
    await until('the named one sends', () => from('/named') === 1);
  });

  it('feed_reorder lets a later row of another table come first, and keeps the order of a table', async () => {
    await world.fault('feed_tuning', { pollMs: 100, workers: 1 });
    await world.createJob(['t', 'u'], { ...FAST, webhook_sink_config: '{"Flush":{"Messages":1000,"Frequency":"1s"}}' });
    await settle();
    // Like every fault, it meets a feed that already runs.
    await world.fault('feed_reorder', { seed: 7 });
    for (let n = 0; n < 20; n++) {
      await insert(1, String(n));
      await world.sql('INSERT INTO u VALUES ($1, 0)', [n]);
    }
    await settle();
    const updated = world.sink.rows().map((row) => row.updated);
    assert.ok(
      updated.some((at, index) => index > 0 && isAfter(updated[index - 1] ?? at, at)),
      'some row came before an earlier one',
    );
    assert.equal(assertOrdered(world.sink.bodies()).repeated, 0);
  });

  it('feed_replay sends what was resolved before again, ending on the newest', async () => {
    await world.createJob(['t']);
    for (const v of ['1', '2', '3']) await insert(1, v);
    await settle();
    await world.fault('feed_replay', { backMs: 60_000 });
    await until('the rows came again', () => world.sink.rows().length === 6);
    assert.deepEqual(
      world.sink.rows().map((row) => row.after?.['v']),
      ['1', '2', '3', '1', '2', '3'],
    );
    assert.equal(assertOrdered(world.sink.bodies()).repeated, 3);
    await settle();
    assert.equal(world.sink.rows().length, 6, 'once only');
  });

  it('feed_stall stops rows, resolved messages and requests while the job says running', async () => {
    const job = await world.createJob(['t']);
    await settle();
    await world.fault('feed_stall', { job });
    await quiet(60);
    const requests = world.sink.requests.length;
    await insert(1);
    await quiet(150);
    assert.equal(world.sink.requests.length, requests);
    const row = await world.job(job);
    assert.equal(row.status, 'running');
    assert.match(row.running_status ?? '', /^running: resolved=/);
    await world.clearFaults();
    await settle();
    assert.equal(world.sink.rows().length, 1);
  });

  it('feed_hold_resolved lets rows through only', async () => {
    const job = await world.createJob(['t']);
    await settle();
    await world.fault('feed_hold_resolved');
    await quiet(60);
    const { length } = world.sink.resolved();
    const { highwater } = await world.job(job);
    await insert(1);
    await until('the row came', () => world.sink.rows().length === 1);
    await quiet(100);
    assert.equal(world.sink.resolved().length, length);
    assert.equal((await world.job(job)).highwater, highwater);
  });

  it('feed_kill ends the flow between rows and their resolved message; they come again', async () => {
    await world.createJob(['t']);
    await settle();
    await world.fault('feed_kill', { afterRows: 3 });
    await world.sql("INSERT INTO t SELECT g, 'x' FROM generate_series(1, 5) g");
    await settle();
    const { rows, repeated } = assertOrdered(world.sink.bodies());
    assert.deepEqual([rows, repeated], [8, 3]);
  });

  it('feed_drop_resolved keeps the high-water and loses its message', async () => {
    const job = await world.createJob(['t'], { ...FAST, resolved: '1ms', min_checkpoint_frequency: '50ms' });
    await settle();
    await world.fault('feed_drop_resolved', { times: 1_000_000 });
    const { length } = world.sink.resolved();
    const before = (await world.job(job)).highwater ?? '';
    await until('the high-water moves', async () => isAfter((await world.job(job)).highwater ?? '', before));
    await until('it moves again', async () =>
      isAfter((await world.job(job)).highwater ?? '', world.sink.resolved().at(-1) ?? ''),
    );
    assert.ok(world.sink.resolved().length <= length + 1, 'world.sink.resolved().length <= length + 1');
  });

  it('feed_slow makes each batch wait', async () => {
    await world.fault('feed_slow', { ms: 200 });
    await world.createJob(['t']);
    const started = performance.now();
    await insert(1);
    await settle();
    assert.ok(performance.now() - started >= 200, 'performance.now() - started >= 200');
  });

  it('feed_last_words posts the last rows and one resolved message of a job that is already cancelled', async () => {
    const job = await world.createJob(['t']);
    await settle();
    await world.fault('feed_hold_resolved', { job });
    await world.fault('feed_last_words', { job });
    await quiet(60);
    await insert(1, 'last word');
    await until('the row came', () => world.sink.rows().length === 1);
    const { length } = world.sink.resolved();
    // In one transaction: no checkpoint gets between.
    await world.sql(
      `DELETE FROM crdb_sim.feed_fault WHERE name = 'feed_hold_resolved';
       UPDATE crdb_sim.job SET status = 'cancel-requested' WHERE job_id = ${job}`,
    );
    await until('it is cancelled', async () => (await world.job(job)).status === 'canceled');
    const { highwater } = await world.job(job);
    await until(
      'its last row came again',
      () => world.sink.rows().length >= 2 && world.sink.resolved().length > length,
    );
    assert.ok(isAfter(world.sink.resolved().at(-1) ?? '', highwater ?? ''), 'what it resolves last is not in the job');
    assert.equal((await world.job(job)).status, 'canceled');
  });

  it('are the same for the same seed', () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 5 }, random);
    };
    assert.deepEqual(draw(3), draw(3));
    assert.notDeepEqual(draw(3), draw(4));
  });
});
