import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { UnknownConnectionError } from '../../src/domain/connection-errors.js';
import { stageFolder } from '../../src/staging/lmdb/folder.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import { createPostgresDriver } from '../../src/targets/postgres/driver.js';
import { createAbandonedStages, rememberPlace } from '../../src/worker/abandoned-stages.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { createApplyFixture } from '../targets/postgres/apply-fixture.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

/** A stage that the row `orders` of a real target names, and looks at it. */
async function createScene(t: TestContext) {
  const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY)', ['t']);
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-abandoned-'));
  t.after(() => rmSync(stageDir, { recursive: true }));
  const open = (stream: string) => openLmdbStage({ stageDir, stream });
  let url: string | null = postgres.url(fixture.database);
  const stages = createAbandonedStages({
    stageDir,
    open,
    log: () => undefined,
    access: {
      target: ({ target, run, checkpointSchema }) => {
        if (url === null) throw new UnknownConnectionError(target, []);
        return createPostgresDriver(url, { run, checkpointSchema });
      },
    },
  });
  const make = async (stream: string, checkpointSchema = '_failback'): Promise<string> => {
    const stage = open(stream);
    const place = { run: 'run', source: 'crdb', target: 'pg', checkpointSchema, statementTimeoutMs: 1_000 };
    rememberPlace(stageDir, stream, stage, place);
    await stage.close();
    return stage.id;
  };
  const name = (stageId: string | null) =>
    fixture.admin.query('UPDATE _failback.checkpoint SET stage_id = $1', [stageId]);
  return {
    ...fixture,
    look: () => stages.look(),
    open,
    make,
    name,
    connectTo: (to: string | null) => void (url = to),
    isThere: (stream: string) => existsSync(stageFolder(stageDir, stream)),
  };
}

test('a stage that its row names stays, and one that no row names goes with the second look (protocol rule 17)', async (t) => {
  const scene = await createScene(t);
  await scene.name(await scene.make('orders'));
  await scene.make('ended');
  await scene.make('of a schema that is gone', '_gone');
  assert.deepEqual(await scene.look(), []);
  assert.ok(scene.isThere('ended'));
  assert.deepEqual([...(await scene.look())].sort(), ['ended', 'of a schema that is gone']);
  assert.deepEqual([scene.isThere('ended'), scene.isThere('orders')], [false, true]);
  // Another host's stage is the one now; an attempt that begins has none yet.
  await scene.name(null);
  for (let looks = 0; looks < 3; looks++) assert.deepEqual(await scene.look(), []);
  await scene.name('that of another host');
  await scene.look();
  assert.deepEqual(await scene.look(), ['orders']);
});

test('in use, of an unreachable target, of an unknown connection, or without a sheet it stays', async (t) => {
  const scene = await createScene(t);
  await scene.make('orders-2');
  const held = scene.open('orders-2');
  for (let looks = 0; looks < 3; looks++) assert.deepEqual(await scene.look(), []);
  await held.close();
  await scene.open('no sheet').close();
  for (const url of ['postgresql://postgres@127.0.0.1:1/none', null]) {
    scene.connectTo(url);
    for (let looks = 0; looks < 3; looks++) assert.deepEqual(await scene.look(), []);
  }
  assert.deepEqual([scene.isThere('orders-2'), scene.isThere('no sheet')], [true, true]);
});

test('named again before the second look, it stays: for a moment the connection led elsewhere', async (t) => {
  const scene = await createScene(t);
  const id = await scene.make('orders');
  await scene.name('another');
  await scene.look();
  await scene.name(id);
  await scene.look();
  await scene.name('another');
  assert.deepEqual(await scene.look(), []);
  assert.deepEqual(await scene.look(), ['orders']);
});
