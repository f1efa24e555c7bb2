import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';
import { collapseMutations } from '../../../src/targets/collapse.js';
import { createChangeWriter } from '../../../src/targets/oracle/change-writer.js';
import { createCheckpointClient } from '../../../src/targets/oracle/checkpoint-client.js';
import { oracleCheckpointDialect } from '../../../src/targets/oracle/checkpoint-dialect.js';
import { connectOracle, type OracleClient } from '../../../src/targets/oracle/client.js';
import { endsSession, isLockTimeout, toTargetError } from '../../../src/targets/oracle/errors.js';
import { openOracleApplySession } from '../../../src/targets/oracle/session.js';
import { createCheckpointStore } from '../../../src/targets/portable/checkpoint-store.js';
import { Objection } from '../../../src/targets/session/objection.js';
import type { ApplyMutation } from '../../../src/targets/target.js';
import { at, remove, upsert, windowOf } from '../postgres/apply-fixture.js';
import { planIn } from './writer-fixture.js';

/** `oracle://USER:password@host:1521/SERVICE` of a user who may create tables. */
const url = process.env['ORACLE_URL'];

/** Tables of one test, in the user's own schema; `{T}` in their DDL is a name of the test's own. */
async function createLive(t: TestContext, ddl: readonly string[], tables: readonly string[]) {
  const connectionString = url ?? '';
  const open = async (callTimeoutMs?: number): Promise<OracleClient> => {
    const opened = await connectOracle({
      connectionString,
      applicationName: 'failback test',
      ...(callTimeoutMs === undefined ? {} : { callTimeoutMs }),
    });
    t.after(() => opened.close());
    return opened;
  };
  const client = await open();
  const prefix = `FB${randomUUID().slice(0, 8).toUpperCase()}_`;
  const named = (text: string): string => text.replaceAll('{T}', prefix);
  const schema = (await client.execute('SELECT USER AS name FROM DUAL')).rows[0]?.['name'] ?? '';
  for (const statement of ddl) await client.execute(named(statement));
  t.after(async () => {
    const admin = await connectOracle({ connectionString, applicationName: 'failback test' });
    for (const table of [...tables].reverse())
      await admin.execute(`DROP TABLE "${named(table.split(':')[0] ?? '')}" CASCADE CONSTRAINTS PURGE`);
    await admin.close();
  });
  const plan = planIn(schema, tables.map(named));
  const writer = createChangeWriter(client, { plan, extraColumns: 'error', flushSize: 100 });
  const set = async (...changes: readonly ApplyMutation[]) => {
    await client.execute('SET CONSTRAINTS ALL DEFERRED');
    const outcome = await writer.writeSet(collapseMutations(changes), { most: Infinity, bulk: false });
    await client.commit();
    return outcome;
  };
  const write = async (...changes: readonly ApplyMutation[]): Promise<void> => {
    assert.equal(await set(...changes), 'written');
  };
  const rows = async (sql: string) => (await client.execute(named(sql))).rows.map((row) => Object.values(row));
  return { client, connectionString, schema, plan, named, open, set, write, rows };
}

describe('an Oracle server', { skip: url === undefined ? 'ORACLE_URL is not set' : false }, () => {
  test('values of every type are kept to the last digit', async (t) => {
    const { write, rows } = await createLive(
      t,
      [
        `CREATE TABLE "{T}V" ("ID" NUMBER PRIMARY KEY, "N" NUMBER, "M" NUMBER(12,2), "BD" BINARY_DOUBLE, "BI" BINARY_DOUBLE, "BF" BINARY_FLOAT,
          "S" VARCHAR2(100), "NS" NVARCHAR2(50), "CH" CHAR(5), "C" CLOB, "NC" NCLOB, "R" RAW(16), "B" BLOB, "D" DATE, "BC" DATE, "TS" TIMESTAMP(6),
          "TZ" TIMESTAMP(6) WITH TIME ZONE, "LTZ" TIMESTAMP(6) WITH LOCAL TIME ZONE, "YM" INTERVAL YEAR(4) TO MONTH,
          "DS" INTERVAL DAY(4) TO SECOND(6), "J" CLOB CHECK ("J" IS JSON))`,
      ],
      ['{T}V'],
    );
    const long = 'ü'.repeat(40_000);
    await write(
      upsert(
        1,
        0,
        '[1]',
        `{"id": 1, "n": 12345678901234567890123456789012345.678, "m": -0.01, "bd": 1.2345678901234568E+17, "bi": "-Infinity", "bf": "NaN",
        "s": "ünï 漢字 🚀", "ns": "漢字", "ch": "ab", "c": "${long}", "nc": "漢字", "r": "5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10",
        "b": "\\\\x${'00ff'.repeat(3000)}", "d": "2024-02-29", "bc": "0044-03-15 BC", "ts": "2024-02-29T12:34:56.123456",
        "tz": "2024-02-29T12:34:56.123456Z", "ltz": "2024-02-29T12:34:56.123456Z", "ym": "1 year 2 mons", "ds": "-3 days -04:05:06.789",
        "j": {"a": 1.50}}`.replace(/\n\s*/g, ' '),
      ),
    );
    assert.deepEqual(
      await rows(`SELECT TO_CHAR("N", 'TM9') AS a, TO_CHAR("M", 'TM9') AS b, TO_CHAR("BD", 'TM9') AS c, CASE WHEN "BI" = -BINARY_DOUBLE_INFINITY THEN 'y' END AS d,
        CASE WHEN "BF" IS NAN THEN 'y' END AS e, "S" AS f, "NS" AS g, '[' || "CH" || ']' AS h, TO_CHAR(DBMS_LOB.GETLENGTH("C")) AS i, "NC" AS j,
        RAWTOHEX("R") AS k, TO_CHAR(DBMS_LOB.GETLENGTH("B")) AS l, TO_CHAR("D", 'SYYYY-MM-DD') AS m, TO_CHAR("BC", 'SYYYY-MM-DD') AS n,
        TO_CHAR("TS", 'YYYY-MM-DD HH24:MI:SS.FF6') AS o, TO_CHAR("TZ", 'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM') AS p,
        TO_CHAR("LTZ", 'YYYY-MM-DD HH24:MI:SS.FF6') AS q, TO_CHAR("YM") AS r, TO_CHAR("DS") AS s, "J" AS t FROM "{T}V"`),
      [
        [
          '12345678901234567890123456789012345.678',
          '-.01',
          '123456789012345680',
          'y',
          'y',
          'ünï 漢字 🚀',
          '漢字',
          '[ab   ]',
          '40000',
          '漢字',
          '5B3B1F4C8F0A4E0E9B8D0A5FBD6B9F10',
          '6000',
          ' 2024-02-29',
          '-0044-03-15',
          '2024-02-29 12:34:56.123456',
          '2024-02-29 12:34:56.123456 +00:00',
          '2024-02-29 12:34:56.123456',
          '+0001-02',
          '-0003 04:05:06.789000',
          '{"a": 1.50}',
        ],
      ],
    );
    await write(upsert(2, 0, '[1]', `{"id": 1, "c": "short", "s": ""}`));
    assert.deepEqual(await rows('SELECT "C", "S", "M" FROM "{T}V"'), [['short', null, '-.01']]);
  });

  for (const [type, key] of [
    ['NUMBER', '1.500'],
    ['CHAR(5)', '"ab"'],
    ['NVARCHAR2(20)', '"漢字"'],
    ['RAW(16)', '"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"'],
    ['DATE', '"2024-02-29"'],
    ['TIMESTAMP(6)', '"2024-02-29T12:34:56.123456"'],
  ] as const)
    test(`a key of ${type} finds its row again`, async (t) => {
      const { write, rows } = await createLive(
        t,
        [`CREATE TABLE "{T}K" ("K" ${type} PRIMARY KEY, "V" NUMBER)`],
        ['{T}K:k'],
      );
      await write(upsert(1, 0, `[${key}]`, `{"k": ${key}, "v": 1}`));
      await write(upsert(2, 0, `[${key}]`, `{"k": ${key}, "v": 2}`));
      assert.deepEqual(await rows('SELECT "V" FROM "{T}K"'), [['2']]);
      await write(remove(3, 0, `[${key}]`));
      assert.deepEqual(await rows('SELECT "V" FROM "{T}K"'), []);
    });

  test('unique values change hands, by way of NULL and by way of another INSERT', async (t) => {
    const { write, rows } = await createLive(
      t,
      [
        `CREATE TABLE "{T}A" ("ID" NUMBER PRIMARY KEY, "CODE" VARCHAR2(9) UNIQUE)`,
        `CREATE TABLE "{T}B" ("ID" NUMBER PRIMARY KEY, "CODE" VARCHAR2(9) NOT NULL UNIQUE, "KEPT" NUMBER(5,2) DEFAULT 1.25)`,
      ],
      ['{T}A', '{T}B'],
    );
    for (const table of [0, 1]) {
      const row = (n: number, id: number, code: string) =>
        upsert(n, table, `[${id}]`, `{"id": ${id}, "code": "${code}"}`);
      await write(row(1, 1, 'a'), row(1, 2, 'b'));
      await write(row(2, 1, 'b'), row(2, 2, 'a'));
    }
    assert.deepEqual(await rows('SELECT "CODE" FROM "{T}A" ORDER BY "ID"'), [['b'], ['a']]);
    assert.deepEqual(await rows('SELECT "CODE", "KEPT" FROM "{T}B" ORDER BY "ID"'), [
      ['b', '1.25'],
      ['a', '1.25'],
    ]);
  });

  test('a ring of deferrable foreign keys, and what is wrong with it at the end of the set', async (t) => {
    const { write, set, rows } = await createLive(
      t,
      [
        `CREATE TABLE "{T}R" ("ID" NUMBER PRIMARY KEY, "NEXT" NUMBER REFERENCES "{T}R" ("ID") DEFERRABLE INITIALLY IMMEDIATE)`,
      ],
      ['{T}R'],
    );
    await write(upsert(1, 0, '[1]', '{"id": 1, "next": 2}'), upsert(1, 0, '[2]', '{"id": 2, "next": 1}'));
    const outcome = await set(upsert(2, 0, '[3]', '{"id": 3, "next": 4}'));
    assert.ok(outcome instanceof Objection && outcome.code === 'ORA-02291' && outcome.ofOrder, String(outcome));
    assert.deepEqual(await rows('SELECT COUNT(*) AS n FROM "{T}R"'), [['2']]);
  });

  test('a bad row among good ones is told by its place, and the others are undone with it', async (t) => {
    const { set, rows } = await createLive(
      t,
      [`CREATE TABLE "{T}X" ("ID" NUMBER PRIMARY KEY, "S" VARCHAR2(5))`],
      ['{T}X'],
    );
    const outcome = await set(
      upsert(1, 0, '[1]', '{"id": 1, "s": "a"}'),
      upsert(1, 0, '[2]', '{"id": 2, "s": "secret"}'),
      upsert(1, 0, '[3]', '{"id": 3, "s": "c"}'),
    );
    assert.ok(outcome instanceof Objection && outcome.code === 'ORA-12899', String(outcome));
    assert.equal(outcome.named.column, 'S');
    assert.doesNotMatch(outcome.message, /secret/);
    assert.deepEqual(await rows('SELECT COUNT(*) AS n FROM "{T}X"'), [['0']]);
  });

  test('a wait for a row is over with the round trip, and the session goes on', async (t) => {
    const { write, client, open, named, rows } = await createLive(
      t,
      [`CREATE TABLE "{T}L" ("ID" NUMBER PRIMARY KEY, "S" NUMBER)`],
      ['{T}L'],
    );
    await write(upsert(1, 0, '[1]', '{"id": 1, "s": 1}'));
    await client.execute(named('UPDATE "{T}L" SET "S" = 2'));
    const other = await open(1000);
    await assert.rejects(
      other.executeMany(named('UPDATE "{T}L" SET "S" = 3 WHERE "ID" = :1'), [['1']]),
      (error: unknown) => {
        assert.ok(isLockTimeout(error), String(error));
        assert.ok(!endsSession(error));
        return true;
      },
    );
    await client.rollback();
    await other.executeMany(named('UPDATE "{T}L" SET "S" = 4 WHERE "ID" = :1'), [['1']]);
    await other.commit();
    assert.deepEqual(await rows('SELECT "S" FROM "{T}L"'), [['4']]);
  });

  test('a session applies windows, and its checkpoint with them', async (t) => {
    const { client, connectionString, schema, plan, rows } = await createLive(
      t,
      [`CREATE TABLE "{T}S" ("ID" NUMBER PRIMARY KEY, "S" VARCHAR2(5))`],
      ['{T}S'],
    );
    const stream = `live-${randomUUID()}`;
    const store = createCheckpointStore({
      client: createCheckpointClient(client),
      dialect: oracleCheckpointDialect,
      schema,
      lockTimeoutMs: 5000,
      toTargetError,
      close: () => Promise.resolve(),
    });
    await store.ensureSchema();
    await store.insertOnce({ stream, run: stream, cursor: at(0), origin: { clusterId: 'c', tableIds: {} } });
    const session = await openOracleApplySession({
      connectionString,
      plan,
      stream,
      checkpointSchema: schema,
      flushSize: 100,
      extraColumns: 'error',
      enforcementOff: false,
      collapseMutations: true,
      lockTimeoutMs: 5000,
      idleInTransactionTimeoutMs: 60_000,
      onBadRow: 'deadLetter',
    });
    try {
      await session.takeToken('one');
      const row = (n: number, id: number, s: string) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "s": "${s}"}`);
      await session.apply('one', windowOf(0, 2, [row(1, 1, 'a'), row(2, 2, 'too long')]));
      assert.equal(session.deadLetters(), 1);
      assert.deepEqual(await rows('SELECT * FROM "{T}S"'), [['1', 'a']]);
      assert.equal((await store.read(stream))?.applied, at(2));
    } finally {
      await session.close();
      await store.removeRun(stream);
    }
  });
});
