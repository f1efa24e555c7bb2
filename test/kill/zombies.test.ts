import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Incident } from '../../src/domain/incident.js';
import { until } from '../support/until.js';
import { frozen } from './cases/frozen.js';
import { openScene, PATIENCE, type Scene } from './scene.js';

let at: Scene;
before(async () => {
  at = await openScene({ ownTemporal: true, durableTemporal: true });
});
after(() => at.stop());

/** Twice the heartbeat time-out: the server gives the attempt up as soon as it is back. */
const OUTAGE_MS = 8_000;

const isOpenStageBusy = ({ type, endedAt }: Incident): boolean => type === 'Stage.Busy' && endedAt === null;

test('a worker frozen beyond its time-out and thawed again takes nothing back', () => frozen(at));

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

test('two workers on one stage folder: the second is refused until the first is gone', async () => {
  const run = await at.beginWithRows('shared');
  const first = at.worker;
  const was = await at.checkpoint(run);
  // Of another host, with a receiver of its own; the stage folder is the stack's, which every worker has.
  const second = await at.stack.startWorker({ host: `${at.stack.taskQueue}-second` });
  first.signal('SIGSTOP');
  await until('the second is refused', async () => (await run.status()).incidents.find(isOpenStageBusy), PATIENCE);
  assert.equal((await at.checkpoint(run)).token, was.token, 'the first has the stage, and the token');
  await at.insert(run, 3);

  await first.kill();
  await at.arrived(run);
  const now = await at.checkpoint(run);
  assert.notEqual(now.token, was.token);
  assert.equal(now.stage, was.stage, 'with the very same stage');
  await until('the incident ends', async () => !(await run.status()).incidents.some(isOpenStageBusy), PATIENCE);
  await at.finish(run);
  await second.stop();
  await at.startWorker();
});
