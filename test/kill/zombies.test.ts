import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import proto from '@temporalio/proto';
import { INCARNATION_PARAMETER, STREAM_PARAMETER } from '../../src/domain/sink-parameters.js';
import { httpsRequest } from '../support/https-client.js';
import type { Run } from '../support/run.js';
import type { Incident } from '../../src/domain/incident.js';
import { until } from '../support/until.js';
import { openScene, PATIENCE, type Scene } from './scene.js';

let at: Scene;
before(async () => {
  at = await openScene({ ownTemporal: true, durableTemporal: true });
});
after(() => at.stop());

/** Twice the heartbeat time-out: the server gives the attempt up as soon as it is back. */
const OUTAGE_MS = 8_000;

const isOpenStageBusy = ({ type, endedAt }: Incident): boolean => type === 'Stage.Busy' && endedAt === null;

/** What the receiver of the stack's own worker says of the stream to one whom it lets in. */
async function asked(run: Run, incarnation: number): Promise<string> {
  const { ca, clientCertificate, clientKey } = at.stack.certificates;
  const read = (file: string): string => readFileSync(file, 'utf8');
  const { status, text } = await httpsRequest({
    port: at.proxies.receiver.port,
    path: `/${at.stack.target.name}/public?${STREAM_PARAMETER}=${run.id}&${INCARNATION_PARAMETER}=${incarnation}`,
    method: 'GET',
    ca: read(ca),
    cert: read(clientCertificate),
    key: read(clientKey),
  });
  return `${status} ${text}`;
}

test('a worker frozen beyond its time-out and thawed again takes nothing back', async () => {
  const run = await at.beginWithRows('frozen');
  const zombie = at.worker;
  const was = await at.checkpoint(run);
  assert.equal(await asked(run, was.incarnation), `200 listening ${was.token}`);
  // Of another host, with a stage folder and a receiver of its own.
  const host = `${at.stack.taskQueue}-neighbour`;
  const neighbour = await at.stack.startWorker({ host, stageDir: join(at.stack.folder, 'neighbour') });
  await until(
    'the neighbour is at work',
    async () => {
      const { pollers } = await at.client.workflowService.describeTaskQueue({
        namespace: at.stack.temporal.namespace,
        taskQueue: { name: host },
        taskQueueType: proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
      });
      return pollers?.length;
    },
    PATIENCE,
  );
  zombie.signal('SIGSTOP');
  await at.insert(run, 3);
  await at.arrived(run);
  const taken = await at.checkpoint(run);
  assert.notEqual(taken.token, was.token, 'the neighbour has the token');
  assert.notEqual(taken.stage, was.stage, 'and a stage of its own');
  const attempts = (await run.status()).stream?.attempts;

  zombie.signal('SIGCONT');
  await until(
    'the zombie takes no more bodies of the stream',
    async () => (await asked(run, was.incarnation)).startsWith('404 unknown stream'),
    PATIENCE,
  );
  await at.insert(run, 4, 5);
  await at.arrived(run);
  const now = await at.checkpoint(run);
  assert.deepEqual([now.token, now.stage, now.incarnation], [taken.token, taken.stage, taken.incarnation]);
  assert.equal((await run.status()).stream?.attempts, attempts, 'no attempt is added');
  assert.equal(await at.oneLiveJob(run), taken.incarnation);
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
