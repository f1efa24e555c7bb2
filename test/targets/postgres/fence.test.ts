import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { TargetUnavailableError } from '../../../src/targets/failures.js';
import { startByteProxy } from '../../support/byte-proxy.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { fenceSuite } from '../fence-suite.js';
import { createApplyFixture, upsert, windowOf } from './apply-fixture.js';
import { startPostgresBench } from './bench.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, v text)';
const row = (n: number, v: string) => upsert(n, 0, '[1]', `{"id": 1, "v": "${v}"}`);
const throughProxy = (port: number, database: string) => `postgresql://postgres@127.0.0.1:${port}/${database}`;

fenceSuite(startPostgresBench);

test('a row locked by somebody else: the takeover names that session and leaves it alone', async (t) => {
  const fixture = await createApplyFixture(t, postgres, TABLE, ['t']);
  const stranger = new pg.Client({ connectionString: postgres.url(fixture.database) });
  stranger.on('error', () => undefined);
  t.after(() => stranger.end());
  await stranger.connect();
  const { rows } = await stranger.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const pid = rows[0]?.pid ?? 0;
  // The stranger has the process number of the last holder, which has ended since: numbers are used again.
  await fixture.admin.query(
    `UPDATE _failback.checkpoint SET holder_pid = ${pid}, holder_started = now() - interval '1 day'`,
  );
  await stranger.query('BEGIN; SELECT 1 FROM _failback.checkpoint FOR UPDATE');
  const session = await fixture.open({ lockTimeoutMs: 200 });
  await assert.rejects(session.takeToken('young'), (error: unknown) => {
    assert.ok(error instanceof TargetUnavailableError);
    assert.equal(error.code, '55P03');
    assert.match(error.message, new RegExp(`server process ${pid},`));
    return true;
  });
  await stranger.query('ROLLBACK');
  assert.equal((await session.takeToken('young'))?.token, 'young');
});

test('a connection lost before the COMMIT is not of unknown outcome', async (t) => {
  const fixture = await createApplyFixture(t, postgres, TABLE, ['t']);
  const proxy = await startByteProxy(t, postgres.port);
  const session = await fixture.open({ connectionString: throughProxy(proxy.port, fixture.database) });
  proxy.arm('to-server', 'json_to_recordset', 'cut-after');
  await assert.rejects(session.apply(fixture.token, windowOf(0, 1, [row(1, 'one')])), {
    name: 'TargetUnavailableError',
    commitUnknown: false,
  });
  assert.equal(proxy.hits(), 1);
});
