import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ChangefeedWish } from '../../src/activities/changefeed.js';
import type { Place } from '../../src/domain/place.js';
import { parseRunbookInput } from '../../src/domain/runbook-input.js';
import { openScene, type Scene } from '../kill/scene.js';
import { startActivityCaller, type ActivityCaller } from '../support/activity-caller.js';

// Steps of one changefeed, in their order, as the source sees them. No workflow calls them here, so that a test can halt between two of them.

let at: Scene;
let caller: ActivityCaller;
before(async () => {
  at = await openScene();
  caller = await startActivityCaller(at);
});
after(async () => {
  await caller.stop();
  await at.stop();
});

const placeOf = (run: string): Place => ({
  run,
  source: 'source',
  target: 'target',
  checkpointSchema: '_failback',
  statementTimeoutMs: 30_000,
});

/** All that comes before a changefeed: the table on both sides, the claim, and the checkpoint row. Returns what is asked for each incarnation. */
async function prepare(run: string): Promise<(incarnation: number) => ChangefeedWish> {
  await at.createTable(run);
  const parsed = parseRunbookInput({ source: 'source', target: 'target', tables: [`public.${run}`] });
  assert.ok(parsed.ok);
  const place = placeOf(run);
  const facts = await caller.call('preflight', { place, input: parsed.input });
  await caller.call('rememberRun', { place, tables: facts.plan.map((table) => table.target), settings: [] });
  const { timestamp } = await caller.call('captureTimestamp', { place });
  const { cursor, applied } = await caller.call('insertCheckpoint', {
    place,
    cursor: timestamp,
    tableIds: facts.tableIds,
  });
  const receiverUrl = `https://127.0.0.1:${at.proxies.receiver.port}`;
  return (incarnation) => ({
    place,
    stream: run,
    word: { token: 'any', host: 'any', incarnation, cursor, applied, receiverUrl, stageKept: true },
    plan: facts.plan,
    sinkPath: facts.sinkPath,
    options: parsed.input.changefeed,
    createTimeoutMs: 30_000,
  });
}

const live = (run: string): Promise<readonly number[]> => at.incarnations(at.attach(run));

test('the next incarnation is created while the one before lives, which ends only then (protocol rule D, steps 4 and 5)', async () => {
  const wishOf = await prepare('renewed');
  const first = await caller.call('ensureChangefeed', wishOf(1));
  const creating = at.proxies.source.arm('to-server', 'CREATE CHANGEFEED', 'pause');
  const second = caller.call('ensureChangefeed', wishOf(2));
  await at.hit(creating);
  assert.deepEqual(await live('renewed'), [1], 'the first lives before the second is there');
  const cancelling = at.proxies.source.arm('to-server', 'CANCEL JOB', 'pause');
  at.proxies.source.resume();
  await at.hit(cancelling);
  assert.deepEqual(await live('renewed'), [1, 2], 'the second is there before the first goes');
  at.proxies.source.resume();
  assert.deepEqual((await second).cancelled, [first.jobId]);
  assert.deepEqual(await live('renewed'), [2]);
  await caller.call('cancelChangefeeds', { place: placeOf('renewed'), stream: 'renewed', settleMs: 0 });
});

test('"no changefeed is wanted" is recorded before the first is cancelled; who comes late creates none (protocol rule 6)', async () => {
  const wishOf = await prepare('unwanted');
  await caller.call('ensureChangefeed', wishOf(1));
  const cancelling = at.proxies.source.arm('to-server', 'CANCEL JOB', 'pause');
  const undone = caller.call('cancelChangefeeds', { place: placeOf('unwanted'), stream: 'unwanted', settleMs: 0 });
  await at.hit(cancelling);
  const { rows } = await at.target.query<{ feed_wanted: string }>(
    `SELECT feed_wanted FROM _failback.checkpoint WHERE stream = 'unwanted'`,
  );
  assert.deepEqual(rows, [{ feed_wanted: 'f' }]);
  for (const incarnation of [1, 2])
    await assert.rejects(caller.call('ensureChangefeed', wishOf(incarnation)), /no changefeed is wanted/);
  assert.deepEqual(await live('unwanted'), [1]);
  at.proxies.source.resume();
  await undone;
  await assert.rejects(caller.call('ensureChangefeed', wishOf(2)), /no changefeed is wanted/);
  assert.deepEqual(await live('unwanted'), []);
});

test('what an earlier start has remembered wins over what is read now (protocol rule 39)', async () => {
  const remember = (value: string, isDefault: boolean) =>
    caller.call('rememberRun', {
      place: placeOf('again'),
      tables: [{ schema: 'public', table: 'again' }],
      settings: [{ name: 'kv.rangefeed.enabled', value, isDefault }],
    });
  const first = await remember('false', true);
  // The next start of the same id reads what the first one has set.
  assert.deepEqual(await remember('true', false), first);
  assert.deepEqual(first.settings, [{ name: 'kv.rangefeed.enabled', value: 'false', isDefault: true }]);
});
