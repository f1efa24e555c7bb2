import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TargetBench } from '../targets/bench.js';
import { startPostgresBench } from '../targets/postgres/bench.js';
import { createBacklogScene, killedBacklogSuite, requireRows, run } from './backlog-suite.js';

/** CI says 5,000,000. */
const ROWS = Number(process.env['FAILBACK_TEST_BACKLOG_ROWS'] ?? 600_000);
const MOST_MB = 400;

let bench: TargetBench;
before(async () => {
  bench = await startPostgresBench({ max_wal_size: '4GB' });
});
after(() => bench.stop());

test(`${ROWS.toLocaleString('en')} rows under one resolved timestamp pass within ${MOST_MB} MB`, async (t) => {
  const scene = await createBacklogScene(t, bench);
  const { windows, memory } = await run(t, scene.order(ROWS, 1));
  assert.ok(windows >= ROWS / 20_000, `${windows} windows`);
  assert.ok(memory.VmHWM < MOST_MB, `the most was ${memory.VmHWM} MB`);
  await requireRows(scene, ROWS);
});

test(`one transaction of 500,000 rows passes within ${MOST_MB} MB, as one transaction`, async (t) => {
  const scene = await createBacklogScene(t, bench);
  const { windows, memory } = await run(t, scene.order(500_000, 500_000));
  assert.equal(windows, 1);
  assert.ok(memory.VmHWM < MOST_MB, `the most was ${memory.VmHWM} MB`);
  await requireRows(scene, 500_000);
});

killedBacklogSuite(() => bench, 200_000);
