import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import proto from '@temporalio/proto';
import { INCARNATION_PARAMETER, STREAM_PARAMETER } from '../../../src/domain/sink-parameters.js';
import { httpsRequest } from '../../support/https-client.js';
import type { Run } from '../../support/run.js';
import { until } from '../../support/until.js';
import { PATIENCE, type Scene } from '../scene.js';

/** What the receiver of the stack's own worker says of the stream to one whom it lets in. */
async function asked(at: Scene, run: Run, incarnation: number): Promise<string> {
  const { ca, clientCertificate, clientKey } = at.stack.certificates;
  const read = (file: string): string => readFileSync(file, 'utf8');
  const { status, text } = await httpsRequest({
    port: at.proxies.receiver.port,
    path: `${at.target.sinkPath}?${STREAM_PARAMETER}=${run.id}&${INCARNATION_PARAMETER}=${incarnation}`,
    method: 'GET',
    ca: read(ca),
    cert: read(clientCertificate),
    key: read(clientKey),
  });
  return `${status} ${text}`;
}

export async function frozen(at: Scene): Promise<void> {
  const run = await at.beginWithRows('frozen');
  const zombie = at.worker;
  const was = await at.checkpoint(run);
  assert.equal(await asked(at, run, was.incarnation), `200 listening ${was.token}`);
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
    async () => (await asked(at, run, was.incarnation)).startsWith('404 unknown stream'),
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
}
