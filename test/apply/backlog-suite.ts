import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Scene, TargetBench } from '../targets/bench.js';
import type { BacklogOrder, BacklogReport } from './backlog-child.js';

const CHILD = fileURLToPath(new URL('backlog-child.ts', import.meta.url));

export interface BacklogScene extends Scene {
  order(rows: number, each: number): BacklogOrder;
}

export async function createBacklogScene(t: TestContext, bench: TargetBench): Promise<BacklogScene> {
  const fixture = await bench.scene(t, ['CREATE TABLE t (id bigint PRIMARY KEY, v int)'], ['t']);
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

export async function run(t: TestContext, order: BacklogOrder): Promise<BacklogReport> {
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
export async function requireRows(scene: BacklogScene, rows: number): Promise<void> {
  const sql = 'SELECT count(*), sum(CASE WHEN v <> id % 1000 THEN 1 ELSE 0 END) AS wrong, min(id), max(id) FROM t';
  assert.deepEqual(await scene.rows(sql), [[String(rows), '0', '0', String(rows - 1)]]);
}

/** `rows` are more than four windows of 20,000. */
export function killedBacklogSuite(bench: () => TargetBench, rows: number): void {
  test('killed in the middle of a backlog: the next attempt goes on from the checkpoint, and every row is right', async (t) => {
    const scene = await createBacklogScene(t, bench());
    const child = begin(t, scene.order(rows, 3));
    assert.ok(child.stderr);
    for await (const line of createInterface({ input: child.stderr })) if (line === 'window 3') break;
    child.kill('SIGKILL');
    await once(child, 'exit');
    const [[count] = []] = await scene.rows('SELECT count(*) FROM t');
    assert.ok(Number(count) >= 60_000 && Number(count) < rows, `${count} rows when it was killed`);
    const { windows, upserts } = await run(t, scene.order(0, 3));
    assert.equal(upserts, rows - Number(count), 'nothing is applied twice');
    assert.ok(windows < 10, `${windows} windows`);
    await requireRows(scene, rows);
  });
}
