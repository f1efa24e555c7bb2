import assert from 'node:assert/strict';
import type { Ending } from '../../../src/domain/status.js';
import { dumpBoth } from '../../support/dumps.js';
import type { Run, RunStack } from '../../support/run.js';
import { until } from '../../support/until.js';

export async function undone(at: RunStack, run: Run, untouched: readonly string[]): Promise<Ending> {
  const ending = await run.ending(90_000);
  assert.equal(ending.outcome, 'rolled back');
  assert.deepEqual(ending.remains, []);
  assert.deepEqual(await dumpBoth(at), untouched, 'settings, schemas and jobs are as before');
  return ending;
}

/** A row on the source, awaited on the target. */
export async function replicate(at: RunStack, id: number): Promise<void> {
  await at.source.query('INSERT INTO items VALUES ($1, $2, 1)', [id, `row ${id}`]);
  const there = async () => (await at.target.query('SELECT 1 FROM items WHERE id = $1', [id])).rowCount;
  await until(`row ${id}`, there, { timeoutMs: 40_000 });
}

/** `items` is empty on both sides. */
export async function rowsStay(at: RunStack): Promise<void> {
  const untouched = await dumpBoth(at);
  const run = await at.start('replicating', 'items');
  await run.replicating();
  await replicate(at, 1);
  await run.signal('rollback');
  const ending = await undone(at, run, untouched);
  assert.equal(await at.rowsOnTarget('items'), 1);
  assert.match(ending.summary, /keeps the rows applied so far: every change up to \d+\.\d{10}/);
  assert.match(ending.howToRestartForwardReplication, /Do not start it from where it was stopped/);
}
