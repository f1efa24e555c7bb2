import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test, type TestContext } from 'node:test';
import type { SourceColumn, SourceTable } from '../../../src/domain/source-table.js';
import { keyClassOf } from '../../../src/domain/source-type.js';
import { createKeyReader } from '../../../src/receiver/key-canon.js';
import { connectPostgres } from '../../../src/targets/postgres/client.js';
import { columnFit } from '../../../src/targets/postgres/column-fit.js';
import { describeTables } from '../../../src/targets/postgres/introspection.js';
import { checkColumns } from '../../../src/targets/postgres/preflight-columns.js';
import { checkKeys } from '../../../src/targets/postgres/preflight-keys.js';
import type { TargetTable } from '../../../src/targets/postgres/table-shape.js';
import { BadRowError } from '../../../src/targets/failures.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { createApplyFixture, remove, upsert, windowOf, type ApplyFixture } from './apply-fixture.js';
import { CAPTURED, TYPE_PAIRS, TYPES_DDL, type TypePair } from './types-table.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const nameOf = ({ source, target }: TypePair): string => `${source} into ${target}`;
const carried = TYPE_PAIRS.filter(({ fit }) => fit !== 'incompatible' && fit !== 'unsupported');

/** A table `t0`, `t1`, ... for each pair, with a key and the column. */
async function tablesOf(t: TestContext, pairs: readonly TypePair[]): Promise<ApplyFixture> {
  const ddl = pairs.map(({ target }, i) => `CREATE TABLE t${i} (id int PRIMARY KEY, v ${target})`);
  return createApplyFixture(
    t,
    postgres,
    [TYPES_DDL, ...ddl].join(';'),
    pairs.map((_, i) => `t${i}`),
  );
}

/** The tables as preflight reads them. */
async function described(fixture: ApplyFixture, tables: readonly string[]): Promise<TargetTable[]> {
  const client = await connectPostgres({
    connectionString: postgres.url(fixture.database),
    applicationName: 'failback test',
  });
  try {
    const found = await describeTables(
      client,
      tables.map((table) => ({ schema: 'public', table })),
    );
    return [...found.values()].flatMap((table) => (table === null ? [] : [table]));
  } finally {
    await client.end();
  }
}

function sourceColumn({ source, enumLabels }: TypePair, name: string): SourceColumn {
  return { name, type: source, nullable: true, ...(enumLabels === undefined ? {} : { enumLabels }) };
}

function sourceTable(columns: readonly SourceColumn[], primaryKey: readonly string[]): SourceTable {
  return { table: { schema: 'public', table: 't' }, columns, primaryKey, foreignKeys: [] };
}

test('the table of types is consistent: each verdict has the values that show it', () => {
  const places = new Set(TYPE_PAIRS.map(nameOf));
  assert.equal(places.size, TYPE_PAIRS.length, 'each pair once');
  for (const pair of TYPE_PAIRS) {
    if (pair.fit === 'fits' || pair.fit === 'converts') assert.ok(pair.taken.length > 0, nameOf(pair));
    else if (pair.fit === 'narrower' || pair.fit === 'rounds') assert.ok(pair.refused.length > 0, nameOf(pair));
    else assert.equal(pair.taken.length + pair.refused.length, 0, nameOf(pair));
  }
});

test('every value captured from a real CockroachDB is in the table of types', () => {
  const captured = JSON.parse(
    readFileSync(new URL('../../golden/cockroach/types.json', import.meta.url), 'utf8'),
  ) as Record<string, { compact: string }[]>;
  assert.deepEqual(Object.keys(captured).sort(), Object.keys(CAPTURED).sort());
  for (const [name, rows] of Object.entries(captured)) {
    const pair = TYPE_PAIRS.find(
      ({ source, target }) => source === CAPTURED[name]?.[0] && target === CAPTURED[name]?.[1],
    );
    assert.ok(pair, name);
    if (pair.fit === 'unsupported') continue;
    const known = new Set(pair.taken.map(([json]) => JSON.stringify(JSON.parse(json))));
    for (const { compact } of rows) {
      const { after } = JSON.parse(compact) as { after: { v: unknown } };
      if (after.v !== null) assert.ok(known.has(JSON.stringify(after.v)), `${name}: ${JSON.stringify(after.v)}`);
    }
  }
});

/** The two ways in which rows are sent. */
const WAYS = [
  ['', { copyFrom: Infinity }],
  [' (COPY)', { copyFrom: 1 }],
] as const;

for (const [way, options] of WAYS)
  test(`every type arrives bit-exact, by PostgreSQL’s own readers${way}`, async (t) => {
    const fixture = await tablesOf(t, carried);
    for (const [table, { taken }] of carried.entries()) {
      // A session for each: one has temporary tables for a few tables only.
      const session = await fixture.open(options);
      const rows = ['null', ...taken.map(([json]) => json)].map((json, i) =>
        upsert(table + 1, table, `[${i}]`, `{"id": ${i}, "v": ${json}}`),
      );
      const figures = await session.apply(fixture.token, windowOf(table, table + 1, rows));
      assert.equal(figures.inSourceOrder, false, 'nothing was refused on the way');
      await session.close();
    }
    for (const [table, pair] of carried.entries()) {
      const found = await fixture.rows(`SELECT v::text FROM t${table} ORDER BY id`);
      assert.deepEqual(found.shift(), [null], `${nameOf(pair)}: NULL`);
      for (const [i, [json, literal]] of pair.taken.entries()) {
        const [[expected] = []] = await fixture.rows(`SELECT ((${literal})::${pair.target})::text`);
        assert.ok(
          found[i]?.[0] === expected,
          `${nameOf(pair)}: ${json.slice(0, 80)} is ${found[i]?.[0]?.slice(0, 80)}`,
        );
      }
    }
  });

for (const [way, options] of WAYS)
  test(`JSON null arrives as itself where the column is NOT NULL${way}`, async (t) => {
    const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY, v jsonb NOT NULL)', [
      't',
    ]);
    const session = await fixture.open(options);
    await session.apply(fixture.token, windowOf(0, 1, [upsert(1, 0, '[1]', '{"id": 1, "v": null}')]));
    assert.deepEqual(await fixture.rows('SELECT v::text FROM t'), [['null']]);
  });

for (const [way, options] of WAYS)
  test(`a value that does not fit is refused with table, key and column, and never shown, rounded or cut${way}`, async (t) => {
    const fixture = await tablesOf(t, carried);
    for (const [table, pair] of carried.entries()) {
      const session = await fixture.open(options);
      for (const json of pair.refused) {
        // The row before it in the batch is in order.
        const rows = [
          upsert(1, table, '[6]', '{"id": 6, "v": null}'),
          upsert(1, table, '[7]', `{"id": 7, "v": ${json}}`),
        ];
        const what = `${nameOf(pair)}: ${json.slice(0, 80)}`;
        const error = await session.apply(fixture.token, windowOf(0, 1, rows)).then(
          () => null,
          (failure: unknown) => failure,
        );
        assert.ok(error instanceof BadRowError, `${what}: ${String(error)}`);
        assert.deepEqual([error.table, error.key, error.column], [`public.t${table}`, '[7]', 'v'], what);
        if (pair.because) assert.match(error.reason, pair.because, what);
        const value = json.replace(/^"|"$/g, '');
        if (value.length > 3) assert.ok(!error.message.includes(value), error.message);
      }
      assert.deepEqual(await fixture.rows(`SELECT 1 FROM t${table}`), []);
      await session.close();
    }
  });

test('preflight’s verdict on a pair of types is what becomes of its values', async (t) => {
  const pairs = TYPE_PAIRS;
  const fixture = await tablesOf(t, pairs);
  const tables = await described(
    fixture,
    pairs.map((_, i) => `t${i}`),
  );
  for (const [i, pair] of pairs.entries()) {
    const target = tables.find(({ name }) => name.table === `t${i}`);
    const column = target?.columns.find(({ name }) => name === 'v');
    assert.ok(target && column);
    assert.equal(columnFit(sourceColumn(pair, 'v'), column), pair.fit, nameOf(pair));
    const source = sourceTable([{ name: 'id', type: 'INT4', nullable: false }, sourceColumn(pair, 'v')], ['id']);
    const findings = checkColumns({ source, target }, 'error').filter(({ severity }) => severity !== 'note');
    const expected =
      pair.fit === 'fits' ? [] : [`${pair.fit === 'converts' ? 'warning' : 'blocking'} column.${pair.fit}`];
    assert.deepEqual(
      findings.map(({ severity, id }) => `${severity} ${id}`),
      expected,
      nameOf(pair),
    );
  }
});

/** Types of a key, the key's text in the insert, and in the delete. Captured, or as other values are written. */
const KEYS: readonly (readonly [source: string, target: string, inserted: string, deleted: string])[] = [
  ...capturedKeys(),
  ['DECIMAL', 'numeric', '1E+2', '100'],
  ['DECIMAL(10,5)', 'numeric(10,5)', '1.50000', '1.5'],
  ['DECIMAL(10,2)', 'app.dear', '1.50', '1.5'],
  ['FLOAT8', 'float8', '-0', '0'],
  ['INT8', 'numeric', '9223372036854775807', '9223372036854775807'],
  ['VARCHAR(5)', 'varchar(5)', '" pad "', '" pad "'],
  ['TIMESTAMP', 'timestamp', '"-0043-03-15T10:11:12"', '"-0043-03-15T10:11:12"'],
  ['TIMESTAMPTZ', 'timestamp', '"2024-02-29T10:04:56.123456Z"', '"2024-02-29T10:04:56.123456Z"'],
  ['TIMESTAMP', 'timestamptz', '"2024-02-29T10:04:56.123456"', '"2024-02-29T10:04:56.123456"'],
  ['UUID', 'text', '"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"', '"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"'],
  ['public.mood', 'text', '"happy"', '"happy"'],
  ['STRING', 'text', String.raw`"a\u003cb\\c\"d"`, String.raw`"a\u003cb\\c\"d"`],
];

/** Those that CockroachDB writes otherwise in a delete, with the finding that refuses them. */
const REFUSED_KEYS: readonly (readonly [source: string, target: string, finding: string])[] = [
  ['STRING COLLATE en', 'text', 'key.unsupported'],
  ['CITEXT', 'text', 'key.unsupported'],
  ['INT8[]', 'int8[]', 'key.unsupported'],
  ['JSONB', 'jsonb', 'key.unsupported'],
  ['INTERVAL', 'interval', 'key.unsupported'],
  ['FLOAT4', 'float4', 'key.coarser'],
  ['DECIMAL', 'text', 'key.coarser'],
  ['STRING', 'char(5)', 'key.coarser'],
  ['TIMESTAMPTZ', 'timestamptz(0)', 'key.coarser'],
];

function capturedKeys(): [string, string, string, string][] {
  const captured = JSON.parse(
    readFileSync(new URL('../../golden/cockroach/keys.json', import.meta.url), 'utf8'),
  ) as Record<string, { insert: { key: string }; delete: { key: string } }>;
  return Object.entries(captured).flatMap(([name, { insert, delete: deleted }]) => {
    const [source, target] = CAPTURED[name] ?? [];
    assert.ok(source && target, name);
    return keyClassOf(source) === null
      ? []
      : [[source, target, insert.key.slice(1, -1), deleted.key.slice(1, -1)] as [string, string, string, string]];
  });
}

test('a key is its value: each type of key is deleted, and [1.500] by [1.5]', async (t) => {
  assert.equal(KEYS.length > 40, true);
  const tables = KEYS.map((_, i) => `k${i}:id,half`);
  const ddl = KEYS.map(([, type], i) => `CREATE TABLE k${i} (id ${type}, half int, note text, PRIMARY KEY (id, half))`);
  const fixture = await createApplyFixture(t, postgres, [TYPES_DDL, ...ddl].join(';'), tables);
  const session = await fixture.open();
  // As the receiver stages it.
  const canonical = ([source]: (typeof KEYS)[number], text: string, half: number): string => {
    const body = Buffer.from(`[${text},${half}]`);
    const reader = createKeyReader([
      { name: 'id', keyClass: keyClassOf(source) ?? 'exact' },
      { name: 'half', keyClass: 'exact' },
    ]);
    return Buffer.from(reader.canonical(body, 0, body.length)).toString();
  };
  const inserts = KEYS.flatMap((key, i) =>
    [1, 2].map((half) => upsert(1, i, canonical(key, key[2], half), `{"half": ${half}, "id": ${key[2]}, "note": "x"}`)),
  );
  await session.apply(fixture.token, windowOf(0, 1, inserts));
  const deletes = KEYS.map((key, i) => remove(2, i, canonical(key, key[3], 1)));
  await session.apply(fixture.token, windowOf(1, 2, deletes));
  for (const [i, [source, target, inserted]] of KEYS.entries()) {
    assert.deepEqual(
      await fixture.rows(`SELECT half::text FROM k${i}`),
      [['2']],
      `${source} in ${target}: ${inserted}`,
    );
  }
});

test('a key that its text cannot identify, or that the target rounds, is refused by preflight', async (t) => {
  const ddl = REFUSED_KEYS.map(([, target], i) => `CREATE TABLE k${i} (id ${target} PRIMARY KEY)`);
  const fixture = await createApplyFixture(t, postgres, ddl.join(';'), []);
  const tables = await described(
    fixture,
    REFUSED_KEYS.map((_, i) => `k${i}`),
  );
  for (const [i, [type, target, finding]] of REFUSED_KEYS.entries()) {
    const found = tables.find(({ name }) => name.table === `k${i}`);
    assert.ok(found);
    const source = sourceTable([{ name: 'id', type, nullable: false }], ['id']);
    assert.deepEqual(
      checkKeys({ source, target: found }).map(({ severity, id }) => `${severity} ${id}`),
      [`blocking ${finding}`],
      `${type} in ${target}`,
    );
  }
});

test('a key longer than the target’s column finds nothing: it is never cut to size', async (t) => {
  const types = ['varchar(3)', 'app.short', 'name', '"char"', 'numeric(3,1)', 'timestamp(0)'];
  const rows = ["'abc'", "'abc'", `repeat('n', 63)`, "'a'", '1.2', "'2024-02-29 10:04:57'"];
  const keys = ['"abcdef"', '"abcdef"', `"${'n'.repeat(64)}"`, '"ab"', '1.21', '"2024-02-29T10:04:56.6"'];
  const fixture = await createApplyFixture(
    t,
    postgres,
    [
      'CREATE SCHEMA app; CREATE DOMAIN app.short AS varchar(3)',
      ...types.map((type, i) => `CREATE TABLE t${i} (id ${type} PRIMARY KEY); INSERT INTO t${i} VALUES (${rows[i]})`),
    ].join(';'),
    types.map((_, i) => `t${i}`),
  );
  const session = await fixture.open();
  await session.apply(
    fixture.token,
    windowOf(
      0,
      1,
      keys.map((key, i) => remove(1, i, `[${key}]`)),
    ),
  );
  for (const [i, type] of types.entries()) assert.equal((await fixture.rows(`SELECT id FROM t${i}`)).length, 1, type);
});

test('a key that PostgreSQL cannot keep is a refused row with its column; its delete, which mends that, finds nothing', async (t) => {
  const fixture = await createApplyFixture(
    t,
    postgres,
    'CREATE TABLE t (a int, b text, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, $$x$$), (2, $$y$$)',
    ['t:a,b'],
  );
  const session = await fixture.open();
  const keys = [
    [String.raw`[1,"x\u0000"]`, String.raw`{"a": 1, "b": "x\u0000"}`, /column "b": .*NUL/],
    [String.raw`[1,"\ud800"]`, String.raw`{"a": 1, "b": "\ud800"}`, /column "b": .*surrogate/],
    ['[2147483648,"x"]', '{"a": 2147483648, "b": "x"}', /column "a": .*out of range/],
  ] as const;
  for (const [key, after, message] of keys) {
    const refused = session.apply(fixture.token, windowOf(0, 1, [upsert(1, 0, key, after)]));
    await assert.rejects(refused, { name: 'BadRowError', key, message });
  }
  // In one timestamp with a delete that finds its row.
  const deletes = [...keys.map(([key]) => remove(1, 0, key)), remove(1, 0, '[1,"x"]')];
  await session.apply(fixture.token, windowOf(0, 1, deletes));
  assert.deepEqual(await fixture.rows('SELECT a::text, b FROM t'), [['2', 'y']]);
  // A delete that cannot be read for another reason may be of a row that is there.
  await assert.rejects(session.apply(fixture.token, windowOf(1, 2, [remove(2, 0, '["one","y"]')])), {
    name: 'BadRowError',
  });
});
