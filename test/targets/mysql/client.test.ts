import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { TargetRefusedError, TargetUnavailableError } from '../../../src/targets/failures.js';
import { connectMysql } from '../../../src/targets/mysql/client.js';
import { endsSession, toTargetError } from '../../../src/targets/mysql/errors.js';
import { createCertificateAuthority } from '../../support/certificates.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';
import { freePort } from '../../support/ports.js';
import { until } from '../../support/until.js';

let folder: string;
let mariadb: Mariadb;
before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'failback-test-'));
  const ca = await createCertificateAuthority();
  const server = await ca.issueServer({ names: ['localhost'] });
  const client = await ca.issueClient('failback');
  const stranger = await createCertificateAuthority('Another CA');
  for (const [name, pem] of Object.entries({
    'ca.pem': ca.cert,
    'server.pem': server.cert,
    'server.key': server.key,
    'client.pem': client.cert,
    'client.key': client.key,
    'stranger.pem': stranger.cert,
  }))
    writeFileSync(path.join(folder, name), pem, { mode: 0o644 });
  // The server runs as another user.
  chmodSync(folder, 0o755);
  mariadb = await startMariadb({
    settings: {
      'ssl-ca': path.join(folder, 'ca.pem'),
      'ssl-cert': path.join(folder, 'server.pem'),
      'ssl-key': path.join(folder, 'server.key'),
      'sql-mode': '',
      'init-connect': 'SET autocommit = 0, foreign_key_checks = 0',
      'transaction-isolation': 'SERIALIZABLE',
      'default-time-zone': '+09:00',
      'character-set-server': 'latin1',
    },
  });
});
after(async () => {
  await mariadb.stop();
  rmSync(folder, { recursive: true });
});

const connect = (connectionString = mariadb.url()) =>
  connectMysql({
    connectionString,
    applicationName: 'failback orders',
    lockTimeoutMs: 1500,
    idleInTransactionTimeoutMs: 61_000,
  });

test('a session is set up whatever the server’s own defaults say (protocol rules 22, 24)', async () => {
  const client = await connect();
  const expected = {
    time_zone: '+00:00',
    autocommit: '1',
    foreign_key_checks: '1',
    tx_isolation: 'READ-COMMITTED',
    collation_connection: 'utf8mb4_bin',
    character_set_results: 'utf8mb4',
    innodb_lock_wait_timeout: '2',
    idle_transaction_timeout: '61',
    max_statement_time: '0.000000',
  };
  for (const [name, value] of Object.entries(expected))
    assert.equal((await client.query(`SELECT @@SESSION.${name} AS V`)).rows[0]?.['v'], value, name);
  const mode = (await client.query('SELECT @@SESSION.sql_mode AS mode')).rows[0]?.['mode']?.split(',') ?? [];
  for (const word of ['STRICT_TRANS_TABLES', 'NO_ZERO_DATE', 'NO_AUTO_VALUE_ON_ZERO'])
    assert.ok(mode.includes(word), word);
  assert.equal(client.server.product, 'MariaDB');
  assert.ok(client.server.version[0] >= 10);
  assert.equal((await client.query('SELECT CONNECTION_ID() AS id')).rows[0]?.['id'], client.id);
  await client.close();
});

test('every value is text, in parameters and results', async () => {
  const client = await connect();
  const { rows } = await client.query(
    `SELECT 18446744073709551615 AS Big, 1.50 AS exact, CAST('2024-01-01 00:00:00.100000' AS DATETIME(6)) AS at, NULL AS nothing, ? AS text`,
    [`ü'"\\\0🚀`],
  );
  assert.deepEqual(rows, [
    { big: '18446744073709551615', exact: '1.50', at: '2024-01-01 00:00:00.100000', nothing: null, text: `ü'"\\\0🚀` },
  ]);
  await client.close();
});

test('TLS: a certificate is checked as far as sslmode says, and a client shows its own', async () => {
  const url = (host: string, query: string): string => `mysql://failback:failback@${host}:${mariadb.port}/?${query}`;
  const ca = `sslrootcert=${path.join(folder, 'ca.pem')}`;
  const stranger = `sslrootcert=${path.join(folder, 'stranger.pem')}`;
  const own = `sslcert=${path.join(folder, 'client.pem')}&sslkey=${path.join(folder, 'client.key')}`;
  const cipherOf = async (host: string, query: string): Promise<string | null | undefined> => {
    const client = await connect(url(host, query));
    const { rows } = await client.query(`SHOW STATUS LIKE 'Ssl_cipher'`);
    await client.close();
    return rows[0]?.['value'];
  };
  assert.equal(await cipherOf('127.0.0.1', 'sslmode=disable'), '');
  for (const [host, query] of [
    ['127.0.0.1', 'sslmode=require'],
    ['127.0.0.1', `sslmode=verify-ca&${ca}`],
    ['localhost', `sslmode=verify-full&${ca}&${own}`],
  ] as const)
    assert.match((await cipherOf(host, query)) ?? '', /^TLS|AES/, query);
  for (const [host, query] of [
    ['127.0.0.1', `sslmode=verify-full&${ca}`],
    ['localhost', `sslmode=verify-full&${stranger}`],
    ['localhost', `sslmode=require&${stranger}`],
    ['localhost', 'sslmode=verify-ca'],
  ] as const)
    await assert.rejects(connect(url(host, query)), TargetRefusedError, query);
});

test('each way of not connecting has its class, and none shows the password', async () => {
  const closed = await freePort();
  const cases = [
    [`mysql://u:s3cret@127.0.0.1:${closed}/db`, TargetUnavailableError, 'ECONNREFUSED'],
    [`mysql://nobody:s3cret@127.0.0.1:${mariadb.port}/`, TargetRefusedError, '1045'],
    [`mysql://failback:failback@127.0.0.1:${mariadb.port}/nowhere`, TargetRefusedError, '1049'],
  ] as const;
  for (const [url, kind, code] of cases) {
    await assert.rejects(connect(url), (error) => {
      assert.ok(error instanceof kind, String(error));
      assert.equal(error.code, code);
      assert.doesNotMatch(JSON.stringify([error.message, String(error.cause)]), /s3cret/);
      return true;
    });
  }
});

test('a connection that is killed while it rests, and a server that shuts down, are outages', async () => {
  const client = await connect();
  const admin = await connect();
  await admin.query(`KILL ${client.id}`);
  const listed = `SELECT 1 FROM information_schema.processlist WHERE id = ${client.id}`;
  await until('the killed session is gone', async () => (await admin.query(listed)).rowCount === 0);
  const failure = await client.query('SELECT 1').then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(endsSession(failure), String(failure));
  assert.ok(toTargetError(failure, 'trying') instanceof TargetUnavailableError, String(failure));
  await client.close();
  const sleeping = admin.query('SELECT SLEEP(60)').then(
    () => null,
    (error: unknown) => error,
  );
  await mariadb.restart();
  const ended = await sleeping;
  assert.ok(toTargetError(ended, 'trying') instanceof TargetUnavailableError, String(ended));
  await admin.close();
  const again = await connect();
  assert.equal((await again.query('SELECT 1 AS one')).rowCount, 1);
  await again.close();
});
