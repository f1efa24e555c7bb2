import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRunStack, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

const BUDGET = 16 * 2 ** 20;

let at: RunStack;
before(async () => {
  at = await startRunStack({ env: { FAILBACK_STAGE_BUDGET: '16MiB' } });
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
});
after(async () => at.stop());

const LONG = { timeoutMs: 120_000 };
const STATEMENTS = 24;
const EACH = 100;

/** About 1 MB a statement. */
async function insert(n: number): Promise<void> {
  const rows = Array.from({ length: EACH }, (_, i) => `(${n * EACH + i}, '${'x'.repeat(10_000)}', 1)`);
  await at.source.query(`INSERT INTO items VALUES ${rows.join()}`);
}

async function figure(name: string): Promise<number> {
  const varz = await (await fetch(`http://127.0.0.1:${at.metricsPort}/_/varz`)).text();
  return Number(new RegExp(`^${name}\\{stream="beyond"\\} (\\S+)$`, 'm').exec(varz)?.[1]);
}

const refused = (): boolean => at.workerLog().includes('answered 503 to stream beyond');

test('the target is away and more arrives than the stage may hold: 503, nothing is lost, and nobody is needed (protocol rule 12)', async () => {
  const run = await at.start('beyond', 'items');
  await run.replicating();
  await at.targetGate.shut();
  for (let n = 0; n < STATEMENTS; n++) {
    const resolved = await figure('checkpoint_proposed_time_seconds');
    await insert(n);
    // Each is resolved before the next: what the stage holds may be applied.
    await until('it is resolved, or there is no room', async () => {
      return refused() || (await figure('checkpoint_proposed_time_seconds')) > resolved + 0.5;
    });
  }
  await until('rows are refused', refused, LONG);
  const used = await until(
    'it is at its budget',
    async () => {
      const bytes = await figure('stage_used_bytes');
      return bytes >= BUDGET ? bytes : null;
    },
    LONG,
  );
  assert.ok(used < 1.5 * BUDGET, `${used} bytes`);
  assert.equal(await figure('stage_budget_bytes'), BUDGET);
  assert.equal(await at.rowsOnTarget('items'), 0);

  await at.targetGate.open();
  await until('every row', async () => (await at.rowsOnTarget('items')) === STATEMENTS * EACH, LONG);
  const over = (await run.status()).incidents.filter(({ type }) => type === 'Stage.OverBudget');
  assert.deepEqual(over, [], 'it mends itself: no incident');
  await run.signal('finish');
  const ending = await run.ending(120_000);
  assert.deepEqual([ending.outcome, ending.rowsCompared], ['finished', STATEMENTS * EACH]);
});
