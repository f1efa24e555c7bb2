import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { keepFolder, makeTemporaryFolder } from '../../demo/parts/temporary-folder.js';
import { startScript } from '../support/processes.js';
import { until } from '../support/until.js';

function place(t: TestContext): string {
  const parent = mkdtempSync(path.join(tmpdir(), 'folder-test-'));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  return parent;
}

/** A folder with the record of its owner changed. */
function owned(parent: string, change: object): string {
  const folder = makeTemporaryFolder('changed', parent);
  const file = path.join(folder, 'owner.json');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...change }));
  return folder;
}

test('what a process killed by SIGKILL has left is removed by the next start; what a living one uses stays', async (t) => {
  const parent = place(t);
  const script = `
    const { makeTemporaryFolder } = await import('./demo/parts/temporary-folder.ts');
    console.log('folder=' + makeTemporaryFolder('owned', ${JSON.stringify(parent)}));
    setInterval(() => undefined, 1000);`;
  const owner = startScript(script);
  t.after(() => owner.kill());
  const folder = await until('the folder of the owner', () => /^folder=(.+)$/m.exec(owner.output())?.[1]);
  mkdirSync(path.join(folder, 'data', 'deep'), { recursive: true });
  const ours = makeTemporaryFolder('ours', parent);
  assert.ok(existsSync(folder), 'its owner lives');
  await owner.kill();
  makeTemporaryFolder('next', parent);
  assert.equal(existsSync(folder), false);
  assert.ok(existsSync(ours));
});

test('the number of a dead owner that is now another process protects nothing', (t) => {
  const parent = place(t);
  const reused = owned(parent, { started: '1' });
  const before = owned(parent, { boot: 'another start of this machine' });
  makeTemporaryFolder('next', parent);
  assert.equal(existsSync(reused), false);
  assert.equal(existsSync(before), false);
});

test('what cannot be judged from here stays', (t) => {
  const parent = place(t);
  const dead = { started: '1' };
  const elsewhere = owned(parent, { ...dead, host: 'another.host', boot: 'of its own' });
  const container = owned(parent, { ...dead, namespace: 'pid:[1]' });
  const kept = owned(parent, dead);
  keepFolder(kept);
  const strange = path.join(parent, 'failback-strange');
  mkdirSync(strange);
  // Not ours by its name, though it has the record.
  const named = path.join(parent, 'other-product');
  renameSync(owned(parent, dead), named);
  const folders = [elsewhere, container, kept, strange, named];
  if (process.getuid?.() !== 0) {
    const closed = owned(parent, dead);
    chmodSync(closed, 0o000);
    t.after(() => chmodSync(closed, 0o700));
    folders.push(closed);
  }
  makeTemporaryFolder('next', parent);
  for (const folder of folders) assert.ok(existsSync(folder), folder);
});
