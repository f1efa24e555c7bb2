import { startRunStack, type Run, type RunStack } from '../test/support/run.js';
import { until } from '../test/support/until.js';

// From SIGKILL of the worker to the next row on the target; another worker of the same host is started at once, as a supervisor would.
const TIMES = 5;
const HEARTBEAT_TIMEOUTS = ['10s', '4s'];

const at = await startRunStack();
try {
  for (const heartbeatTimeout of HEARTBEAT_TIMEOUTS) {
    const table = `restart_${heartbeatTimeout}`;
    await at.createTable(table);
    const run = await at.start(table, table, { compareAtCursor: false, limits: { heartbeatTimeout } });
    await run.replicating();
    const times: number[] = [];
    for (let n = 1; n <= TIMES; n++) times.push(await killAndAwait(at, table, n));
    times.sort((a, b) => a - b);
    const seconds = times.map((ms) => (ms / 1000).toFixed(1)).join(', ');
    console.log(`heartbeatTimeout ${heartbeatTimeout.padStart(3)}: SIGKILL to the next row on the target ${seconds} s`);
    await end(run);
  }
} finally {
  await at.stop();
}

async function killAndAwait(stack: RunStack, table: string, n: number): Promise<number> {
  const insert = (id: number) => stack.source.query(`INSERT INTO ${table} VALUES ($1, 'row', 1)`, [id]);
  const arrived = (rows: number) =>
    until(`${rows} rows`, async () => (await stack.rowsOnTarget(table)) === rows, { timeoutMs: 120_000, everyMs: 20 });
  await insert(2 * n);
  await arrived(2 * n - 1);
  const start = performance.now();
  await stack.killWorker();
  await insert(2 * n + 1);
  await stack.startWorker();
  await arrived(2 * n);
  return performance.now() - start;
}

async function end(run: Run): Promise<void> {
  await run.signal('rollback');
  await run.ending();
}
