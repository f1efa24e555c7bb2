import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { dumpBoth } from '../support/dumps.js';
import { endRuns, startRunStack, type Run, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';
import { differsAtCursor, LONG, openIncident, waiting, writeTooEarly } from './cases/compare-at-cursor.js';

let at: RunStack;
let untouched: string[];
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
});
after(async () => at.stop());
beforeEach(async () => {
  await at.onBoth('DELETE FROM items', "INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 2)");
  untouched = await dumpBoth(at);
});
afterEach(async () => {
  await at.stack.cockroach.control.clearFaults();
  await endRuns(at);
});

/** A run in the phase cursor whose comparison fails for a reason that passes. */
async function heldInComparison(id: string): Promise<Run> {
  const run = await at.start(id, 'items');
  await run.awaitPhase('drain');
  await at.stack.cockroach.control.fault('statement_error', {
    pattern: 'AS OF SYSTEM TIME',
    sqlstate: '40001',
    message: 'restart transaction: injected',
    times: 1_000,
  });
  await run.signal('forwardStopped');
  await until('the incident', () => openIncident(run, 'Source.Unavailable'), LONG);
  return run;
}

test('both sides are equal at the cursor: it is said with the evidence, and the run goes on', async () => {
  const run = await at.start('equal', 'items');
  await run.awaitPhase('drain');
  const status = await run.replicating();
  assert.equal(status.atCursor, 'both sides were equal: 2 rows in 1 tables');
  assert.match(await run.handle.query<string>('report'), /- at the cursor: both sides were equal: 2 rows in 1 tables/);
  await run.signal('rollback');
  await run.ending();
});

test('rows written before the cursor are named by key, never by value, and nothing starts until a person says so', () =>
  differsAtCursor(at));

test('a rollback instead of resume leaves everything as it was', async () => {
  await writeTooEarly(at);
  const run = await at.start('differ-rollback', 'items');
  await run.awaitPhase('drain');
  await run.signal('forwardStopped');
  await waiting(run);
  assert.match(await run.ask('pause'), /nothing to pause yet/);
  assert.equal(await run.ask('rollback'), 'rolling back');
  const ending = await run.ending();
  assert.match(ending.summary, /in phase cursor\. No row was written to the old database/);
  assert.deepEqual(ending.remains, []);
  assert.deepEqual(await dumpBoth(at), untouched);
});

test('a rollback while rows are being compared', async (t) => {
  const run = await at.start('comparing', 'items');
  await run.awaitPhase('drain');
  await at.target.query('BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE');
  t.after(async () => at.target.query('ROLLBACK'));
  await run.signal('forwardStopped');
  const status = await until(
    'the comparison is under way',
    async () => {
      const now = await run.status();
      return now.atCursor !== null && now;
    },
    LONG,
  );
  assert.equal(status.atCursor, 'every row of both sides is being compared');
  assert.ok(status.applicationMayWriteSince, 'it is said before the comparison');
  await until('it waits for our lock', async () => {
    return (await at.target.query('SELECT FROM pg_locks WHERE NOT granted')).rowCount;
  });
  await run.signal('rollback');
  await until('the rollback is taken', async () => (await run.status()).messages.at(-1)?.message === 'rollback', LONG);
  await at.target.query('ROLLBACK');
  const ending = await run.ending();
  assert.match(ending.summary, /in phase cursor/);
  assert.deepEqual(await dumpBoth(at), untouched);
});

test('a source that is away during the comparison is named, and the comparison is made once it is back', async () => {
  const run = await heldInComparison('away');
  assert.equal((await run.status()).phase, 'cursor');
  await at.stack.cockroach.control.clearFaults();
  const status = await run.awaitPhase('replicate');
  assert.equal(status.atCursor, 'both sides were equal: 2 rows in 1 tables');
  assert.equal(await openIncident(run, 'Source.Unavailable'), undefined);
});

test('a target that moves on meanwhile is not compared, and the run goes on from there', async () => {
  const run = await heldInComparison('moved');
  await at.target.query('UPDATE _failback.checkpoint SET applied = applied + 1');
  await at.stack.cockroach.control.clearFaults();
  const status = await run.awaitPhase('replicate');
  assert.match(status.atCursor ?? '', /^rows were not compared: the target has moved on since/);
});

test('a new start after Terminate does not compare a target that has moved on', async () => {
  const first = await at.start('again', 'items');
  await first.replicating();
  await at.source.query("INSERT INTO items VALUES (5, 'applied', 5)");
  await until('the row', async () => (await at.rowsOnTarget('items')) === 3, LONG);
  await first.handle.terminate('a person pressed the button');
  const second = await at.start('again', 'items');
  const status = await second.replicating();
  assert.match(status.atCursor ?? '', /^rows were not compared: the target has moved on since/);
});

test('compareAtCursor = false: the run goes on unasked, and says that it did not compare', async () => {
  await writeTooEarly(at);
  const run = await at.start('not-asked', 'items', { compareAtCursor: false });
  await run.awaitPhase('drain');
  const status = await run.replicating();
  assert.equal(status.atCursor, 'rows were not compared: the input says so (compareAtCursor)');
  assert.equal(await openIncident(run, 'Verify.RowsDiffer'), undefined);
});
