import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { boundOf, columnFit, conversionOf, fittingType, widenedType } from '../../../src/targets/oracle/column-fit.js';
import { parseDeclared } from '../../../src/targets/oracle/column-type.js';
import type { TargetColumn } from '../../../src/targets/oracle/table-shape.js';

/** `VARCHAR2(10 CHAR)`, `CLOB IS JSON`. */
function target(declared: string): TargetColumn {
  return {
    ...parseDeclared(declared),
    name: 'C',
    chars: / CHAR\)/.test(declared),
    collation: null,
    hasDefault: false,
    onNull: false,
    generated: false,
    identity: null,
    sequence: null,
  };
}

const source = (type: string, enumLabels?: readonly string[]) => ({
  name: 'c',
  type,
  nullable: true,
  ...(enumLabels === undefined ? {} : { enumLabels }),
});

/** Source type | Oracle's type | fit | what MODIFY widens it to, where it does not fit. */
const FITS = `
INT8 | NUMBER | fits
INT8 | NUMBER(19) | fits
INT8 | NUMBER(*,0) | fits
INT8 | NUMBER(18) | narrower | NUMBER(19)
INT8 | NUMBER(19,2) | narrower | NUMBER(21,2)
INT8 | NUMBER(38,30) | narrower | NUMBER
INT8 | NUMBER(20,-2) | rounds
INT8 | FLOAT(126) | fits
INT8 | BINARY_DOUBLE | incompatible
INT4 | BINARY_DOUBLE | fits
INT4 | BINARY_FLOAT | incompatible
INT2 | BINARY_FLOAT | fits
INT8 | VARCHAR2(20) | fits
INT8 | VARCHAR2(19) | narrower
INT8 | DATE | incompatible
DECIMAL | NUMBER | bounded
DECIMAL | NUMBER(20,5) | rounds | NUMBER
DECIMAL(10,2) | NUMBER | fits
DECIMAL(10,2) | NUMBER(10,2) | fits
DECIMAL(10,2) | NUMBER(10) | rounds | NUMBER(12,2)
DECIMAL(10,2) | NUMBER(9,2) | narrower | NUMBER(10,2)
DECIMAL(10,2) | NUMBER(10,4) | narrower | NUMBER(12,4)
DECIMAL(50,2) | NUMBER | bounded
DECIMAL(10,2) | CLOB | fits
FLOAT8 | BINARY_DOUBLE | bounded
FLOAT8 | BINARY_FLOAT | rounds
FLOAT4 | BINARY_FLOAT | converts
FLOAT8 | NUMBER | bounded
FLOAT8 | NUMBER(10,2) | incompatible
FLOAT8 | FLOAT(126) | bounded
FLOAT8 | FLOAT(23) | rounds
BOOL | NUMBER(1) | fits
BOOL | BOOLEAN | fits
BOOL | CHAR(1) | converts
BOOL | VARCHAR2(5) | converts
BOOL | VARCHAR2(3) | narrower
BOOL | NUMBER(2,2) | incompatible
STRING(50) | VARCHAR2(50 CHAR) | fits
STRING(50) | VARCHAR2(50) | narrower | VARCHAR2(50 CHAR)
STRING(50) | VARCHAR2(200) | fits
STRING(50) | NVARCHAR2(100) | fits
STRING(50) | NVARCHAR2(50) | bounded
STRING(50) | NVARCHAR2(49) | narrower | NVARCHAR2(100)
STRING(50) | CHAR(50 CHAR) | converts
STRING(2000) | VARCHAR2(2000 CHAR) | bounded
STRING | VARCHAR2(4000) | narrower
STRING | CLOB | fits
STRING | NCLOB | fits
STRING | NUMBER | incompatible
BYTES | BLOB | fits
BYTES | RAW(2000) | narrower
BYTES(16) | RAW(16) | fits
BYTES(16) | RAW(8) | narrower | RAW(16)
UUID | RAW(16) | fits
UUID | RAW(15) | narrower
UUID | CHAR(36) | fits
UUID | CHAR(40) | converts
UUID | VARCHAR2(36) | fits
UUID | VARCHAR2(32) | narrower
UUID | NUMBER | incompatible
BIT(8) | VARCHAR2(8) | fits
BIT(8) | RAW(1) | incompatible
DATE | DATE | bounded
DATE | TIMESTAMP(6) | bounded
TIMESTAMP | DATE | rounds | TIMESTAMP(6)
TIMESTAMP(0) | DATE | bounded
TIMESTAMP | TIMESTAMP(6) | bounded
TIMESTAMP | TIMESTAMP(3) | rounds | TIMESTAMP(6)
TIMESTAMP | TIMESTAMP(6) WITH TIME ZONE | converts
TIMESTAMPTZ | TIMESTAMP(6) WITH TIME ZONE | bounded
TIMESTAMPTZ | TIMESTAMP(6) WITH LOCAL TIME ZONE | bounded
TIMESTAMPTZ | TIMESTAMP(6) | converts
TIMESTAMPTZ | TIMESTAMP(3) WITH TIME ZONE | rounds | TIMESTAMP(6) WITH TIME ZONE
TIME | INTERVAL DAY(0) TO SECOND(6) | converts
TIME | INTERVAL DAY(2) TO SECOND(3) | rounds | INTERVAL DAY(2) TO SECOND(6)
TIME | VARCHAR2(15) | fits
TIME | DATE | incompatible
INTERVAL | INTERVAL YEAR(2) TO MONTH | bounded
INTERVAL | INTERVAL DAY(2) TO SECOND(6) | bounded
INTERVAL | INTERVAL DAY(2) TO SECOND(3) | rounds
INTERVAL | VARCHAR2(80) | fits
INET | VARCHAR2(49) | fits
JSONB | JSON | bounded
JSONB | CLOB IS JSON | fits
JSONB | CLOB | bounded
JSONB | VARCHAR2(4000) IS JSON | narrower
INT8[] | CLOB IS JSON | converts
INT8[] | JSON | converts
INT8[] | NUMBER | incompatible
GEOMETRY | SDO_GEOMETRY | unsupported
`;

describe('what an Oracle column takes of a source column', () => {
  for (const line of FITS.trim().split('\n')) {
    const [from = '', to = '', fit = '', widened = ''] = line.split(' | ').map((part) => part.trim());
    test(`${from} in ${to}: ${fit}`, () => {
      assert.equal(columnFit(source(from), target(to)), fit);
      if (widened !== '') {
        assert.equal(widenedType(source(from), target(to), false), widened);
        const after = columnFit(source(from), target(widened));
        assert.ok(['fits', 'bounded', 'converts'].includes(after), `${widened} ${after}`);
      }
      if (fit === 'bounded') assert.notEqual(boundOf(source(from), target(to)).words, '');
      if (fit === 'converts') assert.notEqual(conversionOf(source(from), target(to)), '');
    });
  }

  test('an enum takes a text as long as its longest label', () => {
    assert.equal(columnFit(source('mood', ['sad', 'happy']), target('VARCHAR2(5)')), 'fits');
    assert.equal(columnFit(source('mood', ['sad', 'happy']), target('VARCHAR2(4)')), 'narrower');
    assert.equal(columnFit(source('mood', ['sad', 'glücklich']), target('VARCHAR2(9)')), 'narrower');
    assert.equal(columnFit(source('mood', ['sad', 'glücklich']), target('VARCHAR2(9 CHAR)')), 'fits');
    assert.equal(columnFit(source('mood', ['sad', 'mad']), target('CHAR(3)')), 'fits');
    assert.equal(columnFit(source('mood', ['sad', 'happy']), target('CHAR(5)')), 'converts');
    assert.equal(columnFit(source('mood', ['sad']), target('NUMBER')), 'incompatible');
  });

  test('the type that fits takes what the source may hold', () => {
    const types = [
      'INT8',
      'INT2',
      'DECIMAL(10,2)',
      'DECIMAL',
      'FLOAT4',
      'BOOL',
      'STRING',
      'STRING(5)',
      'BYTES',
      'UUID',
    ];
    const more = [
      'DATE',
      'TIME',
      'TIMESTAMP(3)',
      'TIMESTAMPTZ',
      'INTERVAL',
      'INET',
      'JSONB',
      'VARBIT',
      'INT8[]',
      'BIT(3)',
    ];
    for (const type of [...types, ...more]) {
      const fitting = fittingType(source(type), false) ?? 'none';
      const fit = columnFit(source(type), target(fitting));
      assert.ok(['fits', 'bounded', 'converts'].includes(fit), `${type}: ${fitting} ${fit}`);
    }
    assert.equal(fittingType(source('TIMESTAMPTZ'), true), 'TIMESTAMP(6) WITH LOCAL TIME ZONE');
    assert.equal(fittingType(source('GEOMETRY'), false), null);
  });
});
