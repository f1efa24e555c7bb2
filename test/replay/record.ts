import { writeFileSync } from 'node:fs';
import proto from '@temporalio/proto';
import { startRunStack, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

// Records the histories that `replay.test.ts` replays: node --import tsx test/replay/record.ts
// Record again, under new names, when a release changes the shape of a workflow; the old ones must go on replaying.
const { History } = proto.temporal.api.history.v1;
const AS_TEXT = { longs: String, enums: String, bytes: String } as const;
const FOLDER = new URL('./histories/', import.meta.url);

async function save(at: RunStack, workflowId: string, name: string): Promise<void> {
  const history = await at.client.workflow.getHandle(workflowId).fetchHistory();
  writeFileSync(
    new URL(`${name}.json`, FOLDER),
    `${JSON.stringify(History.toObject(History.fromObject(history), AS_TEXT), null, 1)}\n`,
  );
}

const at = await startRunStack();
try {
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
  for (const ending of ['finished', 'rolled-back'] as const) {
    const run = await at.start(ending, 'items', { approvals: ['finish'] });
    await run.awaitPhase('drain');
    await run.signal('finnish');
    await run.replicating();
    await at.source.query('UPSERT INTO items VALUES (1, $1, 1)', [ending]);
    await until('the row', async () => (await at.target.query('SELECT FROM items WHERE name = $1', [ending])).rowCount);
    await run.ask('pause');
    await run.awaitPhase('paused');
    await run.ask('resume');
    await run.awaitPhase('replicate');
    if (ending === 'finished') {
      await run.signal('approve', { gate: 'finish' });
      await run.signal('finish');
    } else {
      await run.signal('rollback');
    }
    await run.ending();
    await save(at, ending, `${ending}.failback`);
    await save(at, `${ending}/stream`, `${ending}.stream`);
  }
} finally {
  await at.stop();
}
