import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { createApplyFixture, type ApplyFixture } from '../targets/postgres/apply-fixture.js';
import type { BacklogOrder, BacklogReport } from './backlog-child.js';

/** CI says 5,000,000. */
const ROWS = Number(process.env['FAILBACK_TEST_BACKLOG_ROWS'] ?? 600_000);
const MOST_MB = 400;
const CHILD = fileURLToPath(new URL('backlog-child.ts', import.meta.url));

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off', max_wal_size: '4GB' } });
});
after(() => postgres.stop());

interface Scene extends ApplyFixture {
  order(rows: number, each: number): BacklogOrder;
}

async function createScene(t: TestContext): Promise<Scene> {
  const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int8 PRIMARY KEY, v int)', ['t']);
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-backlog-'));
  t.after(() => rmSync(stageDir, { recursive: true }));
  return {
    ...fixture,
    order: (rows, each) => ({
      stageDir,
      session: fixture.options({ flushSize: 5_000 }),
      token: fixture.token,
      rows,
      each,
    }),
  };
}

function begin(t: TestContext, order: BacklogOrder): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function run(t: TestContext, order: BacklogOrder): Promise<BacklogReport> {
  const child = begin(t, order);
  let [said, complained] = ['', ''];
  child.stdout?.on('data', (part: Buffer) => (said += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (complained = (complained + part.toString()).slice(-2_000)));
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0, complained);
  const report = JSON.parse(said) as BacklogReport;
  t.diagnostic(said.trim());
  return report;
}

/** Each row is there once, with its value. */
async function requireRows(scene: Scene, rows: number): Promise<void> {
  const sql =
    'SELECT count(*)::text, count(*) FILTER (WHERE v <> id % 1000)::text, min(id)::text, max(id)::text FROM t';
  assert.deepEqual(await scene.rows(sql), [[String(rows), '0', '0', String(rows - 1)]]);
}

test(`${ROWS.toLocaleString('en')} rows under one resolved timestamp pass within ${MOST_MB} MB`, async (t) => {
  const scene = await createScene(t);
  const { windows, memory } = await run(t, scene.order(ROWS, 1));
  assert.ok(windows >= ROWS / 20_000, `${windows} windows`);
  assert.ok(memory.VmHWM < MOST_MB, `the most was ${memory.VmHWM} MB`);
  await requireRows(scene, ROWS);
});

test(`one transaction of 500,000 rows passes within ${MOST_MB} MB, as one transaction`, async (t) => {
  const scene = await createScene(t);
  const { windows, memory } = await run(t, scene.order(500_000, 500_000));
  assert.equal(windows, 1);
  assert.ok(memory.VmHWM < MOST_MB, `the most was ${memory.VmHWM} MB`);
  await requireRows(scene, 500_000);
});

test('killed in the middle of a backlog: the next attempt goes on from the checkpoint, and every row is right', async (t) => {
  const scene = await createScene(t);
  const rows = 200_000;
  const child = begin(t, scene.order(rows, 3));
  assert.ok(child.stderr);
  for await (const line of createInterface({ input: child.stderr })) if (line === 'window 3') break;
  child.kill('SIGKILL');
  await once(child, 'exit');
  const [[count] = []] = await scene.rows('SELECT count(*)::text FROM t');
  assert.ok(Number(count) >= 60_000 && Number(count) < rows, `${count} rows when it was killed`);
  const { windows, upserts } = await run(t, scene.order(0, 3));
  assert.equal(upserts, rows - Number(count), 'nothing is applied twice');
  assert.ok(windows < 10, `${windows} windows`);
  await requireRows(scene, rows);
});
