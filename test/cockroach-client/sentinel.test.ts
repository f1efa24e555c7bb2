import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { checkSentinel } from '../../src/cockroach/preflight-sentinel.js';
import { eraseSentinel, hasSentinel } from '../../src/cockroach/sentinel.js';
import { startLive, type Live } from './live.js';

let live: Live;
before(async () => {
  live = await startLive();
  await live.sql('CREATE USER app');
});
after(() => live.stop());

const MARK = { schema: 'public', table: 'mark' };
const APP = { database: 'defaultdb', user: 'app' };

test('a table that is missing is made by the statement named, and the missing privilege given by its GRANT', async () => {
  const app = await live.connectAs('app');
  const [missing] = await checkSentinel(app, MARK, APP);
  assert.equal(missing?.id, 'sentinel.missing');
  assert.ok(missing.remedy.kind === 'statement');
  await live.sql(missing.remedy.sql);

  const [denied, ...others] = await checkSentinel(app, MARK, APP);
  assert.equal(denied?.id, 'privilege.select');
  assert.match(denied.message, /the sentinel row cannot be seen/);
  assert.deepEqual(others, []);
  assert.ok(denied.remedy.kind === 'statement');
  await live.sql(denied.remedy.sql);
  assert.deepEqual(await checkSentinel(app, MARK, APP), []);
});

test('a table that cannot take the row is refused', async () => {
  await live.sql('CREATE TABLE other (id INT PRIMARY KEY, written_at TIMESTAMPTZ)');
  const found = await checkSentinel(live.cockroach, { schema: 'public', table: 'other' }, APP);
  assert.deepEqual(
    found.map(({ id, found: what }) => `${id}: ${what}`),
    ['sentinel.unfit: column id is INT8, expected a text of 36 characters or more'],
  );
});

test('the row is seen by its id, and can be deleted', async () => {
  await live.sql('CREATE TABLE seen (id STRING PRIMARY KEY, written_at TIMESTAMPTZ NOT NULL)');
  const table = { schema: 'public', table: 'seen' };
  assert.equal(await hasSentinel(live.cockroach, table, 'a'), false);
  await live.sql("INSERT INTO seen VALUES ('a', now()), ('b', now())");
  assert.equal(await hasSentinel(live.cockroach, table, 'a'), true);
  await eraseSentinel(live.cockroach, table, 'a');
  assert.equal(await hasSentinel(live.cockroach, table, 'a'), false);
  assert.equal(await hasSentinel(live.cockroach, table, 'b'), true);
});
