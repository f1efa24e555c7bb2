import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Bind } from '../../../src/targets/oracle/client.js';
import { readColumnType } from '../../../src/targets/oracle/column-type.js';
import { RefusedValue } from '../../../src/targets/oracle/errors.js';
import { bindOf } from '../../../src/targets/oracle/types.js';
import { createRowReader } from '../../../src/targets/row-reader.js';
import { startH2, type H2 } from '../../support/h2.js';
import { remove, upsert } from '../postgres/apply-fixture.js';
import { createWriterFixture } from './writer-fixture.js';

interface Column {
  readonly type: string;
  readonly precision?: number;
  readonly scale?: number;
  readonly length?: number;
  readonly json?: boolean;
  readonly notNull?: boolean;
}

/** What a column of ALL_TAB_COLS looks like. */
function columnOf({ type, precision, scale, length, json = false, notNull = false }: Column) {
  const text = (value: number | undefined) => (value === undefined ? null : String(value));
  const row = {
    data_type: type,
    data_precision: text(precision),
    data_scale: text(scale),
    data_length: text(length),
    char_length: text(length),
    char_used: /CHAR/.test(type) ? 'B' : null,
    json_format: json ? 'TEXT' : null,
    nullable: notNull ? 'N' : 'Y',
  };
  return { name: 'V', type: readColumnType(row) };
}

const read = createRowReader(['v']);

function bound(column: Column, json: string): Bind {
  const [field] = read(Buffer.from(`{"v": ${json}}`));
  if (field === undefined) throw new Error('no field');
  return bindOf(columnOf(column), field);
}

const NUMBER = { type: 'NUMBER' };
const MONEY = { type: 'NUMBER', precision: 12, scale: 2 };
const INTEGER = { type: 'NUMBER', scale: 0 };
const DATE = { type: 'DATE' };
const TS6 = { type: 'TIMESTAMP(6)', scale: 6 };
const TZ3 = { type: 'TIMESTAMP(3) WITH TIME ZONE', scale: 3 };
const LTZ = { type: 'TIMESTAMP(6) WITH LOCAL TIME ZONE', scale: 6 };
const YM = { type: 'INTERVAL YEAR(2) TO MONTH', precision: 2, scale: 0 };
const DS = { type: 'INTERVAL DAY(2) TO SECOND(6)', precision: 2, scale: 6 };
const RAW16 = { type: 'RAW', length: 16 };
const TEXT = { type: 'VARCHAR2', length: 100 };

/** Texts of a changefeed, as CockroachDB 26.2 has been seen to write them. */
const GIVEN: readonly (readonly [column: Column, json: string, bind: Bind])[] = [
  [NUMBER, '-9223372036854775808', '-9223372036854775808'],
  [NUMBER, '123456789012345678901234567890.12345678', '123456789012345678901234567890.12345678'],
  [NUMBER, '1E+30', '1E+30'],
  [NUMBER, '-1E-28', '-1E-28'],
  [NUMBER, 'true', '1'],
  [NUMBER, 'false', '0'],
  [NUMBER, '"4294967295"', '4294967295'],
  [MONEY, '1.500', '1.500'],
  [MONEY, '1.25E+3', '1.25E+3'],
  [INTEGER, '7.00', '7.00'],
  [{ type: 'NUMBER', precision: 5, scale: -2 }, '12300', '12300'],
  [{ type: 'FLOAT', precision: 126 }, '1.1', '1.1'],
  [{ type: 'BINARY_DOUBLE' }, '"NaN"', 'NaN'],
  [{ type: 'BINARY_DOUBLE' }, '"Infinity"', 'INF'],
  [{ type: 'BINARY_FLOAT' }, '"-Infinity"', '-INF'],
  [{ type: 'BINARY_FLOAT' }, '3.4E+38', '3.4E+38'],
  [TEXT, '"ünï 漢字 🚀"', 'ünï 漢字 🚀'],
  [TEXT, '""', null],
  [TEXT, 'null', null],
  [TEXT, '[1, null, -3]', '[1, null, -3]'],
  [TEXT, 'true', 'true'],
  [{ type: 'CHAR', length: 1 }, 'true', '1'],
  [{ type: 'CLOB' }, '"x"', 'x'],
  [RAW16, '"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"', Buffer.from('5b3b1f4c8f0a4e0e9b8d0a5fbd6b9f10', 'hex')],
  [RAW16, '"\\\\x0001ff"', Buffer.from('0001ff', 'hex')],
  [{ type: 'BLOB' }, '"\\\\x"', null],
  [DATE, '"2024-02-29"', '2024-02-29 00:00:00'],
  [DATE, '"0044-03-15 BC"', '-0044-03-15 00:00:00'],
  [DATE, '"2024-02-29T12:34:56.000"', '2024-02-29 12:34:56'],
  [TS6, '"2024-02-29T12:34:56.123456"', '2024-02-29 12:34:56.123456000'],
  [TS6, '"0001-01-01T00:00:00"', '0001-01-01 00:00:00.000000000'],
  [TS6, '"-0043-03-15T00:00:00"', '-0044-03-15 00:00:00.000000000'],
  [TS6, '"2024-02-29T10:04:56.1Z"', '2024-02-29 10:04:56.100000000'],
  [TZ3, '"2024-02-29T10:04:56.123Z"', '2024-02-29 10:04:56.123000000 +00:00'],
  [LTZ, '"1900-01-01T12:00:00Z"', '1900-01-01 12:00:00.000000000 +00:00'],
  [YM, '"1 year 2 mons"', '+1-02'],
  [YM, '"-1 mons"', '-0-01'],
  [YM, '"00:00:00"', '+0-00'],
  [DS, '"3 days 04:05:06.789"', '+3 04:05:06.789000000'],
  [DS, '"2 days -03:00:00"', '+1 21:00:00.000000000'],
  [DS, '"-00:00:00.5"', '-0 00:00:00.500000000'],
  [DS, '"24:00:00"', '+1 00:00:00.000000000'],
  [{ type: 'BOOLEAN' }, 'true', 'true'],
  [{ type: 'JSON' }, '{"a": 1E+2, "b": [1, 2.50]}', '{"a": 1E+2, "b": [1, 2.50]}'],
  [{ type: 'JSON' }, '"str"', '"str"'],
  [{ type: 'JSON', notNull: true }, 'null', 'null'],
  [{ type: 'CLOB', json: true }, '"str"', '"str"'],
];

/** What Oracle would change without a word, or cannot hold. */
const REFUSED: readonly (readonly [column: Column, json: string, code: string])[] = [
  [MONEY, '1.005', 'ORA-01438'],
  [MONEY, '-1E-28', 'ORA-01438'],
  [INTEGER, '0.5', 'ORA-01438'],
  [{ type: 'NUMBER', precision: 5 }, '0.5', 'ORA-01438'],
  [{ type: 'NUMBER', precision: 5, scale: -2 }, '12340', 'ORA-01438'],
  [NUMBER, '1234567890123456789012345678901234567.89', 'ORA-01438'],
  [NUMBER, '1E-131', 'ORA-01438'],
  [NUMBER, '"NaN"', 'ORA-01722'],
  [NUMBER, '"Infinity"', 'ORA-01722'],
  [NUMBER, '"abc"', 'ORA-01722'],
  [{ type: 'FLOAT', precision: 10 }, '1.2345', 'ORA-01438'],
  [{ type: 'BINARY_FLOAT' }, '1E+300', 'ORA-01426'],
  [{ type: 'BINARY_DOUBLE' }, '"abc"', 'ORA-01722'],
  [{ ...TEXT, notNull: true }, '""', 'ORA-01400'],
  [{ type: 'BLOB', notNull: true }, '"\\\\x"', 'ORA-01400'],
  [TEXT, '"\\ud800"', 'ORA-01461'],
  [RAW16, '"101"', 'ORA-01465'],
  [DATE, '"infinity"', 'ORA-01841'],
  [DATE, '"2024-02-29T12:34:56.5"', 'ORA-01830'],
  [DATE, '"1582-10-10"', 'ORA-01839'],
  [TS6, '"294276-12-31T23:59:59.999999"', 'ORA-01841'],
  [TS6, '"-4713-11-24T00:00:00"', 'ORA-01841'],
  [TZ3, '"2024-02-29T10:04:56.1234Z"', 'ORA-01830'],
  [YM, '"3 days"', 'ORA-01867'],
  [DS, '"1 mon"', 'ORA-01867'],
  [{ ...DS, scale: 3 }, '"00:00:00.1234"', 'ORA-01873'],
];

describe('texts of the changefeed for Oracle', () => {
  for (const [column, json, bind] of GIVEN)
    test(`${readColumnType({ data_type: column.type }).declared} takes ${json}`, () => {
      assert.deepEqual(bound(column, json), bind);
    });

  for (const [column, json, code] of REFUSED)
    test(`${columnOf(column).type.declared} refuses ${json}`, () => {
      assert.throws(
        () => bound(column, json),
        (error: unknown) => {
          assert.ok(error instanceof RefusedValue, String(error));
          assert.equal(error.code, code);
          assert.equal(error.column, 'V');
          const value = json.replaceAll('"', '');
          if (value.length > 4) assert.ok(!error.message.includes(value), 'the message holds the value');
          return true;
        },
      );
    });
});

describe('values that went into H2 in its Oracle mode', () => {
  let h2: H2;
  before(async () => {
    h2 = await startH2();
  });
  after(() => h2.stop());

  /** `shown` is H2's own text of the value. */
  const KEPT: readonly (readonly [type: string, json: string, shown: string | null])[] = [
    ['NUMBER', '123456789012345678901234567890.12345678', '123456789012345678901234567890.12345678'],
    ['NUMBER(12,2)', '-0.01', '-0.01'],
    ['NUMBER', '1E+30', '1E+30'],
    ['NUMBER(1)', 'true', '1'],
    ['BINARY_DOUBLE', '1.2345678901234568E+17', '1.2345678901234568E17'],
    ['BINARY_DOUBLE', '"NaN"', 'NaN'],
    ['BINARY_FLOAT', '1.1', '1.1'],
    ['VARCHAR2(20)', '"it\'s \\"ü\\" \\\\ 🚀"', `it's "ü" \\ 🚀`],
    ['VARCHAR2(20)', '""', null],
    ['CLOB', `"${'x'.repeat(5000)}"`, 'x'.repeat(5000)],
    ['DATE', '"2024-02-29"', '2024-02-29 00:00:00'],
    ['TIMESTAMP(6)', '"2024-02-29T12:34:56.123456"', '2024-02-29 12:34:56.123456'],
    ['TIMESTAMP(6) WITH TIME ZONE', '"2024-02-29T12:34:56.123456Z"', '2024-02-29 12:34:56.123456+00'],
    ['INTERVAL DAY(3) TO SECOND(6)', '"-3 days -04:05:06.789"', `INTERVAL '-3 04:05:06.789' DAY TO SECOND`],
    ['INTERVAL YEAR(4) TO MONTH', '"1 year 2 mons"', `INTERVAL '1-2' YEAR TO MONTH`],
    ['BOOLEAN', 'true', 't'],
  ];

  for (const [type, json, shown] of KEPT)
    test(`${type} keeps ${json.slice(0, 60)}`, async (t) => {
      const ddl = `CREATE TABLE "T" ("ID" NUMBER PRIMARY KEY, "V" ${type})`;
      const { write, rows } = await createWriterFixture(t, h2, ddl, ['T']);
      await write(upsert(1, 0, '[1]', `{"id": 1, "v": ${json}}`));
      assert.deepEqual(await rows('SELECT "V" FROM "T"'), [[shown]]);
    });

  for (const [type, json, shown] of [
    ['RAW(16)', '"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"', '5b3b1f4c8f0a4e0e9b8d0a5fbd6b9f10'],
    ['BLOB', '"\\\\x00ff"', '00ff'],
  ] as const)
    test(`${type} keeps ${json}`, async (t) => {
      const ddl = `CREATE TABLE "T" ("ID" NUMBER PRIMARY KEY, "V" ${type})`;
      const { write, rows } = await createWriterFixture(t, h2, ddl, ['T']);
      await write(upsert(1, 0, '[1]', `{"id": 1, "v": ${json}}`));
      assert.deepEqual(await rows('SELECT RAWTOHEX("V") FROM "T"'), [[shown]]);
    });

  for (const [type, key] of [
    ['NUMBER', '1.500'],
    ['VARCHAR2(20)', '"a b"'],
    ['CHAR(5)', '"ab"'],
    ['RAW(16)', '"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"'],
    ['DATE', '"2024-02-29"'],
    ['TIMESTAMP(6)', '"2024-02-29T12:34:56.123456"'],
  ] as const)
    test(`a key of ${type} finds its row again`, async (t) => {
      const ddl = `CREATE TABLE "T" ("K" ${type} PRIMARY KEY, "V" NUMBER)`;
      const { write, rows } = await createWriterFixture(t, h2, ddl, ['T:k']);
      await write(upsert(1, 0, `[${key}]`, `{"k": ${key}, "v": 1}`));
      await write(upsert(2, 0, `[${key}]`, `{"k": ${key}, "v": 2}`));
      assert.deepEqual(await rows('SELECT "V" FROM "T"'), [['2']]);
      await write(remove(3, 0, `[${key}]`));
      assert.deepEqual(await rows('SELECT "V" FROM "T"'), []);
    });
});
