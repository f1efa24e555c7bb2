import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyClassOf, parseSourceType } from '../../src/domain/source-type.js';

const PARSED: readonly (readonly [string, string])[] = [
  ['INT8', 'int8'],
  ['INT', 'int8'],
  ['bigint', 'int8'],
  ['INT4', 'int4'],
  ['INT2', 'int2'],
  ['DECIMAL', 'decimal'],
  ['DECIMAL(10,2)', 'decimal(10,2)'],
  ['numeric(10, 2)', 'decimal(10,2)'],
  ['STRING', 'string'],
  ['STRING(20)', 'string(20)'],
  ['VARCHAR(20)', 'string(20)'],
  ['character varying(20)', 'string(20)'],
  ['CHAR', 'char(1)'],
  ['CHAR(3)', 'char(3)'],
  ['"char"', '"char"'],
  ['BIT', 'bit(1)'],
  ['VARBIT(5)', 'varbit(5)'],
  ['FLOAT8', 'float8'],
  ['double precision', 'float8'],
  ['TIMESTAMPTZ(3)', 'timestamptz(3)'],
  ['timestamp(3) with time zone', 'timestamptz(3)'],
  ['timestamp without time zone', 'timestamp'],
  ['STRING[]', 'string[]'],
  ['DECIMAL(10,2)[]', 'decimal(10,2)[]'],
  ['STRING COLLATE en', 'string~en'],
  ['VARCHAR(5) COLLATE "de_DE"', 'string(5)~de_DE'],
  ['STRING[] COLLATE en', 'string[]~en'],
  ['STRING COLLATE en[]', 'string[]~en'],
  ['public.Mood', 'public.Mood'],
  ['JSONB', 'jsonb'],
  ['', ''],
];

for (const [text, expected] of PARSED) {
  test(`type ${text}`, () => {
    const { base, limits, array, collation } = parseSourceType(text);
    const shown = `${base}${limits.length > 0 ? `(${limits.join(',')})` : ''}${array ? '[]' : ''}${collation ? `~${collation}` : ''}`;
    assert.equal(shown, expected);
  });
}

test('how keys of each type are told apart', () => {
  const classes: readonly (readonly [string, string | null])[] = [
    ['INT8', 'exact'],
    ['STRING', 'exact'],
    ['public.mood', 'exact'],
    ['DECIMAL(10,2)', 'decimal'],
    ['FLOAT4', 'float'],
    ['FLOAT8', 'float'],
    ['STRING COLLATE en', null],
    ['CITEXT', null],
    ['JSONB', null],
    ['DECIMAL[]', null],
  ];
  for (const [type, expected] of classes) assert.equal(keyClassOf(type), expected, type);
});
