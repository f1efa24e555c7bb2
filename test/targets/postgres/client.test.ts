import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TargetRefusedError, TargetUnavailableError } from '../../../src/targets/failures.js';
import { connectPostgres } from '../../../src/targets/postgres/client.js';
import { freePort } from '../../support/ports.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

test('a session is set up whatever the role’s own defaults say (protocol rules 22, 23)', async () => {
  const admin = await connectPostgres({ connectionString: postgres.url(), applicationName: 'admin' });
  await admin.query(`CREATE ROLE odd LOGIN;
    ALTER ROLE odd SET synchronous_commit = off; ALTER ROLE odd SET default_transaction_isolation = 'serializable';
    ALTER ROLE odd SET TimeZone = 'Asia/Tokyo'; ALTER ROLE odd SET DateStyle = 'German'; ALTER ROLE odd SET IntervalStyle = 'sql_standard';
    ALTER ROLE odd SET statement_timeout = '5ms'; ALTER ROLE odd SET bytea_output = 'escape'`);
  await admin.end();
  const client = await connectPostgres({
    connectionString: postgres.url('postgres', 'odd'),
    applicationName: 'failback orders',
    sessionSettings: { lock_timeout: '1234' },
  });
  const shown = async (name: string): Promise<string | undefined> =>
    (await client.query<Record<string, string>>(`SELECT current_setting('${name}') AS value`)).rows[0]?.['value'];
  const expected = {
    synchronous_commit: 'on',
    default_transaction_isolation: 'read committed',
    TimeZone: 'UTC',
    DateStyle: 'ISO, YMD',
    IntervalStyle: 'postgres',
    statement_timeout: '0',
    bytea_output: 'hex',
    row_security: 'off',
    application_name: 'failback orders',
    lock_timeout: '1234ms',
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(await shown(name), value, name);
  await client.end();
});

test('a connection lost while idle fails the next query and nothing else', async () => {
  const client = await connectPostgres({ connectionString: postgres.url(), applicationName: 'idle' });
  const admin = await connectPostgres({ connectionString: postgres.url(), applicationName: 'admin' });
  const ended = new Promise((resolve) => client.once('end', resolve));
  await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'idle'`);
  await ended;
  await assert.rejects(client.query('SELECT 1'));
  await admin.end();
});

test('each way of not connecting has its class, and none shows the password', async () => {
  const closed = await freePort();
  const cases = [
    [`postgresql://u:s3cret@127.0.0.1:${closed}/db`, TargetUnavailableError, 'ECONNREFUSED'],
    [`postgresql://postgres:s3cret@127.0.0.1:${postgres.port}/nowhere`, TargetRefusedError, '3D000'],
    [`postgresql://nobody:s3cret@127.0.0.1:${postgres.port}/postgres`, TargetRefusedError, '28000'],
    [`postgresql://postgres:s3cret@127.0.0.1:${postgres.port}/postgres?sslmode=require`, TargetRefusedError, 'no-tls'],
  ] as const;
  for (const [connectionString, type, code] of cases) {
    await assert.rejects(connectPostgres({ connectionString, applicationName: 'x' }), (error: unknown) => {
      assert.ok(error instanceof type, String(error));
      assert.equal(error.code, code);
      assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /s3cret/);
      return true;
    });
  }
});
