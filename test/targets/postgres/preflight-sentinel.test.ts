import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { connectPostgres } from '../../../src/targets/postgres/client.js';
import { eraseSentinel, writeSentinel } from '../../../src/targets/postgres/sentinel.js';
import { problems, remedyOf, startPreflightBench, type PreflightBench } from './preflight-fixture.js';

let bench: PreflightBench;
before(async () => {
  bench = await startPreflightBench();
});
after(() => bench.stop());
beforeEach(() => bench.fresh());

const SENTINEL = { schema: 'public', table: 'mark' };
const look = (wanted = SENTINEL) => bench.preflight([], 'app', { sentinel: wanted, enforcementOffWanted: false });

test('a table that is missing is made by the statement named, and each missing privilege given by its GRANT', async () => {
  const missing = await look();
  assert.deepEqual(problems(missing), ['blocking sentinel.missing public.mark']);
  assert.equal(missing.sentinel, null);
  await bench.admin(remedyOf(missing, 'sentinel.missing'));

  const denied = await look();
  assert.deepEqual(problems(denied), [
    'blocking privilege.delete public.mark',
    'blocking privilege.insert public.mark',
    'blocking privilege.select public.mark',
  ]);
  for (const privilege of ['select', 'insert', 'delete'])
    await bench.admin(remedyOf(denied, `privilege.${privilege}`, 'public.mark'));
  const mended = await look();
  assert.deepEqual(problems(mended), []);
  assert.deepEqual(mended.sentinel, SENTINEL);
  assert.deepEqual(await bench.admin('SELECT * FROM mark'), [], 'nothing was written');
});

test('a privilege on one column alone is not enough, and a table under another spelling is found', async () => {
  await bench.admin(`CREATE TABLE mark (id text PRIMARY KEY, written_at timestamptz);
    GRANT SELECT, DELETE ON mark TO app; GRANT INSERT (id) ON mark TO app`);
  const result = await look({ schema: 'public', table: 'Mark' });
  assert.deepEqual(problems(result), ['blocking privilege.insert public.mark']);
  assert.deepEqual(result.sentinel, SENTINEL);
});

test('a table that cannot take the row is refused with everything that is in the way', async () => {
  await bench.admin(`CREATE TABLE mark (id int PRIMARY KEY, note text NOT NULL, made int GENERATED ALWAYS AS IDENTITY);
    GRANT SELECT, INSERT ON mark TO app`);
  const result = await look();
  assert.deepEqual(problems(result), ['blocking privilege.delete public.mark', 'blocking sentinel.unfit public.mark']);
  const unfit = result.findings.find(({ id }) => id === 'sentinel.unfit');
  assert.match(unfit?.found ?? '', /^column id is integer, .*; column written_at is missing, .*; column note has no/);
});

test('a view is no table for it', async () => {
  await bench.admin(`CREATE VIEW mark AS SELECT 'x'::text AS id, now() AS written_at;
    GRANT SELECT, INSERT, DELETE ON mark TO app`);
  const result = await look();
  assert.match(result.findings.find(({ id }) => id === 'sentinel.unfit')?.found ?? '', /it is a view/);
});

test('the row is written once under its id, and deleted once', async () => {
  await bench.admin('CREATE TABLE mark (id text PRIMARY KEY, written_at timestamptz NOT NULL)');
  const [row] = await bench.admin('SELECT current_database() AS name');
  const connectionString = bench.server.url(String(row?.['name']));
  const client = await connectPostgres({ connectionString, applicationName: 'failback test' });
  try {
    await writeSentinel(client, SENTINEL, 'a');
    const [first] = await bench.admin('SELECT id, written_at FROM mark');
    await writeSentinel(client, SENTINEL, 'a');
    assert.deepEqual(await bench.admin('SELECT id, written_at FROM mark'), [first]);
    await bench.admin("INSERT INTO mark VALUES ('b', now())");
    assert.equal(await eraseSentinel(client, SENTINEL, 'a'), true);
    assert.equal(await eraseSentinel(client, SENTINEL, 'a'), false);
    assert.deepEqual(await bench.admin('SELECT id FROM mark'), [{ id: 'b' }]);
  } finally {
    await client.end();
  }
});
