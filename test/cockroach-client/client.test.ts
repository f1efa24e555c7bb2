import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { connectCockroach, type Cockroach } from '../../src/cockroach/client.js';
import { CockroachError, type CockroachErrorKind } from '../../src/cockroach/errors.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { startLive, type Live } from './live.js';

let live: Live;
before(async () => void (live = await startLive()));
after(() => live.stop());

const connect = (connectionString: string, more = {}) =>
  connectCockroach({ connectionString, applicationName: 'failback test', ...more });
const isKind = (kind: CockroachErrorKind) => (error: unknown) => error instanceof CockroachError && error.kind === kind;

test('values come as text, with every digit', async () => {
  const [row] = await live.cockroach.query(
    "SELECT 9223372036854775807::INT8 AS big, 1.500::DECIMAL AS d, true AS yes, NULL AS nothing, '{1,2}'::INT8[] AS list, '2024-01-02'::DATE AS day",
  );
  assert.deepEqual(row, {
    big: '9223372036854775807',
    d: '1.500',
    yes: 't',
    nothing: null,
    list: '{1,2}',
    day: '2024-01-02',
  });
});

test('the version is read', () =>
  assert.deepEqual([live.cockroach.version.major, live.cockroach.version.minor], [25, 2]));

test('statements asked for at once run one after another', async () => {
  const rows = await Promise.all([1, 2, 3].map((n) => live.cockroach.query('SELECT $1::INT8 AS n', [String(n)])));
  assert.deepEqual(
    rows.map(([row]) => row?.['n']),
    ['1', '2', '3'],
  );
});

test('a refused statement leaves the session usable', async () => {
  await assert.rejects(live.cockroach.query('SELECT 1 FROM nope'), isKind('objectMissing'));
  assert.equal((await live.cockroach.query('SELECT 1 AS one'))[0]?.['one'], '1');
});

test('a lost idle connection neither ends the process nor the session', async (t) => {
  const proxy = await startByteProxy(t, live.simulator.port);
  const url = new URL(live.simulator.url());
  url.port = String(proxy.port);
  const session = await connect(url.toString());
  const pid = async () => (await session.query('SELECT pg_backend_pid() AS pid'))[0]?.['pid'];
  const first = await pid();
  proxy.cutAll();
  const second = await until('it has connected again', pid);
  assert.notEqual(second, first);
  await session.close();
});

test('a connection lost in the middle of a statement is retryable', async (t) => {
  const proxy = await startByteProxy(t, live.simulator.port);
  const url = new URL(live.simulator.url());
  url.port = String(proxy.port);
  const session = await connect(url.toString());
  proxy.arm('to-server', 'SELECT 4242', 'cut-before');
  await assert.rejects(
    session.query('SELECT 4242'),
    (error) => isKind('connection')(error) && (error as CockroachError).retryable,
  );
  assert.equal(proxy.hits(), 1);
  await session.close();
});

test('the server ends a statement that takes too long', async () => {
  const session = await connect(live.simulator.url(), { statementTimeoutMs: 200 });
  await assert.rejects(session.query('SELECT pg_sleep(3)'), isKind('cancelled'));
  await session.close();
});

test('a limit of one statement does not outlive it, and holds on the server', async () => {
  await assert.rejects(live.cockroach.query('SELECT pg_sleep(3)', [], { timeoutMs: 100 }), isKind('cancelled'));
  assert.equal((await live.cockroach.query('SHOW statement_timeout'))[0]?.['statement_timeout'], '30s');
});

test('a server that says nothing is given up', async (t) => {
  const proxy = await startByteProxy(t, live.simulator.port);
  const url = new URL(live.simulator.url());
  url.port = String(proxy.port);
  const session = await connect(url.toString(), { statementTimeoutMs: 100 });
  proxy.arm('to-server', 'SELECT 4242', 'pause');
  await assert.rejects(session.query('SELECT 4242'), isKind('timeout'));
  assert.equal(proxy.hits(), 1);
  await session.close();
});

test('an abort ends the statement with its reason', async () => {
  const stop = new AbortController();
  const asleep = live.cockroach.query('SELECT pg_sleep(3)', [], { signal: stop.signal });
  setTimeout(() => stop.abort(new Error('the worker stops')), 50);
  await assert.rejects(asleep, /the worker stops/);
  assert.equal((await live.cockroach.query('SELECT 1 AS one'))[0]?.['one'], '1');
});

test('a closed session says so', async () => {
  const session = await connect(live.simulator.url());
  await session.close();
  await assert.rejects(session.query('SELECT 1'), /the session is closed/);
});

test('nobody listening is one clear error, without the password', async () => {
  const error = await connect('postgresql://root:CANARY@127.0.0.1:1/defaultdb').then(
    () => assert.fail('it connected'),
    (cause: unknown) => cause as CockroachError,
  );
  assert.equal(error.kind, 'connection');
  assert.equal(error.message, 'CockroachDB cannot be reached: connect ECONNREFUSED 127.0.0.1:1 (ECONNREFUSED)');
  assert.ok(!`${error.stack ?? ''}${JSON.stringify(error)}${JSON.stringify(error.cause)}`.includes('CANARY'));
});

test('what listens and never answers is given up in time', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  await assert.rejects(
    connect(`postgresql://root@127.0.0.1:${port}/defaultdb`, { connectTimeoutMs: 200 }),
    (error) => error instanceof CockroachError && error.retryable,
  );
  silent.close();
});

const MODES: readonly (readonly [string, RegExp])[] = [
  ['prefer', /sslmode=prefer is refused.*clear text/],
  ['allow', /sslmode=allow is refused/],
  ['require', /does not support SSL/],
  ['verify-full', /does not support SSL/],
  ['verify-ca', /sslrootcert/],
];
for (const [mode, message] of MODES)
  test(`sslmode=${mode} never falls back to clear text`, async () => {
    await assert.rejects(connect(`${live.simulator.url()}?sslmode=${mode}`), (error) => {
      assert.ok(error instanceof CockroachError);
      assert.match(error.message, message);
      return !error.retryable;
    });
  });

test('what is no URL is refused without being shown', async () => {
  await assert.rejects(connect('host=h password=CANARY'), (error) => {
    assert.ok(error instanceof Error);
    return /not a URL/.test(error.message) && !error.message.includes('CANARY');
  });
});

test('a database that is not CockroachDB is refused by name', async () => {
  const postgres: Postgres = await startPostgres();
  let session: Cockroach | undefined;
  try {
    await assert.rejects(
      connect(postgres.url()).then((opened) => (session = opened)),
      /this is not CockroachDB: it says it is "PostgreSQL/,
    );
  } finally {
    await session?.close();
    await postgres.stop();
  }
});

test('a statement whose rows do not end is ended by the first one', async () => {
  let rows = 0;
  const came = await live.cockroach.stream('SELECT generate_series(1, 10)', () => ++rows === 3, { timeoutMs: 5_000 });
  assert.deepEqual([came, rows], [true, 3]);
  assert.equal(await live.cockroach.stream('SELECT 1 WHERE false', () => true, { timeoutMs: 5_000 }), false);
  assert.equal(await live.cockroach.stream('SELECT pg_sleep(3)', () => true, { timeoutMs: 100 }), false);
  await assert.rejects(
    live.cockroach.stream('SELECT 1 FROM nope', () => true, { timeoutMs: 5_000 }),
    isKind('objectMissing'),
  );
});
