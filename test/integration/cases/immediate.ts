import assert from 'node:assert/strict';
import type { RunStack } from '../../support/run.js';
import { until } from '../../support/until.js';

const LONG = { timeoutMs: 60_000, everyMs: 20 };

export async function atOnce(at: RunStack): Promise<void> {
  await at.createTable('atonce');
  const run = await at.start('atonce', 'atonce', {
    apply: { mode: 'immediate' },
    changefeed: { resolved: '2s', minCheckpointFrequency: '2s' },
    limits: { healthEvery: '500ms' },
  });
  await run.replicating();
  const guards = async (): Promise<number> =>
    (await at.target.query(`SELECT 1 FROM ${at.target.ours('guard')} WHERE stream = 'atonce'`)).rowCount;
  await at.source.query(`INSERT INTO atonce VALUES (1, 'a', 1), (2, 'b', 2)`);
  await until(
    'rows with guards: they are not resolved yet',
    async () => {
      const [rows, guarded] = [await at.rowsOnTarget('atonce'), await guards()];
      return rows === 2 && guarded === 2;
    },
    LONG,
  );
  await at.source.query(`DELETE FROM atonce WHERE id = 1`);
  await at.source.query(`UPDATE atonce SET price = 9 WHERE id = 2`);
  await until('the delete', async () => (await at.rowsOnTarget('atonce')) === 1, LONG);
  await until('all is resolved', async () => (await guards()) === 0, LONG);
  await at.source.query(`INSERT INTO atonce VALUES (3, 'c', 3)`);
  await run.signal('finish');
  assert.equal((await run.ending()).rowsCompared, 2);
}
