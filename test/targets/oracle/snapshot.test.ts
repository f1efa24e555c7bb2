import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { TargetSnapshot, TextRow } from '../../../src/targets/snapshot.js';
import { planComparison } from '../../../src/targets/oracle/comparison-plan.js';
import { describeTables } from '../../../src/targets/oracle/introspection.js';
import { eraseSentinel, writeSentinel } from '../../../src/targets/oracle/sentinel.js';
import { openSnapshot } from '../../../src/targets/oracle/snapshot.js';
import { startH2, type H2 } from '../../support/h2.js';
import { createPreflightBench, sourceTable } from './preflight-fixture.js';

describe('the comparison with Oracle, on H2', () => {
  let h2: H2;
  before(async () => {
    h2 = await startH2();
  });
  after(() => h2.stop());

  async function compared(t: TestContext, ddl: string, source: ReturnType<typeof sourceTable>) {
    const bench = await createPreflightBench(t, h2, ddl);
    const name = { schema: bench.schema, table: source.table.table.toUpperCase() };
    const target = (await describeTables(bench.owner, [name])).get(`${name.schema}.${name.table}`) ?? null;
    // Reading has begun a transaction.
    await bench.owner.commit();
    assert.ok(target);
    const table = planComparison({ source, target });
    assert.ok(table);
    const open = async (): Promise<TargetSnapshot> => {
      const snapshot = await openSnapshot(await h2.connect(bench.schema), bench.schema);
      t.after(() => snapshot.close());
      return snapshot;
    };
    return { bench, table, snapshot: await open() };
  }

  test('values are compared as what they are, to the last digit', async (t) => {
    const source = sourceTable('v', {
      id: 'INT8',
      n: 'DECIMAL',
      m: 'DECIMAL(12,2)',
      bd: 'FLOAT8',
      s: 'STRING',
      ch: 'CHAR(5)',
      c: 'STRING',
      r: 'UUID',
      d: 'DATE',
      ts: 'TIMESTAMP',
      tz: 'TIMESTAMPTZ',
      f: 'BOOL',
      j: 'JSONB',
      a: 'INT8[]',
    });
    const { snapshot, table } = await compared(
      t,
      `CREATE TABLE "V" ("ID" NUMBER(19) PRIMARY KEY, "N" NUMBER, "M" NUMBER(12,2), "BD" BINARY_DOUBLE, "S" VARCHAR2(20), "CH" CHAR(5),
         "C" CLOB, "R" RAW(16), "D" DATE, "TS" TIMESTAMP(6), "TZ" TIMESTAMP(6) WITH TIME ZONE, "F" NUMBER(1), "J" CLOB, "A" CLOB);
       INSERT INTO "V" VALUES (1, 123456789012345678901234.5, 7.5, 0.1, 'ü', 'ab', 'long', X'00112233445566778899aabbccddeeff',
         TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2024-02-29 12:34:56.123456', TIMESTAMP WITH TIME ZONE '2024-02-29 14:34:56.1+02:00', 1,
         '{"b": 1.50, "a": 2}', '[1, 2]');
       INSERT INTO "V" VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
      source,
    );
    const equal: TextRow = [
      '1',
      '123456789012345678901234.50',
      '7.50',
      '0.1',
      'ü',
      'ab',
      'long',
      '00112233-4455-6677-8899-aabbccddeeff',
      '2024-02-29',
      '2024-02-29 12:34:56.123456',
      '2024-02-29 12:34:56.1+00',
      't',
      '{"a": 2, "b": 1.5}',
      '{1,2}',
    ];
    const empty: TextRow = ['2', null, null, null, '', null, '', null, null, null, null, null, null, null];
    assert.deepEqual(await snapshot.compare(table, [equal, empty, ['3', ...equal.slice(1)]]), {
      missing: [2],
      different: [],
    });
    const others: TextRow = [
      '1',
      '123456789012345678901234.51',
      '7.51',
      '0.2',
      'u',
      'ac',
      'Long',
      '00112233-4455-6677-8899-aabbccddeefe',
      '2024-03-01',
      '2024-02-29 12:34:56.123457',
      '2024-02-29 12:34:56.2+00',
      'f',
      '{"a": 2, "b": 1.51}',
      '{1,3}',
    ];
    for (let place = 1; place < equal.length; place++) {
      const row = equal.map((text, i) => (i === place ? (others[i] ?? null) : text));
      const { different } = await snapshot.compare(table, [row]);
      assert.deepEqual(different, [{ row: 0, columns: [place] }], table.columns[place]?.source);
    }
    assert.equal(await snapshot.count(table), 2);
  });

  test('keys come in order, from any of them on, as the source reads them', async (t) => {
    const source = sourceTable('k', { id: 'STRING(10)', n: 'INT8' }, { primaryKey: ['id', 'n'], notNull: ['id', 'n'] });
    const keys: TextRow[] = [
      ['B', '1'],
      ['a', '-5'],
      ['a', '2'],
      ['a', '10'],
      ['ä', '1'],
    ];
    const { bench, snapshot, table } = await compared(
      t,
      `CREATE TABLE "K" ("ID" VARCHAR2(10), "N" NUMBER(19), PRIMARY KEY ("ID", "N"))`,
      source,
    );
    for (const [id = '', n = ''] of keys) await bench.owner.script(`INSERT INTO "K" VALUES ('${id}', ${n})`);
    assert.deepEqual(await snapshot.keys(table, null, 10), keys);
    for (const [place, key] of keys.entries())
      assert.deepEqual(await snapshot.keys(table, key, 2), keys.slice(place + 1, place + 3));
    // No row of Oracle's has an empty text, nor a number that is none.
    assert.deepEqual(await snapshot.compare(table, [...keys, ['a', '3'], ['', '1'], ['a', 'NaN']]), {
      missing: [5, 6, 7],
      different: [],
    });
  });

  test('a UUID is its 16 bytes in a key', async (t) => {
    const source = sourceTable('u', { id: 'UUID' });
    const uuids = ['1', '2', '3'].map((digit): TextRow => [`${digit}0000000-0000-4000-8000-00000000abcd`]);
    const { bench, snapshot, table } = await compared(t, `CREATE TABLE "U" ("ID" RAW(16) PRIMARY KEY)`, source);
    for (const [id = ''] of uuids.slice(0, 2))
      await bench.owner.script(`INSERT INTO "U" VALUES (X'${(id ?? '').replaceAll('-', '')}')`);
    assert.deepEqual(await snapshot.keys(table, uuids[0] ?? [], 5), [uuids[1]]);
    assert.deepEqual(await snapshot.compare(table, uuids), { missing: [2], different: [] });
  });

  test('a page of more keys than one statement takes is compared whole', async (t) => {
    const source = sourceTable('p', { id: 'INT8', s: 'STRING' });
    const { bench, snapshot, table } = await compared(
      t,
      `CREATE TABLE "P" ("ID" NUMBER(19) PRIMARY KEY, "S" VARCHAR2(20))`,
      source,
    );
    await bench.owner.script(`INSERT INTO "P" SELECT "X", 's' || "X" FROM SYSTEM_RANGE(1, 1201)`);
    const page: TextRow[] = Array.from({ length: 1202 }, (_, i) => [String(i + 1), i === 700 ? 'other' : `s${i + 1}`]);
    assert.deepEqual(await snapshot.compare(table, page), {
      missing: [1201],
      different: [{ row: 700, columns: [1] }],
    });
  });

  test('the sentinel row is written once, and erased once', async (t) => {
    const bench = await createPreflightBench(
      t,
      h2,
      `CREATE TABLE "S" ("ID" VARCHAR2(64) PRIMARY KEY, "WRITTEN_AT" TIMESTAMP(6) WITH TIME ZONE NOT NULL)`,
    );
    const table = { schema: bench.schema, table: 'S' };
    await writeSentinel(bench.owner, table, 'x');
    await writeSentinel(bench.owner, table, 'x');
    const { rows } = await bench.owner.execute('SELECT COUNT(*) AS total FROM "S"');
    assert.deepEqual(rows, [{ total: '1' }]);
    assert.equal(await eraseSentinel(bench.owner, table, 'x'), true);
    assert.equal(await eraseSentinel(bench.owner, table, 'x'), false);
  });
});
