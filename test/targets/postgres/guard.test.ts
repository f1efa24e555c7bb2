import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTableSql } from '../../../src/targets/postgres/checkpoint-ddl.js';
import { openPostgresCheckpointStore } from '../../../src/targets/postgres/checkpoint-store.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { guardSuite } from '../guard-suite.js';
import { at, createApplyFixture, upsert } from './apply-fixture.js';
import { startPostgresBench } from './bench.js';

guardSuite(startPostgresBench);

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const GUARD = createTableSql('_failback', 'guard').join('; ');
const row = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);

test('nothing after the stop is applied at once, and a stop that is passed is none (protocol rule 32)', async (t) => {
  const fixture = await createApplyFixture(t, postgres, `${GUARD}; CREATE TABLE t (id int PRIMARY KEY, v int2)`, ['t']);
  const store = await openPostgresCheckpointStore(
    { connectionString: postgres.url(fixture.database), applicationName: 'test' },
    '_failback',
  );
  t.after(() => store.close());
  const session = await fixture.open({ immediate: true });
  await session.applyAtOnce(fixture.token, [row(3, 3, 3)]);
  assert.equal(await store.setStopAt(fixture.stream, at(2)), false);
  assert.equal(await store.setStopAt(fixture.stream, at(3)), true);
  await session.applyAtOnce(fixture.token, [row(2, 2, 2), row(4, 4, 4)]);
  assert.deepEqual(await fixture.rows('SELECT id::text, v::text FROM t ORDER BY id'), [
    ['2', '2'],
    ['3', '3'],
  ]);
  assert.equal(await store.setStopAt(fixture.stream, null), true);
  await session.applyAtOnce(fixture.token, [row(4, 4, 4)]);
  assert.equal((await fixture.rows('SELECT id::text, v::text FROM t ORDER BY id')).length, 3);
});
