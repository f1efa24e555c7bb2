import assert from 'node:assert/strict';
import type { Run, RunStack } from '../../support/run.js';
import { until } from '../../support/until.js';

const LONG = { timeoutMs: 60_000 };

/** The last incident of that type, as the status has it. */
const lastOf = async (run: Run, type: string) =>
  (await run.status()).incidents.filter((incident) => incident.type === type).at(-1);

export async function targetAway(at: RunStack): Promise<void> {
  const run = await at.start('away', 'items');
  await run.replicating();
  await at.killWorker();
  await at.targetGate.shut();
  await at.source.query("INSERT INTO items VALUES (1, 'written while both are away', 1)");
  await at.startWorker();
  const opened = await until('the incident', () => lastOf(run, 'Target.Unavailable'), LONG);
  assert.equal(opened.endedAt, null);
  assert.match(opened.cause, /ECONNREFUSED/);

  await at.targetGate.open();
  await until('its end', async () => (await lastOf(run, 'Target.Unavailable'))?.endedAt, LONG);
  await until('the row', async () => (await at.rowsOnTarget('items')) === 1, LONG);
  await run.signal('finish');
  const ending = await run.ending(90_000);
  assert.deepEqual([ending.outcome, ending.rowsCompared], ['finished', 1]);
}

export async function troubleOfTheDead(at: RunStack): Promise<void> {
  const run = await at.start('died', 'others');
  await run.replicating();
  await at.targetGate.shut();
  await until('the incident', () => lastOf(run, 'Target.Unavailable'), LONG);
  await at.killWorker();
  await at.targetGate.open();
  await at.startWorker();
  await at.source.query("INSERT INTO others VALUES (1, 'after', 1)");
  await until('its end', async () => (await lastOf(run, 'Target.Unavailable'))?.endedAt, LONG);
  await until('the row', async () => (await at.rowsOnTarget('others')) === 1, LONG);
  await run.signal('finish');
  assert.equal((await run.ending(90_000)).outcome, 'finished');
}
