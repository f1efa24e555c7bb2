import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectMysql } from '../../../src/targets/mysql/client.js';
import { checkServer } from '../../../src/targets/mysql/preflight-server.js';
import { problems, remedyOf, startPreflightBench, type PreflightBench } from './preflight-fixture.js';

let bench: PreflightBench;
before(async () => {
  bench = await startPreflightBench({ 'log-bin': 'on', 'sync-binlog': '1' });
  await bench.fresh();
  await bench.admin('CREATE TABLE t (id int)');
  await bench.admin('GRANT SELECT ON t TO app@127.0.0.1');
});
after(() => bench.stop());

/** The setting, the finding, and what the setting is mended to. */
const SETTINGS: readonly (readonly [string, string, string])[] = [
  ['innodb_flush_log_at_trx_commit = 2', 'blocking server.not-durable the target', '1'],
  ['sync_binlog = 0', 'warning server.binlog-not-durable the target', '1'],
  [`binlog_format = 'STATEMENT'`, 'blocking server.binlog-format the target', 'ROW'],
  ['read_only = ON', 'blocking server.read-only the target', '0'],
  ['max_allowed_packet = 1048576', 'warning server.packet the target', '67108864'],
  ['max_binlog_cache_size = 104857600', 'warning server.transaction-size the target', '2147479552'],
];

for (const [setting, expected, mended] of SETTINGS) {
  test(`${setting}: ${expected}, and the statement mends it`, async () => {
    assert.deepEqual(problems(await bench.preflight([], 'app')), []);
    await bench.admin(`SET GLOBAL ${setting}`);
    const result = await bench.preflight([], 'app');
    assert.deepEqual(problems(result), [expected]);
    await bench.admin(remedyOf(result, expected.split(' ')[1] ?? ''));
    assert.deepEqual(problems(await bench.preflight([], 'app')), []);
    const [row] = await bench.admin(`SELECT @@GLOBAL.${setting.split(' ')[0]} AS value`);
    assert.equal(row?.['value'], mended);
  });
}

test('too few connections, of the server and of the user', async () => {
  await bench.admin('ALTER USER app@127.0.0.1 WITH MAX_USER_CONNECTIONS 3');
  const own = await bench.preflight([], 'app');
  assert.deepEqual(problems(own), ['blocking server.connections the target']);
  assert.equal(remedyOf(own, 'server.connections'), "ALTER USER 'app'@'127.0.0.1' WITH MAX_USER_CONNECTIONS 5");
  await bench.admin(remedyOf(own, 'server.connections'));
  assert.deepEqual(problems(await bench.preflight([], 'app')), []);
  await bench.admin('ALTER USER app@127.0.0.1 WITH MAX_USER_CONNECTIONS 0');
  await bench.admin('SET GLOBAL max_connections = 10');
  const all = await bench.preflight([], 'app', { connectionsNeeded: 20 });
  assert.deepEqual(problems(all), ['blocking server.connections the target']);
  await bench.admin(remedyOf(all, 'server.connections'));
  assert.deepEqual(problems(await bench.preflight([], 'app', { connectionsNeeded: 20 })), []);
});

test('versions: older is refused, newer is a warning', async () => {
  const client = await connectMysql({ connectionString: bench.url('app'), applicationName: 'failback test' });
  const of = async (product: 'MySQL' | 'MariaDB', version: readonly [number, number, number]) => {
    const server = { product, version, versionText: version.join('.') };
    const { findings } = await checkServer({ ...client, server }, 1);
    return findings.filter(({ id }) => id === 'server.version').map(({ severity }) => severity);
  };
  assert.deepEqual(await of('MySQL', [5, 7, 44]), ['blocking']);
  assert.deepEqual(await of('MySQL', [8, 0, 11]), []);
  assert.deepEqual(await of('MySQL', [8, 4, 3]), []);
  assert.deepEqual(await of('MySQL', [9, 1, 0]), ['warning']);
  assert.deepEqual(await of('MariaDB', [10, 5, 9]), ['blocking']);
  assert.deepEqual(await of('MariaDB', [10, 6, 0]), []);
  assert.deepEqual(await of('MariaDB', [12, 0, 1]), ['warning']);
  await client.close();
});

test('a session whose sql_mode is not strict is refused', async () => {
  const client = await connectMysql({ connectionString: bench.url('app'), applicationName: 'failback test' });
  await client.query(`SET SESSION sql_mode = ''`);
  const { findings } = await checkServer(client, 1);
  await client.close();
  assert.ok(findings.some(({ id, severity }) => id === 'server.sql-mode' && severity === 'blocking'));
});

test("another time zone of the server's is a note", async () => {
  await bench.admin(`SET GLOBAL time_zone = '+02:00'`);
  const result = await bench.preflight([], 'app');
  await bench.admin(`SET GLOBAL time_zone = '+00:00'`);
  assert.equal(result.findings.find(({ id }) => id === 'server.time-zone')?.found, 'time_zone = +02:00');
  assert.ok(!(await bench.preflight([], 'app')).findings.some(({ id }) => id === 'server.time-zone'));
});
