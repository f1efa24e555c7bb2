import assert from 'node:assert/strict';
import test from 'node:test';
import { startNode } from '../support/processes.js';
import { until } from '../support/until.js';
import { assertNothingLeft, startDemo, temporaryFolder, wholeDemo } from './whole-demo.js';

test('the demo goes from its start to its end, and leaves nothing', { timeout: 300_000 }, (t) => wholeDemo(t));

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

for (const [args, line] of [
  [
    ['--kep'],
    'unknown argument "--kep": use `npm run demo`, `npm run demo -- --keep` or `npm run demo -- --target mysql`',
  ],
  [['--target', 'oracle'], '--target is "oracle", expected postgres or mysql'],
  [['--target'], '--target is "nothing", expected postgres or mysql'],
] as const) {
  test(`${args.join(' ')} is not known and gets one line`, async () => {
    const demo = startNode('demo/main.ts', [...args]);
    assert.equal(await demo.exit(), 2);
    assert.equal(demo.output(), `${line}\n`);
  });
}
