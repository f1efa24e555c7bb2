import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '../../demo/parts/free-port.js';
import type { WorkerProcess } from '../../demo/parts/worker-process.js';
import type { Run } from '../support/run.js';
import { until } from '../support/until.js';
import { openScene, PATIENCE, type Scene } from './scene.js';

let at: Scene;
before(async () => {
  at = await openScene({ ownTemporal: true, durableTemporal: true });
});
after(() => at.stop());

/** A worker of another host, with a stage folder of its own. */
async function startNeighbour(): Promise<WorkerProcess> {
  return at.stack.startWorker({
    host: `${at.stack.taskQueue}-neighbour`,
    stageDir: join(at.stack.folder, 'neighbour'),
    receiverPort: await freePort(),
  });
}

/** Twice the heartbeat time-out: the server gives the attempt up as soon as it is back. */
const OUTAGE_MS = 8_000;

const streamOf = async (run: Run) => (await run.status()).stream;

test('a worker frozen beyond its time-out and thawed again harms nothing and takes nothing back', async () => {
  const run = await at.beginWithRows('frozen');
  const zombie = at.worker;
  const was = await at.checkpoint(run);
  const neighbour = await startNeighbour();
  zombie.signal('SIGSTOP');
  await at.insert(run, 3);
  await at.arrived(run);
  const taken = await at.checkpoint(run);
  assert.notEqual(taken.token, was.token, 'the neighbour has the token');
  assert.notEqual(taken.stage, was.stage);
  const attempts = (await streamOf(run))?.attempts;

  zombie.signal('SIGCONT');
  // The thawed worker has heard that its attempts are over once it works again for others.
  await until('the zombie ends its attempts', () => /no longer current/.test(at.workerLog()), PATIENCE);
  await at.insert(run, 4, 5);
  await at.arrived(run);
  const now = await at.checkpoint(run);
  assert.deepEqual([now.token, now.stage, now.incarnation], [taken.token, taken.stage, taken.incarnation]);
  assert.equal((await streamOf(run))?.attempts, attempts, 'the neighbour’s attempt goes on undisturbed');
  await at.finish(run);
  await neighbour.stop();
});

test('two attempts in one process after an outage of Temporal: one goes on, and loses nothing', async () => {
  const run = await at.beginWithRows('twice');
  const was = await at.checkpoint(run);
  await at.stack.temporal.kill();
  const from = performance.now();
  for (let id = 3; performance.now() - from < OUTAGE_MS; id++) {
    await at.insert(run, id);
    await at.arrived(run);
  }
  await at.stack.temporal.restart();
  await until('another attempt', async () => (await at.checkpoint(run)).token !== was.token, PATIENCE);
  assert.ok(at.worker.running, 'in the very same process');
  await at.insert(run, 1_000);
  await at.arrived(run);
  assert.equal((await at.checkpoint(run)).stage, was.stage, 'with the very same stage');
  await at.finish(run);
});
