import assert from 'node:assert/strict';
import { until } from '../../support/until.js';
import { PATIENCE, type Scene } from '../scene.js';

export async function untold(at: Scene): Promise<void> {
  const run = await at.beginWithRows('untold');
  const was = await at.checkpoint(run);
  await at.target.watch('t_untold');
  const held = at.proxies.target.arm('to-server', ['row 3 of untold', 'COMMIT'], 'hold-answer');
  await at.insert(run, 3);
  await at.hit(held);
  await until('the row', async () => (await at.rowsOnTarget('t_untold')) === 3, PATIENCE);
  await at.killWorker();
  assert.notEqual((await at.checkpoint(run)).applied, was.applied, 'rows and checkpoint came together');
  assert.ok(
    await at.withStage(run, (stage) => stage.figures().entries),
    'the stage still has the row: nobody heard that it is applied',
  );
  await at.insert(run, 4);
  await at.startWorker();
  await at.arrived(run);
  const { rows } = await at.target.query('SELECT id FROM seen ORDER BY id');
  assert.deepEqual(rows, [{ id: '3' }, { id: '4' }]);
  await at.finish(run);
}
