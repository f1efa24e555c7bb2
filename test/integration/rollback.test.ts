import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { Ending } from '../../src/domain/status.js';
import { dumpBoth, liveJobs } from '../support/dumps.js';
import { endRuns, startRunStack, type Run, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';
import { replicate, rowsStay, undone } from './cases/rollback.js';

let at: RunStack;
let untouched: string[];
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
});
after(async () => at.stop());
beforeEach(async () => {
  await at.source.query('DELETE FROM items');
  await at.target.query('DELETE FROM items');
  untouched = await dumpBoth(at);
});
afterEach(async () => {
  await at.stack.cockroach.control.clearFaults();
  await Promise.all([at.sourceGate.open(), at.targetGate.open()]);
  await endRuns(at);
});

const LONG = { timeoutMs: 40_000 };

const rolledBack = (run: Run): Promise<Ending> => undone(at, run, untouched);
const replicateRow = (id: number): Promise<void> => replicate(at, id);

test('in drain: nothing was written', async () => {
  const run = await at.start('early', 'items');
  await run.awaitPhase('drain');
  assert.equal(await run.ask('rollback'), 'rolling back');
  const ending = await rolledBack(run);
  assert.match(ending.summary, /in phase drain\. No row was written/);
  assert.match(ending.howToRestartForwardReplication, /from where it was stopped/);
});

/** A statement of CockroachDB's that is made to fail holds the run in the phase, and the activity, that needs it. */
const HELD: readonly (readonly [phase: 'prepare' | 'changefeed', activity: string, pattern: string])[] = [
  ['prepare', 'applyClusterSettings', 'SET CLUSTER SETTING kv\\.closed'],
  ['prepare', 'protectHistory', 'protect_mvcc_history\\('],
  ['changefeed', 'ensureChangefeed', '^CREATE CHANGEFEED'],
];
for (const [phase, activity, pattern] of HELD) {
  test(`in ${phase}, held at ${pattern}`, async () => {
    const run = await at.start(`held-${phase}`, 'items', { limits: { createChangefeed: '5s' } });
    await run.awaitPhase('drain');
    await at.stack.cockroach.control.fault('statement_error', {
      pattern,
      sqlstate: '40001',
      message: 'restart transaction: injected',
      times: 1_000,
    });
    await run.signal('forwardStopped');
    assert.match(await run.awaitFailed(activity, 1), /injected/);
    await run.signal('rollback');
    const ending = await rolledBack(run);
    assert.match(ending.summary, new RegExp(`in phase ${phase}`));
  });
}

test('in cursor, before its row is there', async (t) => {
  const run = await at.start('held-cursor', 'items');
  await run.awaitPhase('drain');
  const pattern = 'protect_mvcc_history\\(';
  await at.stack.cockroach.control.fault('statement_error', { pattern, sqlstate: '40001', message: 'x', times: 1_000 });
  await run.signal('forwardStopped');
  await run.awaitPhase('prepare');
  await until('our tables are there', async () => (await at.target.query('SELECT FROM _failback.run')).rowCount);
  await at.target.query('BEGIN; LOCK TABLE _failback.checkpoint IN EXCLUSIVE MODE');
  t.after(async () => at.target.query('ROLLBACK'));
  await at.stack.cockroach.control.clearFaults();
  await until(
    'the row waits for the lock',
    async () =>
      (await at.target.query(`SELECT FROM pg_locks WHERE relation = '_failback.checkpoint'::regclass AND NOT granted`))
        .rowCount,
    LONG,
  );
  await run.signal('rollback');
  await run.awaitCancelling('insertCheckpoint');
  await at.target.query('ROLLBACK');
  const ending = await rolledBack(run);
  assert.match(ending.summary, /in phase cursor/);
});

test('when CREATE CHANGEFEED commits late, after its client was cut', async () => {
  const run = await at.start('late-create', 'items', { limits: { createChangefeed: '6s' } });
  await run.awaitPhase('drain');
  await at.stack.cockroach.control.fault('create_late_commit', { delayMs: 4_000 });
  await run.signal('forwardStopped');
  await run.awaitPhase('changefeed');
  await run.signal('rollback');
  await rolledBack(run);
  // One CREATE was sent: once its job is there, nothing can turn up any more.
  const jobs = await until(
    'its job',
    async () => {
      const { rows } = await at.source.query<{ status: string }>(
        `SELECT status FROM [SHOW CHANGEFEED JOBS] WHERE sink_uri LIKE '%failback_stream=late-create%'`,
      );
      return rows.length > 0 && rows;
    },
    LONG,
  );
  assert.deepEqual(jobs, [{ status: 'canceled' }]);
});

test('in replicate: the applied rows stay', () => rowsStay(at));

test('in paused', async () => {
  const run = await at.start('pausing', 'items');
  await run.replicating();
  await run.ask('pause');
  await until('the job is paused', async () => (await liveJobs(at.source)).some((job) => job.endsWith('paused')), LONG);
  await run.signal('rollback');
  await rolledBack(run);
});

test('in finish, at its gate', async () => {
  const run = await at.start('finishing', 'items', { approvals: ['finish'] });
  await run.replicating();
  await replicateRow(1);
  await run.signal('finish');
  await until('the gate', async () => (await run.status()).waitingFor?.startsWith('approve'), LONG);
  await run.signal('rollback');
  await rolledBack(run);
  assert.equal(await at.rowsOnTarget('items'), 1);
});

/** Which undo needs that side first. */
const FIRST_UNDO = { source: 'cancelChangefeeds', target: 'releaseHistory' } as const;
for (const [side, firstUndo] of Object.entries(FIRST_UNDO) as ['source' | 'target', string][]) {
  test(`with the ${side} away while it is undone`, async () => {
    const run = await at.start(`away-${side}`, 'items', { limits: { createChangefeed: '5s' } });
    await run.replicating();
    await replicateRow(1);
    const gate = side === 'source' ? at.sourceGate : at.targetGate;
    await gate.shut();
    await run.signal('rollback');
    await run.awaitFailed(firstUndo, 2);
    await gate.open();
    await rolledBack(run);
    assert.equal(await at.rowsOnTarget('items'), 1);
  });
}

test("Temporal's Cancel is a rollback, and the memo tells how it ended", async () => {
  const run = await at.start('cancelled', 'items');
  await run.replicating();
  await replicateRow(1);
  await run.handle.cancel();
  assert.equal((await run.failure(90_000)).type, 'CancelledFailure');
  const description = await run.handle.describe();
  assert.equal(description.status.name, 'CANCELLED');
  assert.equal((description.memo?.['ending'] as Ending | undefined)?.outcome, 'rolled back');
  assert.deepEqual(await dumpBoth(at), untouched);
});

test('Terminate, then a new start of the same id: it goes on, and the end restores the original settings', async () => {
  const first = await at.start('terminated', 'items');
  const { applicationMayWriteSince: cursor } = await first.replicating();
  await replicateRow(1);
  await first.handle.terminate('a person pressed the button');
  await at.source.query("INSERT INTO items VALUES (2, 'nobody listens', 1)");

  const second = await at.start('terminated', 'items');
  const again = await second.replicating();
  assert.equal(again.applicationMayWriteSince, cursor, 'the row that is there is continued');
  await until('the row written in between', async () => (await at.rowsOnTarget('items')) === 2, LONG);
  assert.equal((await liveJobs(at.source)).filter((job) => job.includes('CHANGEFEED')).length, 1);
  await second.signal('rollback');
  await rolledBack(second);
});

test('Reset to the first workflow task: no second writer, and it ends well', async () => {
  const run = await at.start('reset', 'items');
  await run.replicating();
  await replicateRow(1);
  const { workflowExecution } = await run.handle
    .describe()
    .then(({ raw }) => raw.workflowExecutionInfo ?? {})
    .then((info) => ({ workflowExecution: 'execution' in info ? info.execution : null }));
  const history = await run.handle.fetchHistory();
  const firstTask = history.events?.find((event) => event.workflowTaskCompletedEventAttributes);
  await at.client.workflowService.resetWorkflowExecution({
    namespace: at.stack.temporal.namespace,
    workflowExecution: { workflowId: 'reset', runId: workflowExecution?.runId ?? '' },
    reason: 'a person pressed the button',
    requestId: `reset-${Date.now()}`,
    workflowTaskFinishEventId: firstTask?.eventId ?? null,
  });
  const again = at.attach('reset');
  await again.replicating();
  await replicateRow(2);
  assert.equal((await liveJobs(at.source)).filter((job) => job.includes('CHANGEFEED')).length, 1);
  await again.signal('rollback');
  await rolledBack(again);
  assert.equal(await at.rowsOnTarget('items'), 2);
});
