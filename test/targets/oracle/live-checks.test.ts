import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';
import type { SourceTable } from '../../../src/domain/source-table.js';
import { connectOracle } from '../../../src/targets/oracle/client.js';
import { createOracleDriver } from '../../../src/targets/oracle/driver.js';
import { sourceTable } from './preflight-fixture.js';

/** `oracle://USER:password@host:1521/SERVICE` of a user who may create tables. */
const url = process.env['ORACLE_URL'];

/** A table of the test's own in the user's schema; `{T}` in its DDL is its name. */
async function createLive(t: TestContext, ddl: readonly string[], columns: Record<string, string>) {
  const connectionString = url ?? '';
  const client = await connectOracle({ connectionString, applicationName: 'failback test' });
  const name = `FB${randomUUID().slice(0, 8).toUpperCase()}`;
  const named = (text: string): string => text.replaceAll('{T}', name);
  for (const statement of ddl) await client.execute(named(statement));
  await client.commit();
  t.after(async () => {
    await client.execute(named('DROP TABLE "{T}" CASCADE CONSTRAINTS PURGE'));
    await client.close();
  });
  const driver = createOracleDriver(connectionString, { run: name });
  const source: SourceTable = sourceTable(name.toLowerCase(), columns);
  const target = { schema: driver.defaultSchema ?? '', table: name };
  return { client, driver, named, source, target };
}

describe(
  "an Oracle server's catalogue and values",
  { skip: url === undefined ? 'ORACLE_URL is not set' : false },
  () => {
    test('preflight finds the table as it is, and leaves no transaction open', async (t) => {
      const { driver, source, target } = await createLive(
        t,
        ['CREATE TABLE "{T}" ("ID" NUMBER(10) PRIMARY KEY, "S" VARCHAR2(20) NOT NULL, "J" CLOB CHECK ("J" IS JSON))'],
        { id: 'INT8', s: 'STRING(20)', j: 'JSONB' },
      );
      const { findings, order } = await driver.preflight({
        tables: [{ source, target }],
        run: 'live',
        enforcementOffWanted: false,
        sentinel: null,
        extraColumns: 'error',
      });
      assert.deepEqual(order, [target]);
      const blocking = findings
        .filter(({ severity }) => severity === 'blocking')
        .map(({ id, object }) => `${id} ${object}`);
      const label = `${target.schema}.${target.table}`;
      assert.deepEqual(blocking, [
        `column.narrower ${label}.ID`,
        `column.narrower ${label}.S`,
        `column.refuses-null ${label}.S`,
      ]);
    });

    test('values of every type are compared to the last digit', async (t) => {
      const { driver, source, target } = await createLive(
        t,
        [
          `CREATE TABLE "{T}" ("ID" NUMBER(19) PRIMARY KEY, "N" NUMBER, "BD" BINARY_DOUBLE, "S" VARCHAR2(20), "CH" CHAR(5), "C" CLOB, "B" BLOB,
           "R" RAW(16), "D" DATE, "TS" TIMESTAMP(6), "TZ" TIMESTAMP(6) WITH TIME ZONE, "LTZ" TIMESTAMP(6) WITH LOCAL TIME ZONE,
           "YM" INTERVAL YEAR(4) TO MONTH, "DS" INTERVAL DAY(4) TO SECOND(6), "J" CLOB CHECK ("J" IS JSON))`,
          `INSERT INTO "{T}" VALUES (1, 12345678901234567890123456789012345.5, 0.1, 'ü', 'ab', 'long', HEXTORAW('00FF'), HEXTORAW('00112233445566778899AABBCCDDEEFF'),
           DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.123456', TIMESTAMP '2024-02-29 14:34:56.1 +02:00', TIMESTAMP '2024-02-29 14:34:56.1 +02:00',
           INTERVAL '1-2' YEAR TO MONTH, INTERVAL '3 04:05:06.789' DAY TO SECOND, '{"b": 1.50, "a": 2}')`,
        ],
        {
          id: 'INT8',
          n: 'DECIMAL',
          bd: 'FLOAT8',
          s: 'STRING',
          ch: 'CHAR(5)',
          c: 'STRING',
          b: 'BYTES',
          r: 'UUID',
          d: 'DATE',
          ts: 'TIMESTAMP',
          tz: 'TIMESTAMPTZ',
          ltz: 'TIMESTAMPTZ',
          ym: 'INTERVAL',
          ds: 'INTERVAL',
          j: 'JSONB',
        },
      );
      const [table] = await driver.planComparison([{ source, target }]);
      assert.ok(table);
      const snapshot = await driver.openSnapshot();
      t.after(() => snapshot.close());
      const row = [
        '1',
        '12345678901234567890123456789012345.5',
        '0.1',
        'ü',
        'ab',
        'long',
        '\\x00ff',
        '00112233-4455-6677-8899-aabbccddeeff',
        '2024-02-29',
        '2024-02-29 12:34:56.123456',
        '2024-02-29 12:34:56.1+00',
        '2024-02-29 12:34:56.1+00',
        '1 year 2 mons',
        '3 days 04:05:06.789',
        '{"a": 2, "b": 1.5}',
      ];
      assert.deepEqual(await snapshot.compare(table, [row, ['2', ...row.slice(1)]]), { missing: [1], different: [] });
      for (let place = 1; place < row.length; place++) {
        const { different } = await snapshot.compare(table, [row.map((text, i) => (i === place ? null : text))]);
        assert.deepEqual(different, [{ row: 0, columns: [place] }], table.columns[place]?.source);
      }
      assert.deepEqual(await snapshot.keys(table, null, 10), [['1']]);
    });

    test("an identity column's sequence goes on beyond the rows", async (t) => {
      const { client, driver, named, target } = await createLive(
        t,
        [
          'CREATE TABLE "{T}" ("ID" NUMBER(19) GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)',
          'INSERT INTO "{T}" VALUES (500)',
        ],
        { id: 'INT8' },
      );
      const { done, remains } = await driver.alignSequences([target]);
      assert.deepEqual([done.length, remains], [1, []]);
      await client.execute(named('INSERT INTO "{T}" VALUES (DEFAULT)'));
      const { rows } = await client.execute(named('SELECT MAX("ID") AS greatest FROM "{T}"'));
      assert.deepEqual(rows, [{ greatest: '501' }]);
    });
  },
);
