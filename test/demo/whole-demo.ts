import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { startNode } from '../support/processes.js';
import { until } from '../support/until.js';

/** A folder for everything that the demo leaves behind; its name is in the environment of every process that it starts. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'demo-test-'));
  // PostgreSQL's user has to enter it.
  chmodSync(folder, 0o755);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function startDemo(folder: string, ...args: string[]) {
  return startNode('demo/main.ts', args, { env: { TMPDIR: folder, TEMPORAL_ADDRESS: undefined } });
}

function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => readProcess(pid, 'environ').includes(folder))
    .map((pid) => `${pid} ${readProcess(pid, 'cmdline').replaceAll('\0', ' ')}`);
}

function readProcess(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** SIGKILL of a parent's last children is quick, not instant. */
export async function assertNothingLeft(folder: string): Promise<void> {
  await until('no process of the demo is left', () => processesOf(folder).length === 0).catch(() =>
    assert.deepEqual(processesOf(folder), []),
  );
  // tsx keeps what it has compiled in the folder, too.
  assert.deepEqual(
    readdirSync(folder).filter((name) => !name.startsWith('tsx-')),
    [],
  );
}

/** From its start to its end, and nothing is left. */
export async function wholeDemo(t: TestContext, ...args: string[]): Promise<void> {
  const folder = temporaryFolder(t);
  const demo = startDemo(folder, ...args);
  t.after(() => demo.kill());
  assert.equal(await demo.exit(), 0, demo.output());
  const output = demo.output();
  const phases = ['drain', 'replicate', 'finish'];
  for (const phase of phases) assert.match(output, new RegExp(`^ *\\d+ s {2}${phase}\\b`, 'm'));
  assert.match(output, /^the run has started: http:\/\/127\.0\.0\.1:\d+\/namespaces\/default\/workflows\/orders$/m);
  assert.match(output, /^killed the worker \(process \d+, SIGKILL\) while rows were being applied/m);
  assert.match(output, /^the worker is back \(process \d+\); [1-9]\d* rows were delivered again/m);
  assert.match(output, /^The run ended: finished\. Both sides were equal at \d+\.\d{10}: [1-9]\d* rows in 6 tables/m);
  assert.match(output, /^ {2}rows {9}[\d,]+ compared on both sides by the runbook/m);
  assert.match(output.trimEnd(), /\nthe demo has succeeded in \d+ s: .*$/);
  await assertNothingLeft(folder);
}
