import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import pg from 'pg';
import { hlcOf, previousHlc } from '../../src/domain/hlc.js';
import type { SourceTable } from '../../src/domain/source-table.js';
import { planComparison } from '../../src/targets/postgres/comparison-plan.js';
import { describeTables } from '../../src/targets/postgres/introspection.js';
import { openPostgresSnapshot } from '../../src/targets/postgres/snapshot.js';
import type { ComparedTable, TargetSnapshot } from '../../src/targets/snapshot.js';
import {
  compareTables,
  countDiffering,
  TargetNotAtTimestampError,
  type TableComparison,
} from '../../src/verify/compare-tables.js';
import { createSourceReader, type TextClient } from '../../src/verify/source-reader.js';
import { startPostgres, type Postgres } from '../support/postgres.js';

const AT = hlcOf(1_759_246_920_563_173_000n, 7);
let server: Postgres;
let source: pg.Client;
let target: pg.Client;

before(async () => {
  server = await startPostgres({ settings: { fsync: 'off' } });
  const admin = await connect('postgres');
  await admin.query('CREATE DATABASE source');
  await admin.query('CREATE DATABASE target');
  await admin.end();
  [source, target] = [await connect('source'), await connect('target')];
  await source.query(`SET TimeZone = 'UTC'`);
});

after(async () => {
  await source.end();
  await target.end();
  await server.stop();
});

beforeEach(async () => {
  for (const side of [source, target]) await side.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
});

async function connect(database: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url(database) });
  await client.connect();
  return client;
}

/** PostgreSQL standing in for the source: the one thing it does not know is AS OF SYSTEM TIME. */
function now(client: pg.Client): TextClient {
  return {
    query: (config) => client.query({ ...config, text: config.text.replace(/ AS OF SYSTEM TIME '[\d.]+'/, '') }),
  };
}

async function plan(name: string, columns: Record<string, string>, primaryKey: string[]): Promise<ComparedTable> {
  const table: SourceTable = {
    table: { schema: 'public', table: name },
    columns: Object.entries(columns).map(([column, type]) => ({ name: column, type, nullable: true })),
    primaryKey,
    foreignKeys: [],
  };
  const described = (await describeTables(target, [table.table])).get(`public.${name}`);
  assert.ok(described);
  const compared = planComparison({ source: table, target: described });
  assert.ok(compared);
  return compared;
}

async function compare(
  tables: ComparedTable[],
  more: { streams?: string[]; pageRows?: number; listed?: number; whileOpen?: () => Promise<unknown> } = {},
): Promise<readonly TableComparison[]> {
  const snapshot = await snapshotOfTarget();
  try {
    await more.whileOpen?.();
    return await compareTables({
      source: createSourceReader(now(source), AT, more.pageRows ?? 3),
      target: snapshot,
      at: AT,
      streams: more.streams ?? [],
      tables,
      ...(more.listed === undefined ? {} : { listed: more.listed }),
      signal: new AbortController().signal,
    });
  } finally {
    await snapshot.close();
  }
}

function snapshotOfTarget(): Promise<TargetSnapshot> {
  return openPostgresSnapshot(
    { connectionString: server.url('target'), applicationName: 'failback test' },
    '_failback',
  );
}

async function both(sql: string): Promise<void> {
  await source.query(sql);
  await target.query(sql);
}

const ITEMS = { tenant: 'INT8', id: 'DECIMAL', note: 'STRING' };

test('missing, different and extra rows are found across pages of a composite key', async () => {
  await both('CREATE TABLE items (tenant bigint, id numeric, note text, PRIMARY KEY (tenant, id))');
  await both(`INSERT INTO items SELECT t, i, 'n' || i FROM generate_series(1, 3) t, generate_series(1, 7) i`);
  await target.query(`DELETE FROM items WHERE (tenant, id) IN ((1, 1), (3, 7))`);
  await target.query(`UPDATE items SET note = 'SECRET' WHERE (tenant, id) IN ((2, 2), (2, 3))`);
  await target.query(`UPDATE items SET note = NULL WHERE (tenant, id) = (2, 4)`);
  await target.query(`INSERT INTO items VALUES (0, 1, 'x'), (2, 3.5, 'x'), (9223372036854775807, 1, 'x')`);
  await target.query(`UPDATE items SET id = 5.000 WHERE id = 5`);
  const result = await compare([await plan('items', ITEMS, ['tenant', 'id'])]);
  assert.deepEqual(result, [
    {
      table: 'public.items',
      rows: 21,
      missing: { total: 2, keys: ['["1","1"]', '["3","7"]'] },
      different: {
        total: 3,
        rows: [
          { key: '["2","2"]', columns: ['note'] },
          { key: '["2","3"]', columns: ['note'] },
          { key: '["2","4"]', columns: ['note'] },
        ],
      },
      extra: { total: 3, keys: ['["0","1"]', '["2","3.5"]', '["9223372036854775807","1"]'] },
    },
  ]);
  assert.notDeepEqual(
    result.map(countDiffering),
    result.map(() => 0),
  );
  assert.doesNotMatch(JSON.stringify(result), /SECRET/);
});

test('lists are bounded, totals are not', async () => {
  await both('CREATE TABLE items (tenant bigint, id numeric, note text, PRIMARY KEY (tenant, id))');
  await source.query(`INSERT INTO items SELECT 1, i, 'n' FROM generate_series(1, 1300) i`);
  await target.query(`INSERT INTO items SELECT 2, i, 'n' FROM generate_series(1, 1200) i`);
  const [result] = await compare([await plan('items', ITEMS, ['tenant', 'id'])], { listed: 2, pageRows: 500 });
  assert.deepEqual(result?.missing, { total: 1300, keys: ['["1","1"]', '["1","2"]'] });
  assert.deepEqual(result?.extra, { total: 1200, keys: ['["2","1"]', '["2","2"]'] });
});

/** Each a type of the target, a value, and another that must be told from it however alike they look. */
const TELLS_APART: readonly (readonly [string, string, string])[] = [
  ['bigint', `9007199254740993`, `9007199254740992`],
  ['numeric', `12345678901234567890.000000000000000001`, `12345678901234567890`],
  ['double precision', `0.1`, `0.10000000000000002`],
  ['double precision', `'-0'`, `0`],
  ['real', `1.1`, `1.1000001`],
  ['boolean', `true`, `false`],
  ['text', `'a'`, `'a '`],
  ['text', `''`, `NULL`],
  ['varchar(3)', `'abc'`, `'ab'`],
  ['char(5)', `'abc'`, `'abd'`],
  ['bytea', `'\\x0001ff'`, `'\\x0001fe'`],
  ['date', `'2024-02-29'`, `'2024-03-01'`],
  ['timestamp', `'2024-02-29 12:34:56.123456'`, `'2024-02-29 12:34:56.123457'`],
  ['timestamptz', `'2024-02-29 12:34:56.123456+02'`, `'2024-02-29 12:34:56.123456+00'`],
  ['timetz', `'10:00:00+00'`, `'11:00:00+01'`],
  ['interval', `'1 mon'`, `'30 days'`],
  ['uuid', `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`, `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'`],
  ['jsonb', `'{"a":1,"b":[null]}'`, `'{"a":1,"b":null}'`],
  ['json', `'{"a":1,"b":2}'`, `'{"a":1,"b":3}'`],
  ['jsonb', `'null'`, `NULL`],
  ['inet', `'10.0.0.1/24'`, `'10.0.0.1'`],
  ['bit(3)', `'101'`, `'100'`],
  ['bit varying', `'101'`, `'1010'`],
  ['text[]', `'{a,NULL,"b,c"}'`, `'{a,"NULL","b,c"}'`],
  ['numeric[]', `'{1.5}'`, `'{1.6}'`],
  ['bytea[]', `ARRAY['\\x00'::bytea]`, `ARRAY['\\x01'::bytea]`],
  ['mood', `'glad'`, `'sad'`],
  ['mood[]', `'{glad}'`, `'{sad}'`],
  ['positive', `1.5`, `1.25`],
];

const TYPES = `CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN positive AS numeric(10,2) CHECK (VALUE > 0);
  CREATE TABLE v (id int PRIMARY KEY, v `;

for (const [type, value, other] of TELLS_APART) {
  test(`${type}: ${value} is itself and is not ${other}`, async () => {
    await both(`${TYPES}${type})`);
    await both(`INSERT INTO v VALUES (1, ${value}), (2, ${other})`);
    const table = await plan('v', { id: 'INT8', v: type }, ['id']);
    const [same] = await compare([table]);
    assert.equal(same && countDiffering(same), 0, JSON.stringify(same));
    assert.equal(same?.rows, 2);

    await target.query(`UPDATE v SET v = ${other} WHERE id = 1`);
    const [changed] = await compare([table]);
    assert.deepEqual(changed?.different, { total: 1, rows: [{ key: '["1"]', columns: ['v'] }] });
  });
}

/** What the source holds, what the target holds, and whether they are the same row. */
const ACROSS: readonly (readonly [string, string, string, string, boolean])[] = [
  ['text', `'abcdef'`, 'varchar(3)', `'abc'`, false],
  ['text', `'abc'`, 'char(5)', `'abc'`, true],
  ['numeric', `1.005`, 'numeric(10,2)', `1.01`, false],
  ['numeric', `1.500`, 'numeric', `1.5`, true],
  ['text', `'1E+30'`, 'numeric', `1e30`, true],
  ['text', `'glad'`, 'mood', `'glad'`, true],
  ['jsonb', `'{"b":1,"a":2}'`, 'json', `'{"a":2, "b":1.0}'`, true],
  ['text', `'294276-12-31 23:59:59.999999+00'`, 'timestamptz', `'infinity'`, true],
  ['text', `'4714-11-24 00:00:00+00 BC'`, 'timestamptz', `'-infinity'`, true],
  ['text', `'4713-11-24 00:00:00+00'`, 'timestamptz', `'-infinity'`, false],
  ['timestamp', `'2024-02-29 12:34:56.7'`, 'timestamp(0)', `'2024-02-29 12:34:57'`, false],
];

for (const [from, value, to, other, same] of ACROSS) {
  test(`${value} (${from}) ${same ? 'is' : 'is not'} ${other} (${to})`, async () => {
    await source.query(`${TYPES}${from}); INSERT INTO v VALUES (1, ${value})`);
    await target.query(`${TYPES}${to}); INSERT INTO v VALUES (1, ${other})`);
    const [result] = await compare([await plan('v', { id: 'INT8', v: from }, ['id'])]);
    assert.equal(result?.different.total, same ? 0 : 1);
    assert.equal(result?.missing.total, 0);
  });
}

test('text and citext columns tell case apart outside keys', async () => {
  await source.query(`CREATE TABLE v (id int PRIMARY KEY, v text); INSERT INTO v VALUES (1, 'Anna')`);
  await target.query(
    `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
     CREATE TABLE v (id int PRIMARY KEY, v text COLLATE loose); INSERT INTO v VALUES (1, 'ANNA')`,
  );
  const [result] = await compare([await plan('v', { id: 'INT8', v: 'STRING' }, ['id'])]);
  assert.equal(result?.different.total, 1);
});

test('rows written after the snapshot was opened are not seen', async () => {
  await both('CREATE TABLE items (tenant bigint, id numeric, note text, PRIMARY KEY (tenant, id))');
  await both(`INSERT INTO items SELECT 1, i, 'n' FROM generate_series(1, 10) i`);
  const result = await compare([await plan('items', ITEMS, ['tenant', 'id'])], {
    whileOpen: () => target.query(`DELETE FROM items WHERE id > 5; INSERT INTO items VALUES (7, 7, 'late')`),
  });
  assert.deepEqual(
    result.map(countDiffering),
    result.map(() => 0),
    JSON.stringify(result),
  );
});

test('a target that is not exactly at the timestamp is not compared', async () => {
  await target.query(
    `CREATE SCHEMA _failback; CREATE TABLE _failback.checkpoint (stream text, applied numeric(30,10))`,
  );
  await target.query(`INSERT INTO _failback.checkpoint VALUES ('here', '1759246920563173000.0000000007')`);
  await target.query(`INSERT INTO _failback.checkpoint VALUES ('behind', '1759246920563173000.0000000006')`);
  try {
    assert.deepEqual(await compare([], { streams: ['here'] }), []);
    await assert.rejects(
      compare([], { streams: ['here', 'behind'] }),
      (error) => error instanceof TargetNotAtTimestampError && error.applied === previousHlc(AT),
    );
    await assert.rejects(compare([], { streams: ['gone'] }), TargetNotAtTimestampError);
  } finally {
    await target.query('DROP SCHEMA _failback CASCADE');
  }
});

test('values that arrive in another form, as preflight has warned, are equal; another value is not', async () => {
  await source.query(`CREATE TABLE c (id int PRIMARY KEY, zoned timestamptz, plain timestamp, number float8, small float8);
    INSERT INTO c VALUES (1, '2024-02-29 10:04:56.123456+00', '2024-02-29 10:04:56.5', '-0', 16777217),
      (2, '0044-03-15 00:00:00+00 BC', NULL, 'NaN', 0.30000000000000004), (3, '2024-02-29 10:04:56+00', NULL, 1, 1)`);
  await target.query(`CREATE TABLE c (id int PRIMARY KEY, zoned timestamp, plain timestamptz, number numeric, small float4);
    INSERT INTO c VALUES (1, '2024-02-29 10:04:56.123456', '2024-02-29 10:04:56.5+00', 0, 16777216),
      (2, '0044-03-15 00:00:00 BC', NULL, 'NaN', 0.3), (3, '2024-02-29 11:04:56', NULL, 1.5, 1.5)`);
  const types = { id: 'INT4', zoned: 'TIMESTAMPTZ', plain: 'TIMESTAMP', number: 'FLOAT8', small: 'FLOAT4' };
  await source.query(`SET TimeZone = 'UTC'`);
  const [result] = await compare([await plan('c', types, ['id'])]);
  assert.deepEqual(result?.different.rows, [{ key: '["3"]', columns: ['zoned', 'number', 'small'] }]);
});

test('an abort ends the comparison, and a value that the target cannot read is not shown', async () => {
  await source.query(`CREATE TABLE v (id int PRIMARY KEY, v text); INSERT INTO v VALUES (1, 'SECRET')`);
  await target.query(`CREATE TABLE v (id int PRIMARY KEY, v int)`);
  const table = await plan('v', { id: 'INT8', v: 'STRING' }, ['id']);
  await assert.rejects(compare([table]), (error: Error) => {
    assert.match(error.message, /comparing public\.v/);
    assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /SECRET/);
    return true;
  });
  const snapshot = await snapshotOfTarget();
  const reader = createSourceReader(now(source), AT);
  const aborted = {
    source: reader,
    target: snapshot,
    at: AT,
    streams: [],
    tables: [table],
    signal: AbortSignal.abort(),
  };
  await assert.rejects(compareTables(aborted), { name: 'AbortError' });
  await snapshot.close();
});
