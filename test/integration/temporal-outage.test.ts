import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { liveJobs } from '../support/dumps.js';
import { startRunStack, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

let at: RunStack;
before(async () => {
  at = await startRunStack({ ownTemporal: true, durableTemporal: true });
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
});
after(async () => at.stop());

/** Much longer than the heartbeat time-out, so that the attempt is given up by the server and another takes over. */
const OUTAGE_MS = 60_000;

test('while Temporal is down rows go on arriving, and afterwards the run goes on with one writer', async () => {
  const run = await at.start('outage', 'items');
  await run.replicating();
  await at.stack.temporal.kill();
  const from = performance.now();
  let written = 0;
  while (performance.now() - from < OUTAGE_MS) {
    await at.source.query('INSERT INTO items VALUES ($1, $2, 1)', [++written, `row ${written}`]);
    const sent = written;
    await until(`row ${sent} while Temporal is down`, async () => (await at.rowsOnTarget('items')) === sent, {
      timeoutMs: 10_000,
      everyMs: 200,
    });
  }
  assert.ok(written >= 5, `${written} rows`);
  assert.ok(at.worker.running);

  await at.stack.temporal.restart();
  const again = at.attach('outage');
  await until('the run answers', async () => (await again.status()).phase === 'replicate', { timeoutMs: 60_000 });
  await at.source.query("INSERT INTO items VALUES (1000, 'after', 1)");
  await until('the row after', async () => (await at.rowsOnTarget('items')) === written + 1, { timeoutMs: 60_000 });
  assert.equal((await liveJobs(at.source)).filter((job) => job.includes('CHANGEFEED')).length, 1);
  await again.signal('finish');
  const ending = await again.ending(90_000);
  assert.deepEqual([ending.outcome, ending.rowsCompared], ['finished', written + 1]);
});
