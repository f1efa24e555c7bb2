import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { endRuns, startRunStack, type Run, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
});
after(async () => at.stop());
beforeEach(async () => {
  await at.onBoth('DELETE FROM items');
});
afterEach(async () => {
  await at.stack.cockroach.control.clearFaults();
  await Promise.all([at.sourceGate.open(), at.targetGate.open()]);
  await endRuns(at);
});

const LONG = { timeoutMs: 120_000 };

/** A run with a row on both sides, at the gate of its finish. */
async function atGate(id: string): Promise<Run> {
  const run = await at.start(id, 'items', { approvals: ['finish'] });
  await run.replicating();
  await at.source.query("INSERT INTO items VALUES (1, 'a', 1)");
  await until('the row', async () => (await at.rowsOnTarget('items')) === 1, LONG);
  await run.signal('finish');
  await until('the gate', async () => (await run.status()).waitingFor?.startsWith('approve'), LONG);
  return run;
}

/** Waits until the activity has been given up by Temporal's own retries, so that only the phase can go on with it. */
async function givenUp(run: Run, activity: string): Promise<void> {
  await until(
    `${activity} has failed`,
    async () => {
      const events = (await run.handle.fetchHistory()).events ?? [];
      const scheduled = events.filter(
        (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity,
      );
      return events.some((event) =>
        scheduled.some(
          ({ eventId }) => String(eventId) === String(event.activityTaskFailedEventAttributes?.scheduledEventId),
        ),
      );
    },
    LONG,
  );
}

async function finished(run: Run): Promise<void> {
  const came = await until(
    'its end',
    async () => {
      const { phase, incidents } = await run.status();
      const gaveUp = incidents.find(({ cause }) => cause.includes('could not be carried out'));
      return gaveUp?.cause ?? (phase === 'ended' && phase);
    },
    LONG,
  );
  assert.equal(came, 'ended');
  const ending = await run.ending();
  assert.deepEqual([ending.outcome, ending.rowsCompared], ['finished', 1]);
  const open = (await run.status()).incidents.filter(({ endedAt }) => endedAt === null);
  assert.deepEqual(open, []);
}

test('a source that is away when the finish asks for the time: it insists, and finishes once it is back', async () => {
  const run = await atGate('source-away');
  await at.sourceGate.shut();
  await run.signal('approve', { gate: 'finish' });
  await givenUp(run, 'captureTimestamp');
  assert.equal((await run.status()).phase, 'finish');
  await at.sourceGate.open();
  await finished(run);
});

test('a target that is away when the finish asks where it rests: it insists, and finishes once it is back', async () => {
  const run = await atGate('target-away');
  await at.targetGate.shut();
  await run.signal('approve', { gate: 'finish' });
  await givenUp(run, 'awaitHeld');
  assert.equal((await run.status()).phase, 'finish');
  await at.targetGate.open();
  await finished(run);
});

test('a source that cannot be read while rows are compared: it insists, and compares again', async () => {
  const run = await at.start('not-read', 'items');
  await run.replicating();
  await at.source.query("INSERT INTO items VALUES (1, 'a', 1)");
  await until('the row', async () => (await at.rowsOnTarget('items')) === 1, LONG);
  await at.stack.cockroach.control.fault('statement_error', {
    pattern: 'AS OF SYSTEM TIME',
    sqlstate: '40001',
    message: 'restart transaction: injected',
    times: 1_000,
  });
  await run.signal('finish');
  await givenUp(run, 'compareRows');
  const incident = await until(
    'the incident',
    async () => (await run.status()).incidents.find(({ type }) => type === 'Source.Unavailable'),
    LONG,
  );
  assert.match(incident.cause, /injected/);
  await at.stack.cockroach.control.clearFaults();
  await finished(run);
});
