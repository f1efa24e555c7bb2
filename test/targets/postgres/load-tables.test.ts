import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { seededRandom } from '../../../demo/simulator/feeds/faults.js';
import { createApplyTables } from '../../../src/targets/postgres/apply-tables.js';
import type { UpsertBatch } from '../../../src/targets/session/batch.js';
import { batchDocument } from '../../../src/targets/postgres/batch-document.js';
import { connectPostgres } from '../../../src/targets/postgres/client.js';
import { createLoadTables } from '../../../src/targets/postgres/load-tables.js';
import { jsonRows, recordColumns, recordSql } from '../../../src/targets/postgres/sql.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';
import { createApplyFixture, planOf, remove, upsert, windowOf, type ApplyFixture } from './apply-fixture.js';

const SEED = Number(process.env.FAILBACK_SEED ?? 1);
const BATCHES = 300;

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

/** Columns of each kind of reader; `gone` is one that the target lacks. */
const COLUMNS = `id int PRIMARY KEY, t text, v varchar(400), c char(3), n numeric, i int8, f float8, b bool, ts timestamp, tz timestamptz(3),
  ats timestamp[], j json, jb jsonb NOT NULL, ba bytea, u uuid, g int GENERATED ALWAYS AS (id * 2) STORED, rest jsonb`;
const EXTRA = { into: 'rest' };

test(`random rows: COPY hands out what json_to_recordset hands out (FAILBACK_SEED=${SEED})`, async (t) => {
  const fixture = await createApplyFixture(t, postgres, `CREATE TABLE t (${COLUMNS})`, ['t']);
  const client = await connectTo(t, fixture);
  const tables = createApplyTables(client, planOf(['t']), EXTRA);
  const loads = createLoadTables(client, tables, 1);
  const random = seededRandom(SEED);
  const handedOut = async (sql: string, parameters: Buffer[]): Promise<unknown> => {
    const { rows } = await client.query<unknown[]>({ text: sql, values: parameters, rowMode: 'array' });
    // A table hands rows out in no order that is promised.
    return rows.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  };
  let loaded = 0;
  for (let n = 0; n < BATCHES; n++) {
    const rows = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, i) =>
      upsert(1, 0, `[${i}]`, randomRow(random, i)),
    );
    const batch: UpsertBatch = { kind: 'upsert', table: 0, columns: rows[0]?.columns ?? [], rows };
    await loads.prepare(rows);
    await client.query('BEGIN');
    const source = await loads.fill(batch);
    const table = await tables.at(0, batch.columns);
    if (source !== null) {
      loaded++;
      const names = recordColumns(table, batch.columns).map(({ name }) => `record.${name}::text`);
      const copied = recordSql(table, batch.columns, source.rows);
      const parsed = recordSql(table, batch.columns, jsonRows('$1::json'));
      assert.deepEqual(
        await handedOut(`SELECT ${names.join()} FROM ${copied.from}`, []),
        await handedOut(`SELECT ${names.join()} FROM ${parsed.from}`, [batchDocument(batch)]),
        rows.map((row) => Buffer.from(row.after ?? '').toString()).join('\n'),
      );
    }
    await client.query('COMMIT');
  }
  t.diagnostic(`${loaded} of ${BATCHES} batches by COPY`);
  assert.ok(loaded > BATCHES / 2 && loaded < BATCHES, `${loaded} of ${BATCHES} batches went by COPY`);
});

test('a set goes by COPY whatever it is made of, in a transaction without DDL; a set refused by COPY is told of as by JSON', async (t) => {
  const fixture = await createApplyFixture(t, postgres, `${TABLE}; ${DDL_LOG}`, ['t']);
  const session = await fixture.open({ copyFrom: 500 });
  await session.apply(fixture.token, windowOf(0, 1, rowsFrom(1, 0, 2_000)));
  assert.deepEqual(await fixture.rows('SELECT count(*)::text, min(n)::text, max(n)::text FROM t'), [
    ['2000', '0', '1999'],
  ]);
  assert.deepEqual(await fixture.rows('SELECT count(*)::text FROM ddl'), [['1']], 'it has gone by COPY');
  assert.deepEqual(await fixture.rows('SELECT xid FROM ddl WHERE xid IN (SELECT xmin::text FROM t)'), []);
  // With a row that PostgreSQL refuses and one that COPY is not for.
  const refused = [
    ['{"id": 5000, "n": 2147483648}', /column "n": .*out of range/],
    [String.raw`{"id": 5000, "n": "\u0000"}`, /column "n": .*NUL/],
  ] as const;
  for (const [after, message] of refused) {
    const rows = [...rowsFrom(2, 2_000, 1_500), upsert(3, 0, '[5000]', after), ...rowsFrom(4, 6_000, 700)];
    await assert.rejects(session.apply(fixture.token, windowOf(1, 4, rows)), {
      name: 'BadRowError',
      key: '[5000]',
      message,
    });
  }
  await session.apply(fixture.token, windowOf(1, 2, rowsFrom(2, 1_000, 2_000)));
  assert.deepEqual(await fixture.rows('SELECT count(*)::text, sum(n)::text FROM t'), [['3000', '4498500']]);
  assert.deepEqual(
    await fixture.rows('SELECT count(*)::text FROM ddl'),
    [['1']],
    'the temporary table is the session’s',
  );
});

test('several spans of one transaction: what one has loaded is not written again by the next', async (t) => {
  const fixture = await createApplyFixture(t, postgres, TABLE, ['t']);
  const session = await fixture.open({ collapseMutations: false, copyFrom: 500 });
  const rows = [...rowsFrom(1, 0, 800), remove(2, 0, '[5]'), ...rowsFrom(3, 10_000, 800)];
  const figures = await session.apply(fixture.token, windowOf(0, 3, rows));
  assert.deepEqual(figures, { upserts: 1_600, deletes: 1, inSourceOrder: false });
  assert.deepEqual(await fixture.rows('SELECT count(*)::text, count(*) FILTER (WHERE id = 5)::text FROM t'), [
    ['1599', '0'],
  ]);
});

test('what a transaction has loaded is not written by a later one, whether it was rolled back or not, and does not pile up', async (t) => {
  const fixture = await createApplyFixture(t, postgres, TABLE, ['t']);
  const client = await connectTo(t, fixture);
  const loads = createLoadTables(client, createApplyTables(client, planOf(['t']), 'error'), 1);
  const most: number[] = [];
  for (let n = 1; n <= 30; n++) {
    const rows = rowsFrom(n, n * 1_000, 1_000);
    await loads.prepare(rows);
    await client.query('BEGIN; SAVEPOINT part');
    const source = await loads.fill({ kind: 'upsert', table: 0, columns: rows[0]?.columns ?? [], rows });
    const { rows: taken } = await client.query(
      `SELECT count(*)::int, min(id), max(id) FROM ${source?.rows('id int, n int')}`,
    );
    assert.deepEqual(taken, [{ count: 1_000, min: n * 1_000, max: n * 1_000 + 999 }]);
    await client.query(['COMMIT', 'ROLLBACK', 'ROLLBACK TO SAVEPOINT part; COMMIT'][n % 3] ?? '');
    const { rows: held } = await client.query<{ bytes: number }>(
      `SELECT pg_relation_size('pg_temp.failback_load_1')::int AS bytes`,
    );
    most.push(held[0]?.bytes ?? 0);
  }
  assert.ok(Math.max(...most) < 15 * (most[0] ?? 0), `the table has grown to ${most.join()}`);
});

test('a role that may not make temporary tables writes from JSON', async (t) => {
  const fixture = await createApplyFixture(t, postgres, `${TABLE}; ${DDL_LOG}`, ['t']);
  await fixture.admin.query(`
    REVOKE TEMPORARY ON DATABASE ${fixture.database} FROM PUBLIC;
    CREATE ROLE ${fixture.database} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA _failback TO ${fixture.database};
    GRANT SELECT, INSERT, UPDATE, DELETE ON t, ddl, _failback.checkpoint TO ${fixture.database}`);
  const url = new URL(postgres.url(fixture.database));
  url.username = fixture.database;
  url.password = 'x';
  const session = await fixture.open({ connectionString: url.href, copyFrom: 500 });
  await session.apply(fixture.token, windowOf(0, 1, rowsFrom(1, 0, 1_000)));
  await session.apply(fixture.token, windowOf(1, 2, rowsFrom(2, 500, 1_000)));
  assert.deepEqual(await fixture.rows('SELECT count(*)::text, (SELECT count(*)::text FROM ddl) FROM t'), [
    ['1500', '0'],
  ]);
});

test('a table that is altered while the session lives gets another temporary table', async (t) => {
  const fixture = await createApplyFixture(t, postgres, `${TABLE}; ${DDL_LOG}`, ['t']);
  const session = await fixture.open({ extraColumns: 'ignore', copyFrom: 500 });
  const wide = (n: number, from: number) =>
    rowsFrom(n, from, 600).map(({ key }, i) =>
      upsert(n, 0, Buffer.from(key).toString(), `{"id": ${from + i}, "n": ${i}, "v": "v${i}"}`),
    );
  await session.apply(fixture.token, windowOf(0, 1, wide(1, 0)));
  await fixture.admin.query('ALTER TABLE t ADD COLUMN v text, ADD COLUMN w text');
  // For another new column the table is read again, after the rows before it in the window were written without `v`, from JSON or not.
  const other = upsert(2, 0, '[1]', '{"id": 1, "n": 1, "w": "w"}');
  await session.apply(fixture.token, windowOf(1, 3, [other, ...wide(3, 1_000)]));
  await session.apply(fixture.token, windowOf(3, 4, wide(4, 2_000)));
  await session.apply(fixture.token, windowOf(4, 5, wide(5, 3_000)));
  assert.deepEqual(await fixture.rows(`SELECT count(v)::text, min(v), max(w) FROM t`), [['1200', 'v0', 'w']]);
  const { rows } = await fixture.admin.query<{ count: string }>(
    `SELECT count(*) FROM pg_class WHERE relname LIKE 'failback_load_%' AND relpersistence = 't'`,
  );
  assert.equal(rows[0]?.count, '2');
  await session.close();
  await until('the temporary tables are gone', async () => {
    const left = await fixture.rows(`SELECT 1 FROM pg_class WHERE relname LIKE 'failback_load_%'`);
    return left.length === 0;
  });
});

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, n int)';

/** Writes down in which transaction each CREATE TABLE is run, of temporary tables too. */
const DDL_LOG = `CREATE TABLE ddl (xid text);
  CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ddl VALUES (pg_current_xact_id()::xid::text); END $$;
  CREATE EVENT TRIGGER log_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION log_ddl()`;

/** `count` rows of the n-th timestamp, with the keys from `from` on. */
function rowsFrom(n: number, from: number, count: number) {
  return Array.from({ length: count }, (_, i) =>
    upsert(n, 0, `[${from + i}]`, `{"id": ${from + i}, "n": ${from + i}}`),
  );
}

async function connectTo(t: { after(fn: () => Promise<void>): void }, fixture: ApplyFixture): Promise<pg.Client> {
  const client = await connectPostgres({
    connectionString: postgres.url(fixture.database),
    applicationName: 'failback test',
  });
  t.after(() => client.end());
  return client;
}

type Random = () => number;

function pick<T>(random: Random, list: readonly [T, ...T[]]): T {
  return list[Math.floor(random() * list.length)] ?? list[0];
}

/** Pieces of a JSON string; the last are seldom, and refused. */
const PIECES: readonly [string, ...string[]] = [
  'a',
  ...[' ', 'N', '.', "'", ',', '{', '}', '[', ':', 'ü', '漢', '🚀', '\u007f', '\u2028'],
  ...[String.raw`\\`, String.raw`\"`, String.raw`\/`, String.raw`\b`, String.raw`\f`, String.raw`\n`, String.raw`\r`],
  ...[
    String.raw`\t`,
    String.raw`\u0001`,
    String.raw`\u000A`,
    String.raw`\u005c`,
    String.raw`\u00e9`,
    String.raw`\uFFFD`,
  ],
  ...[String.raw`\ud83d\ude80`, String.raw`\u003c`, String.raw`\\N`, String.raw`\\.`],
];
const REFUSED: readonly [string, ...string[]] = [String.raw`\u0000`, String.raw`\ud83d`, String.raw`\ude80`];

function randomText(random: Random): string {
  const pieces = Array.from({ length: Math.floor(random() ** 2 * 30) }, () => pick(random, PIECES));
  if (random() < 0.003) pieces.push(pick(random, REFUSED));
  return `"${pieces.join('')}"`;
}

function randomNumber(random: Random): string {
  const digits = (most: number): string =>
    Array.from({ length: 1 + Math.floor(random() * most) }, () => Math.floor(random() * 10))
      .join('')
      .replace(/^0+(?=.)/, '');
  const text = `${random() < 0.3 ? '-' : ''}${digits(25)}`;
  return pick(random, [text, `${text}.${digits(20)}0`, `${text}E+${digits(2)}`, `${text}E-${digits(2)}`, '"NaN"']);
}

function randomJson(random: Random, depth = 0): string {
  const blank = (): string => pick(random, ['', ' ', '', '\n\t']);
  const inner = (): string => `${blank()}${randomJson(random, depth + 1)}${blank()}`;
  const text = (): string => randomText(random);
  const items = Array.from({ length: Math.floor(random() * 4) });
  const dice = random();
  if (depth === 0 || (depth < 4 && dice < 0.4))
    return dice < 0.2
      ? `[${items.map(inner).join(',')}]`
      : `{${items.map(() => `${blank()}${text()}${blank()}:${inner()}`).join(',')}}`;
  return dice < 0.7 ? text() : pick(random, [randomNumber(random).replace('"NaN"', '0'), 'true', 'false', 'null']);
}

/** A row as the changefeed writes it, with blanks between the tokens or without. */
function randomRow(random: Random, id: number): string {
  const orNull = (json: string): string => (random() < 0.15 ? 'null' : json);
  const short = (json: string): string => (json.length > 60 ? '"short"' : json);
  const values = {
    ats: pick(random, ['[]', '["2024-02-29T10:04:56", null]', 'null']),
    b: pick(random, ['true', 'false', '"t"', 'null']),
    ba: orNull(String.raw`"\\x00ff5c"`),
    c: orNull(pick(random, ['"a"', '"abc"', '"abc  "', '1', '-1'])),
    f: orNull(pick(random, ['1.5', '-0', '1E+300', '"-Infinity"', '5E-324'])),
    g: '1',
    gone: orNull(randomJson(random)),
    i: pick(random, ['-9223372036854775808', '9223372036854775807', '0', '"7"', 'null']),
    id: String(id),
    j: orNull(random() < 0.1 ? '"plain"' : randomJson(random)),
    jb: orNull(randomJson(random)),
    n: orNull(randomNumber(random)),
    t: orNull(pick(random, [randomText(random), randomText(random), randomNumber(random), 'true'])),
    ts: orNull(
      pick(random, ['"2024-02-29T10:04:56.123456"', '"-0043-03-15T10:11:12.5"', '"294276-12-31T23:59:59.999999"']),
    ),
    tz: orNull('"2024-02-29T10:04:56.123Z"'),
    u: orNull('"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"'),
    v: orNull(short(randomText(random))),
  };
  const blank = pick(random, ['', ' ', '\n']);
  return `{${Object.entries(values)
    .map(([name, json]) => `"${name}":${blank}${json}`)
    .join(`${blank},`)}}`;
}
