import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { planComparison } from '../../../src/targets/postgres/comparison-plan.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { createApplyFixture, remove, upsert, windowOf } from './apply-fixture.js';
import { problems, remedyOf, sourceTable, startPreflightBench, type PreflightBench } from './preflight-fixture.js';

let postgres: Postgres;
let bench: PreflightBench;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
  bench = await startPreflightBench();
});
after(async () => {
  await postgres.stop();
  await bench.stop();
});

const INTO = { extraColumns: { into: 'extra' } } as const;

test('ignore: columns that the target lacks are left out, and the others are written', async (t) => {
  const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY, a text)', ['t']);
  const session = await fixture.open({ extraColumns: 'ignore' });
  const rows = [upsert(1, 0, '[1]', '{"a": "x", "b": 1.50, "id": 1}'), upsert(1, 0, '[2]', '{"a": "y", "id": 2}')];
  await session.apply(fixture.token, windowOf(0, 1, rows));
  await session.apply(fixture.token, windowOf(1, 2, [upsert(2, 0, '[1]', '{"a": "z", "b": 2, "c": [], "id": 1}')]));
  assert.deepEqual(await fixture.rows('SELECT id::text, a FROM t ORDER BY id'), [
    ['1', 'z'],
    ['2', 'y'],
  ]);
  await session.apply(fixture.token, windowOf(2, 3, [remove(3, 0, '[1]')]));
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t'), [['2']]);
});

test('ignore: a key column is never left out', async (t) => {
  const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY)', ['t:id,b']);
  const session = await fixture.open({ extraColumns: 'ignore' });
  await assert.rejects(session.apply(fixture.token, windowOf(0, 1, [upsert(1, 0, '[1,2]', '{"b": 2, "id": 1}')])), {
    name: 'SchemaMismatchError',
    column: 'b',
  });
});

test('into: what the target lacks is one object, bit-exact, and shrinks with what it gets', async (t) => {
  const fixture = await createApplyFixture(
    t,
    postgres,
    'CREATE TABLE t (id int PRIMARY KEY, a text, extra jsonb NOT NULL); CREATE TABLE whole (id int PRIMARY KEY)',
    ['t', 'whole'],
  );
  const session = await fixture.open(INTO);
  const row = String.raw`{"B\"'": 12345678901234567890.1234567890, "a": "x", "c": null, "d": {"e": ["ü", 1E+2]}, "id": 1}`;
  const rows = [upsert(1, 0, '[1]', row), upsert(1, 0, '[2]', '{"a": "y", "id": 2}'), upsert(1, 1, '[1]', '{"id": 1}')];
  await session.apply(fixture.token, windowOf(0, 1, rows));
  assert.deepEqual(await fixture.rows('SELECT id::text, a, extra::text FROM t ORDER BY id'), [
    ['1', 'x', String.raw`{"c": null, "d": {"e": ["ü", 100]}, "B\"'": 12345678901234567890.1234567890}`],
    ['2', 'y', '{}'],
  ]);
  assert.deepEqual(await fixture.rows('SELECT * FROM whole'), [['1']]);

  await fixture.admin.query('ALTER TABLE t ADD COLUMN c text');
  const again = await fixture.open(INTO);
  await again.apply(fixture.token, windowOf(1, 2, [upsert(2, 0, '[1]', '{"a": "x", "c": "now", "id": 1}')]));
  assert.deepEqual(await fixture.rows('SELECT c, extra::text FROM t WHERE id = 1'), [['now', '{}']]);
});

test('into: more columns than one call of a function takes, and unique values swapped', async (t) => {
  const fixture = await createApplyFixture(
    t,
    postgres,
    'CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, extra jsonb)',
    ['t'],
  );
  const session = await fixture.open(INTO);
  const names = Array.from({ length: 120 }, (_, i) => `n${i}`);
  const row = (n: number, id: number, u: number) =>
    upsert(n, 0, `[${id}]`, `{"id": ${id}, ${names.map((name, i) => `"${name}": ${i * id}`).join(', ')}, "u": ${u}}`);
  await session.apply(fixture.token, windowOf(0, 1, [row(1, 1, 10), row(1, 2, 20)]));
  await session.apply(fixture.token, windowOf(1, 2, [row(2, 1, 20), row(2, 2, 10)]));
  assert.deepEqual(
    await fixture.rows(
      `SELECT id::text, u::text, (SELECT count(*)::text FROM jsonb_object_keys(extra)), extra ->> 'n119' FROM t ORDER BY id`,
    ),
    [
      ['1', '20', '120', '119'],
      ['2', '10', '120', '238'],
    ],
  );
});

test('into: a value that PostgreSQL cannot keep names the source’s column', async (t) => {
  const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY, extra jsonb)', ['t']);
  const session = await fixture.open(INTO);
  const row = upsert(1, 0, '[1]', String.raw`{"id": 1, "note": "\u0000"}`);
  await assert.rejects(session.apply(fixture.token, windowOf(0, 1, [row])), { name: 'BadRowError', column: 'note' });
});

test('into: without the column, or with one of the source’s own, the stream halts with what mends it, and goes on', async (t) => {
  const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY)', ['t']);
  const session = await fixture.open(INTO);
  const window = windowOf(0, 1, [upsert(1, 0, '[1]', '{"id": 1, "n": 7}')]);
  await assert.rejects(session.apply(fixture.token, window), {
    name: 'SchemaMismatchError',
    remedy: 'ALTER TABLE "public"."t" ADD COLUMN "extra" jsonb;',
  });
  await fixture.admin.query('ALTER TABLE "public"."t" ADD COLUMN "extra" jsonb;');
  const own = windowOf(0, 1, [upsert(1, 0, '[1]', '{"extra": {"mine": 1}, "id": 1, "n": 7}')]);
  await assert.rejects((await fixture.open(INTO)).apply(fixture.token, own), {
    name: 'SchemaMismatchError',
    message: /sends a column "extra" of its own/,
  });
  await (await fixture.open(INTO)).apply(fixture.token, window);
  assert.deepEqual(await fixture.rows('SELECT extra::text FROM t'), [['{"n": 7}']]);
});

test('preflight: what lacks is a note where it is asked for, and the column that takes it must be jsonb', async () => {
  await bench.fresh();
  await bench.admin(
    `CREATE TABLE t (id bigint PRIMARY KEY, a text); GRANT SELECT, INSERT, UPDATE, DELETE ON t TO replicator`,
  );
  const source = sourceTable('t', { id: 'INT8', a: 'STRING', b: 'DECIMAL', shape: 'GEOMETRY' });
  const look = (extraColumns: 'error' | 'ignore' | { into: string }) =>
    bench.preflight([source], 'replicator', { extraColumns });
  assert.deepEqual(problems(await look('error')), [
    'blocking column.missing public.t.b',
    'blocking column.missing public.t.shape',
  ]);
  const ignored = await look('ignore');
  assert.deepEqual(problems(ignored), []);
  assert.deepEqual(
    ignored.findings.filter(({ id }) => id === 'column.extra').map(({ object }) => object),
    ['public.t.b', 'public.t.shape'],
  );

  const without = await look({ into: 'extra' });
  assert.deepEqual(problems(without), ['blocking column.collecting public.t.extra']);
  const mend = remedyOf(without, 'column.collecting');
  assert.equal(mend, 'ALTER TABLE "public"."t" ADD COLUMN "extra" jsonb');
  await bench.admin(`${mend} NOT NULL`);
  assert.deepEqual(problems(await look({ into: 'extra' })), []);
  // It takes what lacks; elsewhere it is a column that nobody fills.
  assert.deepEqual(problems(await look('ignore')), ['blocking column.not-sent public.t.extra']);

  await bench.admin('ALTER TABLE t ALTER COLUMN extra TYPE text');
  assert.deepEqual(problems(await look({ into: 'extra' })), ['blocking column.collecting public.t.extra']);
  assert.deepEqual(problems(await look({ into: 'a' })), [
    'blocking column.collecting public.t.a',
    'blocking column.not-sent public.t.extra',
  ]);
  await bench.admin('ALTER TABLE t ALTER COLUMN extra DROP NOT NULL');
  const whole = sourceTable('t', { id: 'INT8', a: 'STRING', extra: 'STRING' });
  assert.deepEqual(problems(await bench.preflight([whole], 'replicator', INTO)), []);

  // A key column is never left out.
  const keyed = sourceTable(
    't',
    { id: 'INT8', k: 'INT8', a: 'STRING' },
    { primaryKey: ['id', 'k'], notNull: ['id', 'k'] },
  );
  assert.ok(
    problems(await bench.preflight([keyed], 'replicator', INTO)).includes('blocking column.missing public.t.k'),
  );
});

test('the comparison leaves out what the target lacks, and says so', async () => {
  await bench.fresh();
  await bench.admin('CREATE TABLE t (id bigint PRIMARY KEY, a text, extra jsonb)');
  const source = sourceTable('t', { id: 'INT8', a: 'STRING', b: 'DECIMAL' });
  const { tables } = await bench.preflight([source], 'app', INTO);
  const target = tables.get('public.t');
  assert.ok(target);
  const planned = planComparison({ source, target });
  assert.deepEqual(
    planned?.columns.map((column) => column.source),
    ['id', 'a'],
  );
  assert.deepEqual(planned?.notCompared, ['b']);
});
