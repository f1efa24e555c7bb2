import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnFit, fittingType, type ColumnFit } from '../../../src/targets/postgres/column-fit.js';
import type { TargetColumn } from '../../../src/targets/postgres/table-shape.js';

const column = (type: string, enumLabels: readonly string[] = []): TargetColumn => ({
  name: 'c',
  type,
  baseType: type,
  typeKind: enumLabels.length > 0 ? 'e' : 'b',
  enumLabels,
  notNull: false,
  hasDefault: false,
  generated: false,
  identity: null,
  deterministic: true,
});

const FITS: readonly (readonly [string, string, ColumnFit])[] = [
  ['INT8', 'bigint', 'fits'],
  ['INT8', 'integer', 'narrower'],
  ['INT4', 'integer', 'fits'],
  ['INT4', 'smallint', 'narrower'],
  ['INT2', 'bigint', 'fits'],
  ['INT8', 'numeric', 'fits'],
  ['INT8', 'numeric(19,0)', 'fits'],
  ['INT8', 'numeric(18,0)', 'narrower'],
  ['INT8', 'numeric(20,2)', 'narrower'],
  ['INT8', 'numeric(25,-3)', 'rounds'],
  ['INT8', 'double precision', 'incompatible'],
  ['INT8', 'text', 'fits'],
  ['INT8', 'character varying(5)', 'narrower'],
  ['DECIMAL', 'numeric', 'fits'],
  ['DECIMAL', 'numeric(30,10)', 'rounds'],
  ['DECIMAL(10,2)', 'numeric(10,2)', 'fits'],
  ['DECIMAL(10,2)', 'numeric(12,4)', 'fits'],
  ['DECIMAL(10,2)', 'numeric(10,4)', 'narrower'],
  ['DECIMAL(10,2)', 'numeric(12,1)', 'rounds'],
  ['DECIMAL', 'double precision', 'incompatible'],
  ['FLOAT8', 'double precision', 'fits'],
  ['FLOAT8', 'real', 'rounds'],
  ['FLOAT4', 'real', 'converts'],
  ['FLOAT4', 'double precision', 'fits'],
  ['BOOL', 'boolean', 'fits'],
  ['BOOL', 'integer', 'incompatible'],
  ['STRING', 'text', 'fits'],
  ['STRING', 'character varying', 'fits'],
  ['STRING', 'character varying(20)', 'narrower'],
  ['VARCHAR(20)', 'character varying(20)', 'fits'],
  ['VARCHAR(21)', 'character varying(20)', 'narrower'],
  ['CHAR(3)', 'character(3)', 'fits'],
  ['CHAR(3)', 'character', 'narrower'],
  ['STRING', 'integer', 'incompatible'],
  ['STRING COLLATE en', 'text', 'fits'],
  ['BYTES', 'bytea', 'fits'],
  ['TIMESTAMP', 'timestamp without time zone', 'fits'],
  ['TIMESTAMP', 'timestamp with time zone', 'converts'],
  ['TIMESTAMPTZ', 'timestamp(0) without time zone', 'rounds'],
  ['TIMESTAMPTZ', 'timestamp with time zone', 'fits'],
  ['TIMESTAMPTZ', 'timestamp(0) with time zone', 'rounds'],
  ['TIMESTAMPTZ(3)', 'timestamp(3) with time zone', 'fits'],
  ['TIMETZ', 'time with time zone', 'fits'],
  ['INTERVAL', 'interval', 'fits'],
  ['INTERVAL', 'interval day to second', 'rounds'],
  ['INTERVAL', 'interval(0)', 'rounds'],
  ['UUID', 'uuid', 'fits'],
  ['JSONB', 'jsonb', 'fits'],
  ['JSONB', 'json', 'fits'],
  ['INET', 'inet', 'fits'],
  ['INET', 'cidr', 'incompatible'],
  ['BIT(3)', 'bit(3)', 'fits'],
  ['BIT(3)', 'bit(4)', 'narrower'],
  ['VARBIT(5)', 'bit varying(4)', 'narrower'],
  ['STRING[]', 'text[]', 'fits'],
  ['STRING[]', 'character varying(3)[]', 'narrower'],
  ['INT8[]', 'integer[]', 'narrower'],
  ['INT8[]', 'bigint', 'incompatible'],
  ['INT8[]', 'text', 'incompatible'],
  ['INT8', 'bigint[]', 'incompatible'],
  ['GEOMETRY(POINT,4326)', 'geometry', 'unsupported'],
  ['VECTOR(3)', 'text', 'unsupported'],
];

for (const [from, to, fit] of FITS) {
  test(`${from} into ${to}: ${fit}`, () => {
    assert.equal(columnFit({ name: 'c', type: from, nullable: true }, column(to)), fit);
  });
}

test('an enum fits where its labels are', () => {
  const source = { name: 'c', type: 'public.mood', nullable: true, enumLabels: ['sad', 'glad'] };
  assert.equal(columnFit(source, column('mood', ['glad', 'sad', 'so'])), 'fits');
  assert.equal(columnFit(source, column('mood', ['glad'])), 'narrower');
  assert.equal(columnFit(source, column('text')), 'fits');
  assert.equal(columnFit(source, column('character varying(3)')), 'narrower');
  assert.equal(columnFit(source, column('integer')), 'incompatible');
  assert.equal(columnFit({ ...source, type: 'public.mood[]' }, column('mood[]', ['glad', 'sad'])), 'fits');
});

test('the type of a missing column', () => {
  const types: readonly (readonly [string, string | null])[] = [
    ['INT8', 'bigint'],
    ['DECIMAL(10,2)', 'numeric(10,2)'],
    ['VARCHAR(20)', 'character varying(20)'],
    ['CHAR(3)', 'character varying(3)'],
    ['STRING', 'text'],
    ['BYTES', 'bytea'],
    ['TIMESTAMPTZ(3)', 'timestamptz(3)'],
    ['STRING[]', 'text[]'],
    ['UUID', 'uuid'],
    ['GEOMETRY', null],
  ];
  for (const [from, to] of types) assert.equal(fittingType({ name: 'c', type: from, nullable: true }), to);
});
