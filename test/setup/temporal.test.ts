import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { isAlive, startScript } from '../support/processes.js';
import { startTemporal } from '../support/temporal.js';
import { until } from '../support/until.js';

async function withClient<T>(address: string, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

test('a dev server with a store takes a workflow at once and still has it after SIGKILL', async () => {
  const dbFile = path.join(process.env['TMPDIR'] ?? '/tmp', `failback-temporal-${process.pid}.db`);
  const temporal = await startTemporal({ own: true, dbFile });
  const first = temporal.pid;
  try {
    await withClient(temporal.address, (client) =>
      client.workflow.start('none', { taskQueue: 'none', workflowId: 'kept' }),
    );
    await temporal.kill();
    assert.equal(isAlive(first ?? 0), false);
    await temporal.restart();
    assert.notEqual(temporal.pid, first);
    const { status } = await withClient(temporal.address, (client) => client.workflow.getHandle('kept').describe());
    assert.equal(status.name, 'RUNNING');
  } finally {
    await temporal.stop();
  }
  assert.equal(isAlive(temporal.pid ?? 0), false);
});

test('TEMPORAL_ADDRESS is used as it is, and not ours to end', async () => {
  const server = await startTemporal({ own: true });
  try {
    const script = `
      const { startTemporal } = await import('./demo/parts/temporal.ts');
      const temporal = await startTemporal();
      console.log(temporal.address, temporal.pid);
      await temporal.stop();
      await temporal.kill().catch((error) => console.log(error.message));
      process.exit(0);`;
    const child = startScript(script, { env: { TEMPORAL_ADDRESS: server.address } });
    assert.equal(await child.exit(), 0, child.output());
    assert.ok(child.output().includes(`${server.address} undefined\n`), child.output());
    assert.match(child.output(), /\(TEMPORAL_ADDRESS\) is not ours to end: unset it/);
    assert.ok(isAlive(server.pid ?? 0));
  } finally {
    await server.stop();
  }
});

test("a dev server ends with its parent's SIGKILL", async () => {
  const parent = startScript(`
    const { startTemporal } = await import('./demo/parts/temporal.ts');
    const temporal = await startTemporal({ own: true });
    console.log('pid=' + temporal.pid);
    setInterval(() => undefined, 1000);`);
  const pid = Number(await until('the server of the parent', () => /^pid=(\d+)$/m.exec(parent.output())?.[1]));
  assert.ok(isAlive(pid));
  await parent.kill();
  await until('the end of the dev server', () => !isAlive(pid));
});
