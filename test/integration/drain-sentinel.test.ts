import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { Child } from '../../demo/child.js';
import { freePort } from '../../demo/parts/free-port.js';
import { SENTINEL_ON_SOURCE, SENTINEL_ON_TARGET, SENTINEL_TABLE } from '../../demo/sentinel.js';
import { shopOnSource, SHOP_ON_TARGET } from '../../demo/shop/schema.js';
import { startGate, type Gate } from '../support/gate.js';
import { endRuns, startRunStack, type Run, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';
import { DRAIN, forwardOf, goesThrough, LONG, rolledBack, sentinelsOn, waitingFor } from './cases/sentinel.js';

let at: RunStack;
let forwardPort: number;
/** Between the forward replicator and the old database. */
let cable: Gate;
let forward: Child;

before(async () => {
  forwardPort = await freePort();
  at = await startRunStack({ connections: { forward: `http://127.0.0.1:${forwardPort}/_/varz` } });
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
  await at.source.query(shopOnSource());
  await at.target.query(SHOP_ON_TARGET);
  cable = await startGate(at.stack.postgres.port);
});
after(async () => {
  await cable.shut();
  await at.stop();
});
beforeEach(async () => {
  await at.source.query(SENTINEL_ON_SOURCE);
  await at.target.query(SENTINEL_ON_TARGET);
  await startForward();
});
afterEach(async () => {
  await cable.open();
  await endRuns(at);
  await forward.stop();
  await at.onBoth(`DROP TABLE IF EXISTS ${SENTINEL_TABLE}`);
});

async function startForward(): Promise<void> {
  const old = new URL(at.stack.target.url);
  old.port = String(cable.port);
  forward = await forwardOf(at, old.toString(), forwardPort);
}

const sentinels = (side: 'source' | 'target') => sentinelsOn(at, side);
const lastOf = async (run: Run, type: string) =>
  (await run.status()).incidents.filter((incident) => incident.type === type).at(-1);
test('a row goes through forward replication and back out before its gate', () =>
  goesThrough({ at, forward, forwardPort }));

test('a cut cable is quiet too: without a sentinel it counts as drained, with one it does not until it is mended', async () => {
  await cable.shut();
  const fooled = await at.start('fooled', 'items', {
    drain: { ...DRAIN, forward: 'forward', sentinel: undefined },
    approvals: ['forward'],
  });
  await waitingFor(fooled, /^approve/);
  await rolledBack(fooled);

  const run = await at.start('cut', 'items', {
    drain: { ...DRAIN, forward: 'forward', limit: '4s' },
    approvals: ['forward'],
  });
  const opened = await until('the incident', () => lastOf(run, 'Drain.TooLong'), LONG);
  assert.equal(opened.endedAt, null);
  assert.match(opened.cause, /^the sentinel row in public\.failback_sentinel has not passed within 4 s/);
  assert.match(opened.remedy, /carries that table/);
  const status = await run.status();
  assert.equal(status.phase, 'drain');
  assert.match(status.waitingFor ?? '', /^a row written to public\.failback_sentinel .* to come to CockroachDB$/);
  assert.equal(await sentinels('target'), 1);

  await cable.open();
  await waitingFor(run, /^approve/);
  assert.ok((await lastOf(run, 'Drain.TooLong'))?.endedAt);
  await rolledBack(run);
});

test('without metrics the row comes before the person, and an earlier word that it is stopped is void', async () => {
  await cable.shut();
  const run = await at.start('person', 'items', { drain: DRAIN });
  await waitingFor(run, /^a row written to/);
  assert.match(await run.ask('forwardStopped'), /^noted/);
  await cable.open();
  await waitingFor(run, /^forwardStopped/);
  assert.match((await run.status()).forward ?? '', /^a row and its deletion came through/);
  const status = await run.replicating();
  assert.match(status.forward ?? '', /^stopped, as a person said; a row and its deletion came through/);
  await rolledBack(run);
});

test('a rollback takes back a row that has not come through', async () => {
  await cable.shut();
  const run = await at.start('not-through', 'items', { drain: DRAIN });
  await until('the row on the target', () => sentinels('target'), LONG);
  await rolledBack(run);
  assert.ok((await run.ending()).done.includes('the sentinel row is removed from the target'));
  assert.deepEqual([await sentinels('target'), await sentinels('source')], [0, 0]);
});

test('a rollback takes back a row whose deletion does not come through', async (t) => {
  await cable.shut();
  const run = await at.start('half-through', 'items', { drain: DRAIN });
  await until('the row on the target', () => sentinels('target'), LONG);
  await at.target.query(`BEGIN; SELECT id FROM ${SENTINEL_TABLE} FOR UPDATE`);
  t.after(async () => at.target.query('ROLLBACK'));
  await cable.open();
  await until('the row on the source', () => sentinels('source'), LONG);
  await cable.shut();
  await at.target.query('COMMIT');
  await waitingFor(run, /^the deletion of that row/);
  await until('it is deleted', async () => (await sentinels('target')) === 0, LONG);
  assert.equal(await sentinels('source'), 1);
  await rolledBack(run);
  assert.ok((await run.ending()).done.includes('the sentinel row is removed from CockroachDB'));
  assert.equal(await sentinels('source'), 0);
});

test('a source that is away meanwhile is named, and the drain goes on once it is back', async () => {
  await cable.shut();
  const run = await at.start('source-away', 'items', { drain: DRAIN });
  await until('the row on the target', () => sentinels('target'), LONG);
  await at.sourceGate.shut();
  const opened = await until('the incident', () => lastOf(run, 'Source.Unavailable'), LONG);
  assert.equal(opened.endedAt, null);
  await at.sourceGate.open();
  await cable.open();
  await waitingFor(run, /^forwardStopped/);
  assert.ok((await lastOf(run, 'Source.Unavailable'))?.endedAt);
  await rolledBack(run);
});

test('a table that is missing is found before anything is touched, with the statement for each side', async () => {
  await forward.stop();
  await at.onBoth(`DROP TABLE ${SENTINEL_TABLE}`);
  const run = await at.start('missing', 'items', { drain: DRAIN });
  const failure = await run.failure();
  assert.equal(failure.type, 'Preflight.Blocked');
  assert.match(failure.message, /Run on the target: CREATE TABLE "public"\."failback_sentinel" \(id text PRIMARY KEY/);
  assert.match(
    failure.message,
    /Run on the source: CREATE TABLE "public"\."failback_sentinel" \(id STRING PRIMARY KEY/,
  );
});
