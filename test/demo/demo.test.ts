import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { startNode } from '../support/processes.js';
import { until } from '../support/until.js';

/** A folder for everything that the demo leaves behind; its name is in the environment of every process that it starts. */
function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'demo-test-'));
  // PostgreSQL's user has to enter it.
  chmodSync(folder, 0o755);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function startDemo(folder: string, ...args: string[]) {
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
async function assertNothingLeft(folder: string): Promise<void> {
  await until('no process of the demo is left', () => processesOf(folder).length === 0).catch(() =>
    assert.deepEqual(processesOf(folder), []),
  );
  // tsx keeps what it has compiled in the folder, too.
  assert.deepEqual(
    readdirSync(folder).filter((name) => !name.startsWith('tsx-')),
    [],
  );
}

test('the demo goes from its start to its end, and leaves nothing', { timeout: 300_000 }, async (t) => {
  const folder = temporaryFolder(t);
  const demo = startDemo(folder);
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
});

for (const [signal, exitCode, where, line] of [
  ['SIGTERM', 143, 'while parts start', /starting PostgreSQL/],
  ['SIGINT', 130, 'while the run goes on', /the run has started/],
] as const) {
  test(`${signal} ${where} ends everything within seconds`, { timeout: 120_000 }, async (t) => {
    const folder = temporaryFolder(t);
    const demo = startDemo(folder);
    t.after(() => demo.kill());
    await until('the demo is there', () => line.test(demo.output()), { timeoutMs: 60_000 });
    const at = performance.now();
    demo.signal(signal);
    assert.equal(await demo.exit(), exitCode, demo.output());
    assert.ok(performance.now() - at < 10_000, `it took ${performance.now() - at} ms`);
    assert.doesNotMatch(demo.output(), /failed|Error/);
    await assertNothingLeft(folder);
  });
}

test('--keep leaves the run up with the commands to try, until it is ended', { timeout: 180_000 }, async (t) => {
  const folder = temporaryFolder(t);
  const demo = startDemo(folder, '--keep');
  t.after(() => demo.kill());
  await until('the commands are there', () => demo.output().includes('Ctrl-C ends everything'), { timeoutMs: 120_000 });
  for (const command of [
    'query',
    'metadata',
    'update execute',
    'signal .* --name pause',
    'signal .* --name finish',
    'signal .* --name rollback',
  ])
    assert.match(demo.output(), new RegExp(`workflow ${command}`));
  demo.signal('SIGINT');
  assert.equal(await demo.exit(), 130, demo.output());
  await assertNothingLeft(folder);
});

test('an argument that is not known gets one line', async () => {
  const demo = startNode('demo/main.ts', ['--kep']);
  assert.equal(await demo.exit(), 2);
  assert.equal(
    demo.output(),
    'unknown argument "--kep": use `npm run demo`, `npm run demo -- --keep` or `npm run demo -- --target mysql`\n',
  );
});
