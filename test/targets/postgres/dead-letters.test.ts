import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { seededRandom } from '../../../demo/simulator/feeds/faults.js';
import { createTableSql } from '../../../src/targets/postgres/checkpoint-ddl.js';
import type { AppliedFigures, ApplyMutation, ApplySession } from '../../../src/targets/target.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';
import { at, createApplyFixture, remove, upsert, windowOf, type ApplyFixture } from './apply-fixture.js';
import { deadLettersSuite } from '../dead-letters-suite.js';
import { createSource } from '../constraints/source.js';
import { TABLES, valuesOf, type State } from '../constraints/tables.js';
import { randomTransaction } from '../constraints/transactions.js';
import { startPostgresBench } from './bench.js';
import { constrainedSchema, PLAN } from './constraints/schema.js';
import { readState } from './constraints/state.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const DEAD_LETTERS = createTableSql('_failback', 'dead_letters').join('; ');
const SMALL = 'CREATE TABLE t (id int PRIMARY KEY, v int2)';
const row = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);
const TOO_MUCH = 70_000;

async function createDeadFixture(t: TestContext, ddl: string, tables: readonly string[]): Promise<ApplyFixture> {
  const fixture = await createApplyFixture(t, postgres, `${DEAD_LETTERS}; ${ddl}`, tables);
  return { ...fixture, open: (over) => fixture.open({ onBadRow: 'deadLetter', ...over }) };
}

/** Key, row, place, what the target objects to, and whether it is to be tried again. */
const letters = (fixture: ApplyFixture) =>
  fixture.rows(
    'SELECT source_table, key, row_json, column_name, sqlstate FROM _failback.dead_letters ORDER BY hlc, source_table, key',
  );
const keysOf = async (fixture: ApplyFixture): Promise<readonly (string | null | undefined)[]> =>
  (await fixture.rows(`SELECT source_table || ' ' || key FROM _failback.dead_letters ORDER BY hlc, key`)).map(
    ([key]) => key,
  );
const ask = (fixture: ApplyFixture) => fixture.admin.query('UPDATE _failback.dead_letters SET replay = true');

/** As the apply loop asks, until there was something to try. */
async function replayed(fixture: ApplyFixture, session: ApplySession, n: number): Promise<AppliedFigures> {
  const outcome = await until('the replay', async () => {
    try {
      return await session.replayDeadLetters(fixture.token, at(n));
    } catch (error) {
      return error as Error;
    }
  });
  if (outcome instanceof Error) throw outcome;
  return outcome;
}

deadLettersSuite(startPostgresBench);

test('several bad rows of one window are put aside, all else is applied, and the checkpoint moves (protocol rule 28)', async (t) => {
  const fixture = await createDeadFixture(t, SMALL, ['t']);
  const session = await fixture.open();
  const rows = Array.from({ length: 300 }, (_, i) => row(1 + (i % 30), i, i % 100 === 50 ? TOO_MUCH + i : i));
  const inTime = rows.sort((a, b) => Number(a.at - b.at));
  const figures = await session.apply(fixture.token, windowOf(0, 40, inTime));
  assert.deepEqual([figures.upserts, figures.deletes], [297, 0]);
  assert.equal(session.deadLetters(), 3);
  assert.deepEqual(await fixture.rows('SELECT count(*)::text, sum(v)::text FROM t'), [['297', '44400']]);
  assert.deepEqual(
    await letters(fixture),
    [
      ['public.t', '[50]', '{"id": 50, "v": 70050}', 'v', '22003'],
      ['public.t', '[150]', '{"id": 150, "v": 70150}', 'v', '22003'],
      ['public.t', '[250]', '{"id": 250, "v": 70250}', 'v', '22003'],
    ].sort((a, b) => (Number(a[1]?.slice(1, -1)) % 30) - (Number(b[1]?.slice(1, -1)) % 30)),
  );
  assert.equal((await (await fixture.open()).readLocked())?.applied, at(40));
  assert.deepEqual(
    await fixture.rows(`SELECT DISTINCT run, stream, reason, replay::text FROM _failback.dead_letters`),
    [['run', 'orders', 'value "..." is out of range for type smallint', 'false']],
  );
});

test('a letter keeps the row as it was sent, whatever PostgreSQL could not keep of it', async (t) => {
  const fixture = await createDeadFixture(t, 'CREATE TABLE t (id text PRIMARY KEY, v text, n numeric(4,1))', ['t']);
  const session = await fixture.open();
  const long = 'k'.repeat(5_000);
  const sent = [
    [String.raw`["a\u0000"]`, String.raw`{"id": "a\u0000", "v": "x", "n": null}`],
    [`["${long}"]`, `{"id": "${long}", "v": "\\u0000 ü 漢", "n":   1.50}`],
    ['["b"]', '{"id": "b", "v": "\\ud800", "n": 12345678901234567890123.000}'],
  ] as const;
  const changes = sent.map(([key, after]) => upsert(1, 0, key, after));
  await session.apply(fixture.token, windowOf(0, 1, changes));
  const kept = await fixture.rows('SELECT key, row_json FROM _failback.dead_letters');
  assert.deepEqual(new Map(kept as [string, string][]), new Map(sent));
  assert.equal(session.deadLetters(), 3);
});

test('halt is the default, and puts nothing aside', async (t) => {
  const fixture = await createDeadFixture(t, SMALL, ['t']);
  const session = await fixture.open({ onBadRow: 'halt' });
  const window = windowOf(0, 1, [row(1, 1, 1), row(1, 2, TOO_MUCH)]);
  await assert.rejects(session.apply(fixture.token, window), { name: 'BadRowError', key: '[2]' });
  assert.deepEqual(await letters(fixture), []);
  assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
});

test('what is no bad row halts all the same: a lacking column, a lacking privilege', async (t) => {
  const fixture = await createDeadFixture(t, SMALL, ['t']);
  const session = await fixture.open();
  const extra = upsert(1, 0, '[1]', '{"id": 1, "v": 1, "w": 1}');
  await assert.rejects(session.apply(fixture.token, windowOf(0, 1, [row(1, 2, TOO_MUCH), extra])), {
    name: 'SchemaMismatchError',
  });
  await fixture.admin.query(`CREATE ROLE poor LOGIN; GRANT USAGE ON SCHEMA _failback, public TO poor;
    GRANT ALL ON ALL TABLES IN SCHEMA _failback TO poor; GRANT SELECT, INSERT ON t TO poor`);
  const poor = await fixture.open({ connectionString: postgres.url(fixture.database, 'poor') });
  await assert.rejects(poor.apply(fixture.token, windowOf(0, 1, [row(1, 2, TOO_MUCH)])), {
    name: 'TargetRefusedError',
    code: '42501',
  });
  assert.deepEqual(await letters(fixture), []);
  assert.equal(await fixture.applied(), '1759246920563173000.0000000000');
});

test('a refused delete is put aside without a row', async (t) => {
  const ddl = `${SMALL}; CREATE TABLE beside (t int REFERENCES t); INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO beside VALUES (1)`;
  const fixture = await createDeadFixture(t, ddl, ['t']);
  const session = await fixture.open();
  const figures = await session.apply(fixture.token, windowOf(0, 1, [remove(1, 0, '[1]'), remove(1, 0, '[2]')]));
  assert.deepEqual([figures.upserts, figures.deletes], [0, 1]);
  assert.deepEqual(await letters(fixture), [['public.t', '[1]', null, null, '23503']]);
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t'), [['1']]);
  await fixture.admin.query('DELETE FROM beside');
  await ask(fixture);
  assert.deepEqual(await replayed(fixture, session, 1), { upserts: 0, deletes: 1, inSourceOrder: false });
  assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
  assert.equal(session.deadLetters(), 0);
});

test('of a replay, what is taken goes and what is refused stays with its newer error; it is not tried for ever', async (t) => {
  const fixture = await createDeadFixture(t, SMALL, ['t']);
  const session = await fixture.open();
  await session.apply(fixture.token, windowOf(0, 1, [row(1, 1, TOO_MUCH), row(1, 2, 3_000_000_000)]));
  await fixture.admin.query('ALTER TABLE t ALTER v TYPE int');
  assert.equal(await (await fixture.open()).replayDeadLetters(fixture.token, at(1)), null, 'nobody has asked');
  assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
  await ask(fixture);
  assert.equal((await replayed(fixture, session, 1)).upserts, 1);
  assert.deepEqual(await fixture.rows('SELECT key, column_name, reason, replay::text FROM _failback.dead_letters'), [
    ['[2]', 'v', 'value "..." is out of range for type integer', 'false'],
  ]);
  assert.equal(session.deadLetters(), 1);
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t'), [['1']]);
  assert.equal(await fixture.applied(), '1759246920563173001.0000000001');
  // The stream goes on from there.
  await session.apply(fixture.token, windowOf(1, 2, [row(2, 2, 2)]));
  assert.deepEqual(await letters(fixture), []);
});

test('letters of an earlier run of the same name, at or before the cursor, are neither counted nor replayed', async (t) => {
  const fixture = await createDeadFixture(t, SMALL, ['t']);
  const session = await fixture.open();
  await session.apply(fixture.token, windowOf(0, 1, [row(1, 1, TOO_MUCH)]));
  await fixture.admin.query('UPDATE _failback.checkpoint SET cursor = applied; ALTER TABLE t ALTER v TYPE int');
  await ask(fixture);
  const later = await fixture.open();
  assert.equal(await later.replayDeadLetters(fixture.token, at(1)), null);
  assert.equal(later.deadLetters(), 0);
  assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
  assert.deepEqual(await keysOf(fixture), ['public.t [1]']);
});

test('a stream in a schema without the table, of an earlier release, goes on', async (t) => {
  const fixture = await createApplyFixture(t, postgres, SMALL, ['t']);
  const session = await fixture.open();
  await session.apply(fixture.token, windowOf(0, 1, [row(1, 1, 1)]));
  assert.equal(await session.replayDeadLetters(fixture.token, at(1)), null);
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t'), [['1']]);
});

test('a timestamp of 500 rows that are all refused, and one of 10,000 with one bad row', async (t) => {
  const fixture = await createDeadFixture(t, SMALL, ['t']);
  const session = await fixture.open();
  const began = performance.now();
  const all = Array.from({ length: 500 }, (_, i) => row(1, i, TOO_MUCH + i));
  await session.apply(fixture.token, windowOf(0, 1, all));
  assert.equal(session.deadLetters(), 500);
  const between = performance.now();
  const one = Array.from({ length: 10_000 }, (_, i) => row(2, 1_000 + i, i === 7_777 ? TOO_MUCH : i % 100));
  await session.apply(fixture.token, windowOf(1, 2, one));
  assert.equal(session.deadLetters(), 501);
  assert.deepEqual(await fixture.rows('SELECT count(*)::text FROM t'), [['9999']]);
  t.diagnostic(
    `500 of 500 refused: ${Math.round(between - began)} ms; 1 of 10,000: ${Math.round(performance.now() - between)} ms`,
  );
});

const SEED = Number(process.env.FAILBACK_SEED ?? 1);
const TRANSACTIONS = Number(process.env.FAILBACK_TRANSACTIONS ?? 300);

test('where a foreign key acts, a family of tables is written whole or the stream halts; another family of the same transaction is not', async (t) => {
  const ddl = `CREATE TABLE region (id int PRIMARY KEY, code text UNIQUE, v int2);
    CREATE TABLE account (id int PRIMARY KEY, code text REFERENCES region (code) ON DELETE SET NULL);
    CREATE TABLE free (id int PRIMARY KEY, v int2);
    INSERT INTO region VALUES (1, 'g', 1); INSERT INTO account VALUES (1, 'g')`;
  const fixture = await createDeadFixture(t, ddl, ['region', 'account', 'free']);
  const session = await fixture.open();
  const region = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"code": "g", "id": ${id}, "v": ${v}}`);
  const free = (n: number, id: number, v: number) => upsert(n, 2, `[${id}]`, `{"id": ${id}, "v": ${v}}`);
  // The code passes to another region; the account stays with the code, and is in no change.
  const moved = [remove(1, 0, '[1]'), region(1, 2, 2), free(1, 1, TOO_MUCH), free(1, 2, 2)];
  await session.apply(fixture.token, windowOf(0, 1, moved));
  assert.deepEqual(await fixture.rows('SELECT id::text, code FROM account'), [['1', 'g']]);
  assert.deepEqual(await keysOf(fixture), ['public.free [1]']);
  const bad = [remove(2, 0, '[2]'), region(2, 3, TOO_MUCH), free(2, 3, 3)];
  await assert.rejects(session.apply(fixture.token, windowOf(1, 2, bad)), {
    name: 'BadRowError',
    key: '[3]',
    column: 'v',
    reason: /out of range.*; it is not put aside, because a foreign key with an action/,
  });
  assert.deepEqual(await fixture.rows('SELECT id::text, code FROM account'), [['1', 'g']]);
  assert.equal(await fixture.applied(), '1759246920563173001.0000000001');
  // With enforcement off nothing acts.
  const off = await fixture.open({ enforcementOff: true });
  await off.apply(fixture.token, windowOf(1, 2, bad));
  assert.deepEqual(await keysOf(fixture), ['public.free [1]', 'public.region [3]']);
  assert.deepEqual(await fixture.rows('SELECT id::text, code FROM account'), [['1', 'g']]);
});

/** What the source takes and the target refuses. Where foreign keys act and are on, of tables that none of them is bound up with. */
const NARROWER = {
  off: ['account ADD CONSTRAINT narrow CHECK (balance < 8)', "line ADD CONSTRAINT narrow CHECK (lower(note) < 'k')"],
  on: ['booking ADD CONSTRAINT narrow CHECK (room < 6)', 'day ADD CONSTRAINT narrow CHECK (label < 8)'],
} as const;

for (const enforcement of ['off', 'on'] as const) {
  test(`random transactions with rows that the target refuses, enforcement ${enforcement}: but for the keys put aside, it is the source after each window (FAILBACK_SEED=${SEED})`, async (t) => {
    const source = await createSource(postgres);
    t.after(() => source.close());
    const narrower = NARROWER[enforcement].map((constraint) => `ALTER TABLE ${constraint}`).join('; ');
    const fixture = await createDeadFixture(t, `${constrainedSchema('mixed')} ${narrower}`, TABLES);
    const open = (collapseMutations: boolean) =>
      fixture.open({ plan: PLAN, enforcementOff: enforcement === 'off', collapseMutations, flushSize: 50 });
    let session = await open(true);
    const random = seededRandom(SEED);
    let [taken, most] = [0, 0];
    while (taken < TRANSACTIONS) {
      const mutations: ApplyMutation[] = [];
      const from = taken;
      for (let i = Math.floor(random() * 20); i >= 0; i--) {
        const changes = await source.run(randomTransaction(random), taken + 1);
        if (changes === null || changes.length === 0) continue;
        taken += 1;
        mutations.push(...changes);
      }
      if (taken === from) continue;
      // As after a takeover.
      if (random() < 0.2) session = await open(random() < 0.5);
      await session.apply(fixture.token, windowOf(from, taken, mutations));
      const aside = new Set(await keysOf(fixture));
      most = Math.max(most, aside.size);
      assert.deepEqual(
        without(await readState(fixture.admin), aside),
        without(await source.state(), aside),
        `after transaction ${taken}`,
      );
    }
    assert.ok(most > 0);
    for (const constraint of NARROWER[enforcement])
      await fixture.admin.query(`ALTER TABLE ${constraint.split(' ')[0]} DROP CONSTRAINT narrow`);
    const last = await open(true);
    await until('all are taken', async () => {
      await ask(fixture);
      await last.replayDeadLetters(fixture.token, at(taken));
      return last.deadLetters() === 0;
    });
    assert.deepEqual(await readState(fixture.admin), await source.state());
    t.diagnostic(`${taken} transactions, at most ${most} letters at a time`);
  });
}

/** Rows but those of these keys: `["1.50",...]` of account is `public.account [1.5]`. */
function without(state: State, aside: ReadonlySet<string | null | undefined>): State {
  return state.filter(({ name, row }) => {
    const [first, second] = valuesOf(row);
    const id = (first ?? '').replace(/(\.\d*?)0+$/, '$1');
    return !aside.has(`public.${name} ${name === 'tag' ? `[${id}, "${second}"]` : `[${id}]`}`);
  });
}

test('the session of a group counts, and tries again, the letters of its own tables only (protocol rules 26 and 28)', async (t) => {
  const groups = createTableSql('_failback', 'checkpoint_group').join('; ');
  const ddl = `${groups}; CREATE TABLE a (id int PRIMARY KEY, v int2); CREATE TABLE b (id int PRIMARY KEY, v int2)`;
  const fixture = await createDeadFixture(t, ddl, ['a', 'b']);
  const { stream, token } = fixture;
  const open = (table: number) => fixture.open({ group: { number: table, tables: [table] } });
  const apply = (session: ApplySession, table: number, n: number) =>
    session.apply(token, windowOf(n - 1, n, [upsert(n, table, '[1]', `{"id": 1, "v": ${TOO_MUCH}}`)]));
  await fixture.admin.query(
    `INSERT INTO _failback.checkpoint_group (stream, group_number, run, tables, applied, token)
      SELECT stream, n, run, ARRAY['public.' || name], applied, token FROM _failback.checkpoint, (VALUES (0, 'a'), (1, 'b')) AS g(n, name)`,
  );
  await apply(await open(0), 0, 1);
  const second = await open(1);
  await apply(second, 1, 1);
  assert.equal(second.deadLetters(), 1);
  assert.deepEqual(await keysOf(fixture), ['public.a [1]', 'public.b [1]']);
  await fixture.admin.query('ALTER TABLE a ALTER v TYPE int; ALTER TABLE b ALTER v TYPE int');
  await ask(fixture);
  assert.equal((await replayed(fixture, second, 1)).upserts, 1);
  assert.deepEqual(await keysOf(fixture), ['public.a [1]'], `the other one waits for its own group of ${stream}`);
});

test('a large timestamp, read in parts, supersedes letters and leaves its own', async (t) => {
  const fixture = await createDeadFixture(t, SMALL, ['t']);
  const session = await fixture.open();
  await session.apply(fixture.token, windowOf(0, 1, [row(1, 3, TOO_MUCH), row(1, 4, TOO_MUCH), row(1, 99, TOO_MUCH)]));
  const changes = [row(2, 1, 1), row(2, 2, TOO_MUCH), row(2, 3, 3), row(2, 4, TOO_MUCH + 1), row(2, 5, 5)];
  const parts = [changes.slice(0, 2), changes.slice(2, 4), changes.slice(4)];
  const figures = await session.apply(fixture.token, {
    ...windowOf(1, 2, changes.slice(0, 1)),
    async *parts() {
      for (const part of parts) yield await Promise.resolve(part);
    },
  });
  assert.equal(figures.upserts, 3);
  assert.equal(session.deadLetters(), 3);
  assert.deepEqual(await keysOf(fixture), ['public.t [99]', 'public.t [2]', 'public.t [4]']);
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t ORDER BY id'), [['1'], ['3'], ['5']]);
});
