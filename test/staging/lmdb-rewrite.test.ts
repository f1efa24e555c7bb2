import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { HLC_ZERO } from '../../src/domain/hlc.js';
import { stageFolder } from '../../src/staging/lmdb/folder.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import type { Stage } from '../../src/staging/stage.js';
import { at, EVERYTHING, upsert } from './mutations.js';

const STREAM = 's';
/** Of a row of the backlog: pages of their own, as rows of a KiB and more take. */
const WIDE = `{"v":"${'x'.repeat(5_000)}"}`;
const EACH = 250;
/** 250 rows of two pages each: 100 MB. */
const BACKLOG = 50;

function makeStageDir(t: TestContext): string {
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-rewrite-'));
  t.after(() => rmSync(stageDir, { recursive: true }));
  return stageDir;
}

const fileBytes = (stageDir: string): number => statSync(path.join(stageFolder(stageDir, STREAM), 'data.mdb')).size;

async function stageBacklog(stage: Stage, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++)
    await stage.accept(
      1,
      Array.from({ length: EACH }, (_, i) => upsert(at(n), `[${i}]`, WIDE, ['v'])),
      HLC_ZERO,
    );
}

test('a backlog that has passed gives its disk back, and what is left is all there, after a restart too', async (t) => {
  const stageDir = makeStageDir(t);
  let stage = openLmdbStage({ stageDir, stream: STREAM });
  t.after(() => stage.close());
  await stage.bind(1, at(0), 'plan');
  const { id } = stage;
  await stageBacklog(stage, 1, BACKLOG);
  await stage.accept(1, [upsert(at(BACKLOG + 1), '[7]', '{"w":1.50}', ['w'])], HLC_ZERO);
  await stage.resolve(1, at(BACKLOG + 1));
  const before = fileBytes(stageDir);
  assert.ok(before > 67_108_864, `${before} bytes of a backlog`);

  // Rows go on coming, and are read, while it is purged.
  const coming = Array.from({ length: 40 }, (_, i) =>
    stage.accept(1, [upsert(at(BACKLOG + 2 + i), '[1]', '{"v":"new"}', ['v'])], HLC_ZERO),
  );
  await stage.purge(at(BACKLOG));
  await Promise.all(coming);
  const after = fileBytes(stageDir);
  assert.ok(after < before / 16, `${after} bytes are left of ${before}`);

  const look = async (): Promise<void> => {
    const { mutations } = await stage.read(at(BACKLOG), at(BACKLOG + 100), EVERYTHING);
    assert.equal(mutations.length, 41);
    assert.equal(Buffer.from(mutations[0]?.after ?? []).toString(), '{"w":1.50}');
    assert.deepEqual(mutations[0]?.columns, ['w']);
    assert.equal(stage.id, id);
    assert.deepEqual(stage.binding(), { incarnation: 1, floor: at(BACKLOG), resolved: at(BACKLOG + 1), plan: 'plan' });
  };
  await look();
  await stage.close();
  stage = openLmdbStage({ stageDir, stream: STREAM });
  await look();
});

test('one backlog after the other: the file shrinks each time, and the stage stays whole', async (t) => {
  const stageDir = makeStageDir(t);
  const stage = openLmdbStage({ stageDir, stream: STREAM });
  t.after(() => stage.close());
  await stage.bind(1, at(0), 'plan');
  for (let turn = 0; turn < 6; turn++) {
    const [from, to] = [1 + turn * BACKLOG, (turn + 1) * BACKLOG];
    await stageBacklog(stage, from, to);
    await stage.resolve(1, at(to));
    let rows = 0;
    for (let n = from; n <= to; n++) rows += (await stage.read(at(n - 1), at(n), EVERYTHING)).mutations.length;
    assert.equal(rows, EACH * BACKLOG);
    await stage.purge(at(to));
    assert.ok(fileBytes(stageDir) < 4_000_000, `${fileBytes(stageDir)} bytes after backlog ${turn + 1}`);
  }
});

test('what a crash has left of a new file is no part of the stage', async (t) => {
  const stageDir = makeStageDir(t);
  const first = openLmdbStage({ stageDir, stream: STREAM });
  await first.bind(1, at(0), 'plan');
  await first.accept(1, [upsert(at(1), '[1]', '{"v":"a"}', ['v'])], HLC_ZERO);
  await first.close();
  const left = path.join(stageFolder(stageDir, STREAM), 'rewritten');
  mkdirSync(left);
  writeFileSync(path.join(left, 'data.mdb'), 'half a file');
  const stage = openLmdbStage({ stageDir, stream: STREAM });
  t.after(() => stage.close());
  assert.equal((await stage.read(at(0), at(1), EVERYTHING)).mutations.length, 1);
  assert.throws(() => statSync(left), { code: 'ENOENT' });
});
