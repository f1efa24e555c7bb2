import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  asSourceReads,
  comparedTypeOf,
  fromSource,
  fromTarget,
} from '../../../src/targets/oracle/comparison-values.js';
import { keysSql, rowsSql } from '../../../src/targets/oracle/comparison-sql.js';

const typeOf = (sourceType: string, targetType: string) =>
  comparedTypeOf({ source: 'c', target: 'C', targetType, sourceType, isEnum: false });

/** Source type | Oracle's type | source's text | Oracle's text | equal. */
const PAIRS: readonly (readonly [string, string, string, string, boolean])[] = [
  ['DECIMAL', 'NUMBER', '0.50', '.5', true],
  ['DECIMAL', 'NUMBER', '-0.5', '-.5', true],
  ['DECIMAL', 'NUMBER', '1E+3', '1000', true],
  ['DECIMAL', 'NUMBER', '9007199254740993', '9007199254740992', false],
  ['DECIMAL', 'NUMBER', 'NaN', '0', false],
  ['BOOL', 'NUMBER(1)', 't', '1', true],
  ['BOOL', 'CHAR(1)', 'f', '0', true],
  ['BOOL', 'VARCHAR2(5)', 'f', 'false', true],
  ['BOOL', 'BOOLEAN', 't', '0', false],
  ['FLOAT8', 'BINARY_DOUBLE', '1e+300', '1.0E+300', true],
  ['FLOAT8', 'BINARY_DOUBLE', '-0', '0', true],
  ['FLOAT8', 'BINARY_DOUBLE', '-Infinity', '-Inf', true],
  ['FLOAT8', 'BINARY_DOUBLE', 'NaN', 'Nan', true],
  ['FLOAT8', 'BINARY_DOUBLE', '0.1', '0.10000000000000001', true],
  ['FLOAT8', 'BINARY_DOUBLE', '0.1', '0.10000000000000002', false],
  ['FLOAT4', 'BINARY_FLOAT', '0.1', '1.00000001E-001', true],
  ['STRING', 'VARCHAR2(10)', 'a ', 'a', false],
  ['STRING', 'CHAR(3)', 'a', 'a  ', true],
  ['STRING', 'CHAR(3)', 'a', 'A  ', false],
  ['BYTES', 'BLOB', '\\x00ff', '00ff', true],
  ['BYTES', 'RAW(2)', '\\x00ff', '00FF', true],
  ['DATE', 'DATE', '2024-02-29', ' 2024-02-29 00:00:00', true],
  ['DATE', 'DATE', '0044-03-15 BC', '-0044-03-15 00:00:00', true],
  ['DATE', 'DATE', '2024-02-29', ' 2024-02-29 00:00:01', false],
  ['DATE', 'DATE', 'infinity', ' 9999-12-31 00:00:00', false],
  ['TIMESTAMP', 'TIMESTAMP(6)', '2024-02-29 12:34:56.1', ' 2024-02-29 12:34:56.100000000', true],
  ['TIMESTAMPTZ', 'TIMESTAMP(6) WITH TIME ZONE', '2024-02-29 12:34:56+00', ' 2024-02-29 12:34:56.000000000', true],
  ['TIMESTAMP', 'DATE', '2024-02-29 12:34:56.1', ' 2024-02-29 12:34:56', false],
  ['INTERVAL', 'INTERVAL DAY(9) TO SECOND(6)', '3 days 04:05:06.789', '+000000003 04:05:06.789000', true],
  ['INTERVAL', 'INTERVAL DAY(9) TO SECOND(6)', '-00:00:01', '-000000000 00:00:01.000000', true],
  ['INTERVAL', 'INTERVAL YEAR(9) TO MONTH', '1 year 2 mons', '+000000001-02', true],
  ['INTERVAL', 'INTERVAL YEAR(9) TO MONTH', '1 year 2 mons', '+000000001-03', false],
  ['TIME', 'INTERVAL DAY(2) TO SECOND(6)', '12:34:56', '+00 12:34:56.000000', true],
];

describe('the texts of both sides', () => {
  for (const [from, to, source, target, equal] of PAIRS)
    test(`${source} of ${from} and ${target.trim()} of ${to} are ${equal ? 'one' : 'two'}`, () => {
      const type = typeOf(from, to);
      assert.equal(fromSource(type, source) === fromTarget(type, target), equal);
    });

  test('an empty text is NULL, as are no bytes', () => {
    for (const [from, to, empty] of [
      ['STRING', 'VARCHAR2(10)', ''],
      ['STRING', 'CLOB', ''],
      ['BYTES', 'BLOB', '\\x'],
      ['BYTES', 'RAW(10)', '\\x'],
    ] as const)
      assert.equal(fromSource(typeOf(from, to), empty), null);
  });

  test('a key goes back to the source as the source reads it', () => {
    for (const [from, to, shown, read] of [
      ['INT8', 'NUMBER(19)', '12', '12'],
      ['BOOL', 'NUMBER(1)', '0', 'f'],
      ['BYTES', 'RAW(10)', '00FF', '\\x00ff'],
      ['DATE', 'DATE', '-0044-03-15 00:00:00', '0044-03-15 BC'],
      [
        'TIMESTAMPTZ',
        'TIMESTAMP(6) WITH LOCAL TIME ZONE',
        ' 2024-02-29 12:34:56.100000000',
        '2024-02-29 12:34:56.100000000+00',
      ],
      ['TIME', 'INTERVAL DAY(0) TO SECOND(6)', '+0 12:34:56.100000', '12:34:56.100000000'],
    ] as const) {
      const type = typeOf(from, to);
      assert.equal(asSourceReads(type, fromTarget(type, shown) ?? ''), read);
    }
  });
});

test('the statements of the comparison', () => {
  const column = (target: string, targetType: string) => ({ source: target, target, targetType, isEnum: false });
  const table = {
    source: { schema: 'public', table: 't' },
    target: { schema: 'SHOP', table: 'T' },
    columns: [
      column('A', 'CHAR(3)'),
      column('B', 'RAW(16)'),
      column('TZ', 'TIMESTAMP(6) WITH LOCAL TIME ZONE'),
      column('DS', 'INTERVAL DAY(2) TO SECOND(6)'),
      column('F', 'BOOLEAN'),
      column('J', 'JSON'),
      column('BL', 'BLOB'),
    ],
    keyCount: 2,
    notCompared: [],
  };
  assert.equal(
    rowsSql(table, 2),
    `SELECT t."A" AS c1, RAWTOHEX(t."B") AS c2, TO_CHAR(t."TZ" AT TIME ZONE 'UTC', 'SYYYY-MM-DD HH24:MI:SS.FF9') AS c3, TO_CHAR(t."DS") AS c4,` +
      ` CASE WHEN t."F" THEN '1' WHEN NOT t."F" THEN '0' END AS c5, JSON_SERIALIZE(t."J" RETURNING CLOB) AS c6, t."BL" AS c7` +
      ` FROM "SHOP"."T" t WHERE (t."A", t."B") IN ((CAST(:1 AS CHAR(2000)), HEXTORAW(:2)), (CAST(:3 AS CHAR(2000)), HEXTORAW(:4)))`,
  );
  assert.equal(
    keysSql(table, true, 10),
    `SELECT t."A" AS c1, RAWTOHEX(t."B") AS c2 FROM "SHOP"."T" t WHERE t."A" >= CAST(:1 AS CHAR(2000)) AND ((t."A" > CAST(:2 AS CHAR(2000)))` +
      ` OR (t."A" = CAST(:3 AS CHAR(2000)) AND t."B" > HEXTORAW(:4))) ORDER BY t."A", t."B" FETCH FIRST 10 ROWS ONLY`,
  );
});
