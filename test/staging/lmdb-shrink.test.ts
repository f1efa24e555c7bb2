import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { HLC_ZERO } from '../../src/domain/hlc.js';
import { stageFolder } from '../../src/staging/lmdb/folder.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import type { Stage } from '../../src/staging/stage.js';
import { until } from '../support/until.js';
import { at, EVERYTHING, shown, upsert } from './mutations.js';

const AFTER = `{"v":"${'x'.repeat(5_000)}"}`;

function createFolder(t: TestContext) {
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-shrink-'));
  const opened: Stage[] = [];
  t.after(async () => {
    for (const stage of opened) await stage.close();
    rmSync(stageDir, { recursive: true, force: true });
  });
  const folder = stageFolder(stageDir, 's');
  return {
    folder,
    open: () => {
      const stage = openLmdbStage({ stageDir, stream: 's' });
      opened.push(stage);
      return stage;
    },
    megabytes: () => statSync(path.join(folder, 'data.mdb')).size / 2 ** 20,
  };
}

/** About 100 MB at the seconds 1 to 50, and one row at 60. */
async function fill(stage: Stage): Promise<void> {
  await stage.bind(3, at(0), 'plan');
  for (let n = 1; n <= 50; n++)
    await stage.accept(
      3,
      Array.from({ length: 250 }, (_, i) => upsert(at(n), `[${i}]`, AFTER, ['v'])),
      HLC_ZERO,
    );
  await stage.accept(3, [upsert(at(60), '[7]', '{"id":7}', ['id'])], HLC_ZERO);
  await stage.resolve(3, at(70));
}

async function requireRest(stage: Stage): Promise<void> {
  assert.deepEqual((await stage.read(at(50), at(100), EVERYTHING)).mutations.map(shown), ['60:0:[7]={"id":7}']);
  assert.deepEqual(stage.binding(), { incarnation: 3, floor: at(50), resolved: at(70), plan: 'plan' });
}

test('a stage gives its disk back after a backlog, and goes on as the same stage', async (t) => {
  const { open, megabytes, folder } = createFolder(t);
  const stage = open();
  await fill(stage);
  assert.ok(megabytes() > 90, `${megabytes()} MB`);
  // While bodies come in.
  const [, taken] = await Promise.all([
    stage.purge(at(50)),
    stage.accept(3, [upsert(at(80), '[8]', '{"id":8}', ['id'])], HLC_ZERO),
  ]);
  assert.equal(taken.staged, 1);
  assert.ok(megabytes() < 5, `${megabytes()} MB`);
  assert.ok(!existsSync(path.join(folder, 'compact')));
  await requireRestWith(stage);
  await stage.accept(3, [upsert(at(90), '[9]', '{"id":9}', ['id'])], HLC_ZERO);
  const { id } = stage;
  await stage.close();
  const again = open();
  assert.equal(again.id, id, 'the id stays (protocol rule 15)');
  assert.equal(again.figures().entries, 3);
});

async function requireRestWith(stage: Stage): Promise<void> {
  const rows = (await stage.read(at(50), at(100), EVERYTHING)).mutations.map(shown);
  assert.deepEqual(rows, ['60:0:[7]={"id":7}', '80:0:[8]={"id":8}']);
}

test('its owner stays its owner: nobody else may open it (protocol rule 38)', async (t) => {
  const { open } = createFolder(t);
  const stage = open();
  await fill(stage);
  await stage.purge(at(50));
  assert.throws(open, /in use/);
  await stage.accept(3, [upsert(at(61), '[1]')], HLC_ZERO);
});

/** What a process leaves that dies at each step of it. */
const CRASHES: readonly [string, (folder: string) => void][] = [
  [
    'while it copies',
    (folder) => (
      mkdirSync(path.join(folder, 'compact')),
      writeFileSync(path.join(folder, 'compact', 'data.mdb'), 'half')
    ),
  ],
  ['when the copy is whole', (folder) => copyTo(folder, path.join(folder, 'compact'))],
  [
    'when the lock file is gone',
    (folder) => (copyTo(folder, path.join(folder, 'compact')), rmSync(path.join(folder, 'lock.mdb'))),
  ],
  [
    'when the copy has taken its place',
    (folder) => (mkdirSync(path.join(folder, 'compact')), rmSync(path.join(folder, 'lock.mdb'))),
  ],
];

function copyTo(folder: string, copy: string): void {
  mkdirSync(copy);
  cpSync(path.join(folder, 'data.mdb'), path.join(copy, 'data.mdb'));
}

for (const [when, leave] of CRASHES)
  test(`a crash ${when}: the next one finds everything, and gives the disk back`, async (t) => {
    const { open, folder, megabytes } = createFolder(t);
    const stage = open();
    await fill(stage);
    const { id } = stage;
    // The purge of a process that died before it could give anything back.
    await stage.close();
    leave(folder);
    const next = open();
    assert.equal(next.id, id);
    assert.equal(existsSync(path.join(folder, 'compact')), false);
    assert.equal(next.figures().entries, 50 * 250 + 1);
    await next.purge(at(50));
    await requireRest(next);
    await until('the disk is given back', () => megabytes() < 5);
  });
