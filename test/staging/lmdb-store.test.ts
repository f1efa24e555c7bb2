import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { open } from 'lmdb';
import { HLC_ZERO } from '../../src/domain/hlc.js';
import { StageCorruptError } from '../../src/staging/lmdb/errors.js';
import { stageFolder } from '../../src/staging/lmdb/folder.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import { StageBusyError, type Stage } from '../../src/staging/stage.js';
import { at, EVERYTHING, upsert } from './mutations.js';

// What only the stage in a folder has; what every stage does is in stage.test.ts.

const LONG = `["${'k'.repeat(5000)}a"]`;

let stageDir: string;
let stage: Stage;

beforeEach(() => {
  stageDir = mkdtempSync(path.join(tmpdir(), 'failback-stage-'));
  stage = openLmdbStage({ stageDir, stream: 's' });
});

afterEach(async () => {
  await stage.close();
  rmSync(stageDir, { recursive: true, force: true });
});

test('no read transaction stays open (protocol rule 13)', async () => {
  await stage.bind(1, at(1), 'plan');
  const body = () =>
    Array.from({ length: 2000 }, (_, i) => upsert(at(10), `[${i}]`, `{"v":"${'x'.repeat(500)}"}`, ['v']));
  await stage.accept(1, body(), HLC_ZERO);
  const sizes: number[] = [];
  for (let round = 0; round < 12; round++) {
    const held = await stage.read(HLC_ZERO, at(10), EVERYTHING);
    await stage.bind(round + 2, at(1), 'plan');
    await stage.accept(round + 2, body(), HLC_ZERO);
    assert.equal(held.mutations.length, 2000);
    sizes.push(lastPage(stage));
  }
  // A reader left open would keep every round's pages from being used again.
  assert.ok((sizes.at(-1) ?? 0) <= (sizes[3] ?? 0) * 1.2, `pages grew: ${sizes.join(' ')}`);
});

/** The file's size in pages, asked of the environment that this process shares with the stage. */
function lastPage(_: Stage): number {
  const root = open({ path: stageFolder(stageDir, 's'), noSubdir: false, maxDbs: 3, overlappingSync: false });
  return (root.getStats() as { lastPageNumber: number }).lastPageNumber;
}

test('two keys of one hash are never taken for one', async () => {
  await stage.bind(1, at(1), 'plan');
  await stage.accept(1, [upsert(at(10), LONG)], HLC_ZERO);
  await stage.close();
  const root = open({ path: stageFolder(stageDir, 's'), noSubdir: false, maxDbs: 3, overlappingSync: false });
  const entries = root.openDB<Buffer, Buffer>({ name: 'entries', keyEncoding: 'binary', encoding: 'binary' });
  for (const { key, value } of entries.getRange({ start: Buffer.alloc(1) })) {
    const other = Buffer.from(value);
    other[other.indexOf('kka"')] = 0x6c;
    await entries.put(key, other);
  }
  await root.close();
  stage = openLmdbStage({ stageDir, stream: 's' });
  await assert.rejects(stage.accept(1, [upsert(at(10), LONG)], HLC_ZERO), StageCorruptError);
});

suite('one owner (protocol rule 38)', () => {
  test('the same folder twice in one process is refused', async () => {
    assert.throws(() => openLmdbStage({ stageDir, stream: 's' }), StageBusyError);
    await stage.close();
    stage = openLmdbStage({ stageDir, stream: 's' });
  });
});

test('stream ids make folders of their own, whatever they hold', () => {
  const ids = ['a', 'A.b', '../a', 'a/b', 'a%2fb', '..', '.', 'é', 'x'.repeat(500), 'x'.repeat(501)];
  const folders = ids.map((id) => stageFolder('/stages', id));
  assert.equal(new Set(folders).size, ids.length);
  for (const folder of folders) {
    assert.equal(path.dirname(folder), '/stages');
    assert.equal(path.extname(folder), '');
  }
});

test('figures count used pages, which purging gives back', async () => {
  await stage.bind(1, at(1), 'plan');
  await stage.accept(
    1,
    Array.from({ length: 3000 }, (_, i) => upsert(at(10), `[${i}]`)),
    HLC_ZERO,
  );
  const full = stage.figures();
  assert.equal(full.entries, 3000);
  await stage.purge(at(10));
  const empty = stage.figures();
  assert.equal(empty.entries, 0);
  assert.ok(full.usedBytes > 100_000 && empty.usedBytes < 10_000, `${full.usedBytes} then ${empty.usedBytes}`);
});
