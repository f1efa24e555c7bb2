import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { captureCursor } from '../../src/cockroach/clock.js';
import { readKeysAt, readOrigin } from '../../src/cockroach/identity.js';
import { startLive, type Live } from './live.js';

let live: Live;
before(async () => (live = await startLive()));
after(() => live.stop());

const name = (table: string) => ({ schema: 'public', table });

test('names lead to ids: a renamed table is found under its new name only, another table has another id (protocol rule 9)', async () => {
  await live.sql('CREATE TABLE begun (id INT PRIMARY KEY); CREATE TABLE beside (id INT PRIMARY KEY)');
  const tables = ['begun', 'moved'].map(name);
  const began = await readOrigin(live.cockroach, tables);
  assert.deepEqual(Object.keys(began.tableIds), ['public.begun']);
  assert.match(began.clusterId, /^[0-9a-f-]{36}$/);

  await live.sql('ALTER TABLE begun RENAME TO moved');
  const moved = await readOrigin(live.cockroach, tables);
  assert.deepEqual(moved, { clusterId: began.clusterId, tableIds: { 'public.moved': began.tableIds['public.begun'] } });

  await live.sql('CREATE TABLE begun (id INT PRIMARY KEY)');
  const anew = await readOrigin(live.cockroach, tables);
  assert.notEqual(anew.tableIds['public.begun'], began.tableIds['public.begun']);
});

test('primary keys are read as they were, in key order; the index tells that one was altered and altered back (protocol rule 8)', async () => {
  await live.sql('CREATE TABLE keyed (a INT, b INT NOT NULL, "C d" STRING NOT NULL, PRIMARY KEY (b, a))');
  const { tableIds } = await readOrigin(live.cockroach, [name('keyed')]);
  const id = tableIds['public.keyed'] ?? '';
  const read = async () => (await readKeysAt(live.cockroach, [id], await captureCursor(live.cockroach))).get(id);
  const first = await captureCursor(live.cockroach);
  const before = await read();
  assert.deepEqual(before?.columns, ['b', 'a']);

  await live.sql('ALTER TABLE keyed ALTER PRIMARY KEY USING COLUMNS ("C d")');
  assert.deepEqual((await read())?.columns, ['C d']);
  await live.sql('ALTER TABLE keyed ALTER PRIMARY KEY USING COLUMNS (b, a)');
  const back = await read();
  assert.deepEqual(back?.columns, ['b', 'a']);
  assert.notEqual(back?.indexId, before?.indexId);

  assert.deepEqual((await readKeysAt(live.cockroach, [id], first)).get(id), before, 'the past is what it was');
  await live.sql('ALTER TABLE keyed RENAME TO renamed');
  assert.deepEqual((await read())?.columns, ['b', 'a'], 'a renamed table is found by its id');
  assert.equal((await readKeysAt(live.cockroach, ['1'], first)).size, 0);
});
