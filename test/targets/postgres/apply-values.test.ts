import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { at, createApplyFixture, remove, upsert, windowOf } from './apply-fixture.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

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

test('schemas, tables and columns with dots, quotes, blanks, capitals, other scripts, and SQL’s own words', async (t) => {
  const fixture = await createApplyFixture(
    t,
    postgres,
    `CREATE SCHEMA "Odd.schema ""x"""; CREATE SCHEMA s2;
     CREATE TABLE "Odd.schema ""x"""."select" ("user" int PRIMARY KEY, "a.b" text, "say ""hi""" text, "größe 漢" text, "Order" text, "it's" numeric(10,2));
     CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE s2.t (id int PRIMARY KEY, v text)`,
    [],
  );
  const plan = [
    ['Odd.schema "x"', 'select', 'user'],
    ['public', 't', 'id'],
    ['s2', 't', 'id'],
  ].map(([schema = '', table = '', key = ''], i) => ({
    topic: String(i),
    source: { schema, table },
    sourceId: String(i),
    target: { schema, table },
    keyColumns: [{ name: key, keyClass: 'exact' as const }],
  }));
  const session = await fixture.open({ plan });
  const odd = String.raw`{"Order": "o", "a.b": "d", "größe 漢": "g", "it's": 1.50, "say \"hi\"": "s", "user": 1}`;
  await session.apply(
    fixture.token,
    windowOf(0, 1, [
      upsert(1, 0, '[1]', odd),
      upsert(1, 1, '[1]', '{"id": 1, "v": "of public"}'),
      upsert(1, 2, '[1]', '{"id": 1, "v": "of s2"}'),
      upsert(1, 2, '[2]', '{"id": 2, "v": "of s2"}'),
    ]),
  );
  assert.deepEqual(await fixture.rows('SELECT * FROM "Odd.schema ""x"""."select"'), [
    ['1', 'd', 's', 'g', 'o', '1.50'],
  ]);
  await session.apply(fixture.token, windowOf(1, 2, [remove(2, 2, '[1]'), remove(2, 0, '[1]')]));
  assert.deepEqual(await fixture.rows('SELECT v FROM t UNION ALL SELECT v FROM s2.t'), [['of public'], ['of s2']]);
  await assert.rejects(
    session.apply(fixture.token, windowOf(2, 3, [upsert(3, 0, '[1]', odd.replace('1.50', '1.501'))])),
    {
      name: 'BadRowError',
      table: '"Odd.schema ""x""".select',
      column: "it's",
    },
  );
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
