import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { at, createApplyFixture, remove, upsert, windowOf } from './apply-fixture.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

/** Type of the column on the target, the changefeed's JSON text, and the same value as a literal of PostgreSQL's. */
const VALUES: readonly (readonly [type: string, json: string, literal: string])[] = [
  ['int8', '-9223372036854775808', `'-9223372036854775808'`],
  ['int8', '9223372036854775807', `'9223372036854775807'`],
  ['int4', '-2147483648', `'-2147483648'`],
  ['int2', '-32768', `'-32768'`],
  ['numeric', '1.500', `'1.500'`],
  ['numeric', '1E+30', `'1000000000000000000000000000000'`],
  ['numeric', '-1E-28', `'-0.0000000000000000000000000001'`],
  ['numeric', '"NaN"', `'NaN'`],
  ['numeric', '"Infinity"', `'Infinity'`],
  ['numeric', '"-Infinity"', `'-Infinity'`],
  ['numeric(20,5)', '123456789012345.12345', `'123456789012345.12345'`],
  ['float8', '1E+300', `'1e300'`],
  ['float8', '-1E-300', `'-1e-300'`],
  ['float8', '"NaN"', `'NaN'`],
  ['float8', '"-Infinity"', `'-Infinity'`],
  ['float8', '-0', `'-0'`],
  ['float8', '0.1', `'0.1'`],
  ['float8', '1.2345678901234568E+17', `'123456789012345680'`],
  ['float4', '1.1', `'1.1'`],
  ['float4', '3.4E+38', `'3.4e38'`],
  ['bool', 'true', `true`],
  ['text', '"ünï 漢字 🚀"', `'ünï 漢字 🚀'`],
  ['text', String.raw`"tab\tnl\ncr\rbs\\q\"sq'ctl\u0001"`, String.raw`E'tab\tnl\ncr\rbs\\q"sq\'ctl\x01'`],
  ['text', String.raw`"\u003ca href=\"x\"\u003e\u0026\u003c/a\u003e \u2028"`, `'<a href="x">&</a> ' || chr(8232)`],
  ['varchar(5)', '" pad "', `' pad '`],
  ['varchar(5)', '""', `''`],
  ['char(5)', '"ab"', `'ab'`],
  ['"char"', '"z"', `'z'`],
  ['name', '"nm"', `'nm'`],
  ['bytea', String.raw`"\\x0001ff"`, String.raw`'\x0001ff'`],
  ['bytea', String.raw`"\\x"`, `''`],
  ['timestamp', '"2024-02-29T12:34:56.123456"', `'2024-02-29 12:34:56.123456'`],
  ['timestamp', '"0001-01-01T00:00:00"', `'0001-01-01 00:00:00'`],
  ['timestamp', '"9999-12-31T23:59:59.999999"', `'9999-12-31 23:59:59.999999'`],
  ['timestamp', '"20240-02-29T12:00:00"', `'20240-02-29 12:00:00'`],
  ['timestamp', '"294276-12-31T23:59:59.999999"', `'infinity'`],
  ['timestamp', '"-4713-11-24T00:00:00"', `'-infinity'`],
  ['timestamp', '"-0043-03-15T10:11:12.5"', `'0044-03-15 10:11:12.5 BC'`],
  ['timestamp', '"0000-01-02T00:00:00"', `'0001-01-02 00:00:00 BC'`],
  ['timestamp(0)', '"2024-02-29T12:34:57"', `'2024-02-29 12:34:57'`],
  ['timestamptz', '"2024-02-29T10:04:56.123456Z"', `'2024-02-29 12:34:56.123456+02:30'`],
  ['timestamptz', '"2024-02-29T10:04:56+00"', `'2024-02-29 10:04:56+00'`],
  ['timestamptz', '"294276-12-31T23:59:59.999999Z"', `'infinity'`],
  ['timestamptz', '"-4713-11-24T00:00:00Z"', `'-infinity'`],
  ['timestamptz', '"-1191-05-06T07:08:09Z"', `'1192-05-06 07:08:09+00 BC'`],
  ['date', '"2024-02-29"', `'2024-02-29'`],
  ['date', '"infinity"', `'infinity'`],
  ['date', '"0044-03-15 BC"', `'0044-03-15 BC'`],
  ['date', '"5874000-01-01"', `'5874000-01-01'`],
  ['time', '"12:34:56.123456"', `'12:34:56.123456'`],
  ['time', '"24:00:00"', `'24:00:00'`],
  ['timetz', '"12:34:56.123456+02:30:00"', `'12:34:56.123456+02:30'`],
  ['timetz', '"24:00:00-15:59:00"', `'24:00:00-15:59'`],
  ['interval', '"1 year 2 mons 3 days 04:05:06.789"', `'P1Y2M3DT4H5M6.789S'`],
  ['interval', '"-1 mons +2 days -03:00:00"', `'P-1M2DT-3H'`],
  ['uuid', '"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"', `'5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10'`],
  [
    'jsonb',
    '{"a": 1E+2, "b": [1, 2.50, null, true, {"a": "x"}]}',
    `'{"a": 100, "b": [1, 2.50, null, true, {"a": "x"}]}'`,
  ],
  ['jsonb', '"str"', `'"str"'`],
  ['jsonb', '12345678901234567890.1234567890', `'12345678901234567890.1234567890'`],
  ['jsonb', '[]', `'[]'`],
  ['jsonb NOT NULL', 'null', `'null'`],
  ['jsonb', 'null', 'NULL'],
  ['json', '{"k": "v", "k2":  1.50}', `'{"k": "v", "k2":  1.50}'`],
  ['inet', '"192.168.0.1"', `'192.168.0.1'`],
  ['inet', '"10.0.0.0/8"', `'10.0.0.0/8'`],
  ['inet', '"2001:db8::1/64"', `'2001:db8::1/64'`],
  ['int8[]', '[1, null, -3]', `ARRAY[1,NULL,-3]`],
  ['int8[]', '[]', `'{}'`],
  ['int8[]', '[9223372036854775807]', `ARRAY[9223372036854775807]`],
  ['text[]', String.raw`["a", "b\"c", null, "", "{x,y}"]`, `ARRAY['a','b"c',NULL,'','{x,y}']`],
  ['numeric[]', '[1.50, "NaN"]', `ARRAY[1.50,'NaN'::numeric]`],
  ['bytea[]', String.raw`["\\x00ff", null]`, String.raw`ARRAY['\x00ff'::bytea,NULL]`],
  ['timestamptz[]', '["2024-02-29T12:34:56Z", null]', `ARRAY['2024-02-29 12:34:56+00'::timestamptz,NULL]`],
  ['timestamptz[]', '["294276-12-31T23:59:59.999999Z"]', `ARRAY['infinity'::timestamptz]`],
  ['timestamp[]', '[]', `'{}'`],
  ['timestamp[]', 'null', 'NULL'],
  ['uuid[]', '["5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"]', `'{5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10}'`],
  ['app.mood', String.raw`"sad \"x\""`, `'sad "x"'`],
  ['app.mood[]', String.raw`["happy", "sad \"x\"", null]`, `ARRAY['happy','sad "x"',NULL]::app.mood[]`],
  ['app.positive', '7', `'7'`],
  ['bit(8)', '"10101010"', `B'10101010'`],
  ['varbit', '"101"', `B'101'`],
  ['varbit', '""', `B''`],
  ['oid', '"4294967295"', `'4294967295'`],
];

const TYPES_DDL = `CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('happy', 'sad "x"'); CREATE DOMAIN app.positive AS int CHECK (VALUE > 0)`;

test('every type arrives bit-exact, by PostgreSQL’s own readers', async (t) => {
  const columns = VALUES.map(([type], i) => `v${i} ${type}`).join(', ');
  const fixture = await createApplyFixture(
    t,
    postgres,
    `${TYPES_DDL}; CREATE TABLE probe (id int8 PRIMARY KEY, ${columns})`,
    ['probe'],
  );
  const session = await fixture.open();
  const document = `{"id": 1, ${VALUES.map(([, json], i) => `"v${i}": ${json}`).join(', ')}}`;
  await session.apply(fixture.token, windowOf(0, 1, [upsert(1, 0, '[1]', document)]));

  const [found = []] = await fixture.rows(`SELECT ${VALUES.map((_, i) => `v${i}::text`).join()} FROM probe`);
  const [expected = []] = await fixture.rows(
    `SELECT ${VALUES.map(([type, , literal]) => `((${literal})::${type.replace(' NOT NULL', '')})::text`).join()}`,
  );
  VALUES.forEach(([type, json], i) => assert.equal(found[i], expected[i], `${type} of ${json}`));
});

/** Types of a key, the key's text in the insert, and in the delete. */
const KEYS: readonly (readonly [type: string, inserted: string, deleted: string])[] = [
  ['int8', '-9223372036854775808', '-9223372036854775808'],
  ['numeric', '1.500', '1.5'],
  ['numeric(10,5)', '1.50000', '1.5'],
  ['numeric', '"NaN"', '"NaN"'],
  ['numeric', '1E+2', '100'],
  ['float8', '"NaN"', '"NaN"'],
  ['float8', '1.5', '1.5'],
  ['float8', '-0', '0'],
  ['float4', '1.1', '1.1'],
  ['bool', 'true', 'true'],
  ['text', '"ünï 漢字 🚀"', '"ünï 漢字 🚀"'],
  ['char(5)', '"abc"', '"abc"'],
  ['varchar(5)', '"abc"', '"abc"'],
  ['"char"', '"a"', '"a"'],
  ['bytea', String.raw`"\\x0001ff"`, String.raw`"\\x0001ff"`],
  ['timestamp', '"294276-12-31T23:59:59.999999"', '"294276-12-31T23:59:59.999999"'],
  ['timestamptz', '"2024-02-29T10:04:56.123456Z"', '"2024-02-29T10:04:56.123456Z"'],
  ['timestamp', '"-0043-03-15T10:11:12"', '"-0043-03-15T10:11:12"'],
  ['date', '"2024-02-29"', '"2024-02-29"'],
  ['timetz', '"12:34:56.123456+02:30:00"', '"12:34:56.123456+02:30:00"'],
  ['interval', '"1 year 2 mons 3 days 04:05:06.789"', '"1 year 2 mons 3 days 04:05:06.789"'],
  ['uuid', '"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"', '"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"'],
  ['inet', '"192.168.0.1"', '"192.168.0.1"'],
  ['app.mood', '"happy"', '"happy"'],
  ['bit(8)', '"10101010"', '"10101010"'],
  ['varbit', '"101"', '"101"'],
  ['oid', '"4294967295"', '"4294967295"'],
];

test('a key is its value: each type of key is deleted, and [1.500] by [1.5]', async (t) => {
  const tables = KEYS.map((_, i) => `k${i}:id,half`);
  const ddl = KEYS.map(([type], i) => `CREATE TABLE k${i} (id ${type}, half int, note text, PRIMARY KEY (id, half))`);
  const fixture = await createApplyFixture(t, postgres, [TYPES_DDL, ...ddl].join(';'), tables);
  const session = await fixture.open();
  const inserts = KEYS.flatMap(([, inserted], i) =>
    [1, 2].map((half) => upsert(1, i, `[${inserted}, ${half}]`, `{"half": ${half}, "id": ${inserted}, "note": "x"}`)),
  );
  await session.apply(fixture.token, windowOf(0, 1, inserts));
  const deletes = KEYS.map(([, , deleted], i) => remove(2, i, `[${deleted}, 1]`));
  await session.apply(fixture.token, windowOf(1, 2, deletes));
  for (const [i, [type, inserted]] of KEYS.entries()) {
    assert.deepEqual(await fixture.rows(`SELECT half::text FROM k${i}`), [['2']], `${type} key ${inserted}`);
  }
});

test('a key longer than the target’s column finds nothing: it is never cut to size', async (t) => {
  const fixture = await createApplyFixture(t, postgres, `CREATE TABLE t (id varchar(3) PRIMARY KEY)`, ['t']);
  await fixture.admin.query(`INSERT INTO t VALUES ('abc')`);
  const session = await fixture.open();
  await session.apply(fixture.token, windowOf(0, 1, [remove(1, 0, '["abcdef"]')]));
  assert.deepEqual(await fixture.rows('SELECT id FROM t'), [['abc']]);
});

test('rows of several column sets in one window: an absent column keeps its value and its default (protocol rule 19)', async (t) => {
  const fixture = await createApplyFixture(
    t,
    postgres,
    `CREATE TABLE t (id int PRIMARY KEY, a text, b text DEFAULT 'by default', only_here text DEFAULT 'kept')`,
    ['t'],
  );
  await fixture.admin.query(`INSERT INTO t VALUES (1, 'a1', 'b1', 'mine')`);
  const session = await fixture.open();
  const figures = await session.apply(
    fixture.token,
    windowOf(0, 3, [
      upsert(1, 0, '[1]', '{"a": "a2", "id": 1}'),
      upsert(2, 0, '[2]', '{"a": "x", "b": null, "id": 2}'),
      upsert(3, 0, '[3]', '{"a": "y", "id": 3}'),
    ]),
  );
  assert.deepEqual(figures, { upserts: 3, deletes: 0, inSourceOrder: false });
  assert.deepEqual(await fixture.rows('SELECT id::text, a, b, only_here FROM t ORDER BY id'), [
    ['1', 'a2', 'b1', 'mine'],
    ['2', 'x', null, 'kept'],
    ['3', 'y', 'by default', 'kept'],
  ]);
});

test('generated columns are left out, identity columns are given, key-only tables do nothing the second time', async (t) => {
  const fixture = await createApplyFixture(
    t,
    postgres,
    `CREATE TABLE g (id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED);
     CREATE TABLE only_key (a int, b text, PRIMARY KEY (a, b))`,
    ['g', 'only_key:b,a'],
  );
  const session = await fixture.open();
  const rows = [
    upsert(1, 0, '[41]', '{"id": 41, "n": 21, "twice": 999}'),
    upsert(1, 1, '["x", 5]', '{"a": 5, "b": "x"}'),
  ];
  await session.apply(fixture.token, windowOf(0, 1, rows));
  await session.apply(fixture.token, windowOf(1, 2, rows));
  assert.deepEqual(await fixture.rows('SELECT id::text, n::text, twice::text FROM g'), [['41', '21', '42']]);
  await session.apply(fixture.token, windowOf(2, 3, [remove(3, 1, '["x",5]')]));
  assert.deepEqual(await fixture.rows('SELECT * FROM only_key'), []);
});

test('names that need quotes, and that differ in case alone', async (t) => {
  const fixture = await createApplyFixture(
    t,
    postgres,
    `CREATE TABLE "Odd ""name" ("the key" int PRIMARY KEY, "Mixed" text, lower text)`,
    ['Odd "name:the key'],
  );
  const session = await fixture.open();
  await session.apply(
    fixture.token,
    windowOf(0, 1, [upsert(1, 0, '[1]', '{"LOWER": "l", "Mixed": "m", "the key": 1}')]),
  );
  assert.deepEqual(await fixture.rows(`SELECT "Mixed", lower FROM "Odd ""name"`), [['m', 'l']]);
  await session.apply(fixture.token, windowOf(1, 2, [remove(2, 0, '[1]')]));
  assert.deepEqual(await fixture.rows(`SELECT 1 FROM "Odd ""name"`), []);
});

test('the last change of a key in a window counts, in statements of any size', async (t) => {
  const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY, v int)', ['t']);
  for (const [i, flushSize] of [1, 7, 1000].entries()) {
    const session = await fixture.open({ flushSize });
    const changes = Array.from({ length: 90 }, (_, n) =>
      n % 11 === 3
        ? remove(i * 90 + n + 1, 0, `[${n % 9}]`)
        : upsert(i * 90 + n + 1, 0, `[${n % 9}]`, `{"id": ${n % 9}, "v": ${n}}`),
    );
    await session.apply(fixture.token, windowOf(i * 90, (i + 1) * 90, changes));
    const last = new Map(changes.map((change, n) => [n % 9, change.after === null ? null : String(n)]));
    const expected = [...last].filter(([, v]) => v !== null).sort(([a], [b]) => a - b);
    assert.deepEqual(
      await fixture.rows('SELECT id::text, v::text FROM t ORDER BY id'),
      expected.map(([id, v]) => [String(id), v]),
    );
  }
  assert.equal(await fixture.applied(), '1759246920563173270.0000000000');
  assert.equal(at(270) > at(0), true);
});
