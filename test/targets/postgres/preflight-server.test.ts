import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { problems, remedyOf, sourceTable, startPreflightBench, type PreflightBench } from './preflight-fixture.js';

let bench: PreflightBench;
before(async () => {
  bench = await startPreflightBench({ full_page_writes: 'off', fsync: 'off', max_connections: '20' });
});
after(() => bench.stop());
beforeEach(async () => {
  await bench.fresh();
  await bench.admin('CREATE TABLE t (id bigint PRIMARY KEY); GRANT SELECT, INSERT, UPDATE, DELETE ON t TO app');
});

const T = sourceTable('t', { id: 'INT8' });
const UNSAFE = ['blocking server.not-durable the target', 'blocking server.not-durable the target'];

test('a server that may lose commits in a crash is refused (rule 23)', async () => {
  const result = await bench.preflight([T], 'app');
  assert.deepEqual(problems(result), UNSAFE);
  assert.deepEqual(
    result.findings.filter(({ id }) => id === 'server.not-durable').map(({ found }) => found),
    ['fsync = off', 'full_page_writes = off'],
  );
});

test('connections: of the server, of the database, of the role', async () => {
  const needed = { connectionsNeeded: 30 };
  assert.deepEqual(problems(await bench.preflight([T], 'app', needed)), [
    'blocking server.connections the target',
    ...UNSAFE,
  ]);
  await bench.admin('ALTER ROLE app CONNECTION LIMIT 3');
  try {
    const result = await bench.preflight([T], 'app');
    assert.deepEqual(problems(result), ['blocking server.connections the target', ...UNSAFE]);
    assert.equal(
      result.findings.find(({ id }) => id === 'server.connections')?.found,
      'CONNECTION LIMIT of the role leaves 2',
    );
    assert.deepEqual(problems(await bench.preflight([T], 'app', { connectionsNeeded: 2 })), UNSAFE);
  } finally {
    await bench.admin('ALTER ROLE app CONNECTION LIMIT -1');
  }
});

test('read-only transactions are refused, and the statement mends it', async () => {
  await bench.admin(`DO $$ BEGIN
    EXECUTE format('ALTER ROLE app IN DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`);
  const result = await bench.preflight([T], 'app');
  assert.deepEqual(problems(result), [...UNSAFE, 'blocking server.read-only the target']);
  await bench.admin(remedyOf(result, 'server.read-only'));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), UNSAFE);
});

test('a transaction timeout is a warning, commits that are not flushed a note', async () => {
  await bench.admin(`ALTER ROLE app SET transaction_timeout = '5s'`);
  try {
    const result = await bench.preflight([T], 'app');
    assert.deepEqual(problems(result), [...UNSAFE, 'warning server.transaction-timeout the target']);
    assert.match(result.findings.find(({ id }) => id === 'server.transaction-timeout')?.message ?? '', /5s/);
    await bench.admin(remedyOf(result, 'server.transaction-timeout'));
    assert.deepEqual(problems(await bench.preflight([T], 'app')), UNSAFE);
  } finally {
    await bench.admin('ALTER ROLE app RESET transaction_timeout');
  }
});
