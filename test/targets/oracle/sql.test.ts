import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  COLUMNS,
  DEFERRABLE_UNIQUE_KEYS,
  REFERENCES,
  UNIQUE_KEYS,
  type ApplyShape,
} from '../../../src/targets/oracle/apply-shape.js';
import { readColumnType } from '../../../src/targets/oracle/column-type.js';
import {
  applyTable,
  columnStatement,
  deleteStatement,
  insertStatement,
  keptStatement,
  parkStatement,
  upsertStatement,
  type ApplyTable,
} from '../../../src/targets/oracle/sql.js';

const TYPES: Readonly<Record<string, readonly (string | number | undefined)[]>> = {
  ID: ['NUMBER', 19, 0],
  CODE: ['VARCHAR2', undefined, undefined, 20],
  LABEL: ['NVARCHAR2', undefined, undefined, 20],
  FLAG: ['CHAR', undefined, undefined, 1],
  PRICE: ['NUMBER', 12, 2],
  RATIO: ['BINARY_DOUBLE'],
  RATIO4: ['BINARY_FLOAT'],
  NOTE: ['CLOB'],
  TOKEN: ['RAW', undefined, undefined, 16],
  IMAGE: ['BLOB'],
  MADE: ['DATE'],
  SEEN: ['TIMESTAMP(6)', undefined, 6],
  SENT: ['TIMESTAMP(6) WITH TIME ZONE', undefined, 6],
  READ_AT: ['TIMESTAMP(6) WITH LOCAL TIME ZONE', undefined, 6],
  AGE: ['INTERVAL YEAR(2) TO MONTH', 2, 0],
  TOOK: ['INTERVAL DAY(2) TO SECOND(6)', 2, 6],
  OPEN: ['BOOLEAN'],
  DOC: ['JSON'],
  TOTAL: ['NUMBER'],
};

const shape: ApplyShape = {
  name: { schema: 'SHOP', table: 'Order "Items"' },
  columns: Object.entries(TYPES).map(([name, [type, precision, scale, length]]) => ({
    name,
    type: readColumnType({
      data_type: String(type),
      data_precision: precision === undefined ? null : String(precision),
      data_scale: scale === undefined ? null : String(scale),
      data_length: length === undefined ? null : String(length),
      char_length: length === undefined ? null : String(length),
      char_used: /CHAR/.test(String(type)) ? 'B' : null,
      json_format: null,
      nullable: 'Y',
    }),
    generated: name === 'TOTAL',
    identityAlways: false,
  })),
  uniqueKeys: [],
  referencedBy: [],
};

const orders = applyTable(shape, ['id'], 'error');
const byText = applyTable(shape, ['flag', 'token'], 'error');
const collecting = applyTable(shape, ['id'], { into: 'note' });
const all = Object.keys(TYPES).map((name) => name.toLowerCase());
const named = ({ shape: { columns } }: ApplyTable, ...names: readonly string[]) =>
  columns.filter(({ name }) => names.includes(name));

/** Every shape of statement, by a name that the golden file has, too. */
const STATEMENTS: Readonly<Record<string, string>> = {
  'upsert of every type': upsertStatement(orders, all).sql,
  'upsert of the key alone': upsertStatement(orders, ['id']).sql,
  'upsert by a CHAR and a RAW': upsertStatement(byText, ['token', 'flag', 'price']).sql,
  'upsert with what the target lacks': upsertStatement(collecting, ['id', 'extra', 'code']).sql,
  delete: deleteStatement(orders).sql,
  'delete by a CHAR and a RAW': deleteStatement(byText).sql,
  park: parkStatement(orders, named(orders, 'CODE', 'LABEL')).sql,
  kept: keptStatement(orders, named(orders, 'PRICE', 'NOTE', 'TOKEN', 'MADE', 'SEEN', 'SENT'))?.sql ?? 'none',
  'kept, with nothing to keep': keptStatement(orders, [])?.sql ?? 'none',
  'kept, with a BLOB': keptStatement(orders, named(orders, 'IMAGE'))?.sql ?? 'none',
  'insert of a lifted row': insertStatement(orders, ['id', 'code'], named(orders, 'TOKEN', 'MADE')).sql,
  'a value by itself': columnStatement(named(orders, 'PRICE')[0] ?? assert.fail()) ?? 'none',
  columns: COLUMNS.trim(),
  'unique keys': UNIQUE_KEYS.trim(),
  'deferrable unique keys': DEFERRABLE_UNIQUE_KEYS.trim(),
  references: REFERENCES.trim(),
};

/** Read by a person against Oracle's manual: no Oracle has run them yet. */
const golden = readFileSync(new URL('../../golden/oracle/statements.sql', import.meta.url), 'utf8');

describe('statements for Oracle', () => {
  for (const [name, sql] of Object.entries(STATEMENTS))
    test(name, () => {
      const [, found] = golden.split(`-- ${name}\n`);
      assert.equal(sql, found?.split('\n;')[0]);
    });

  test('the golden file has no other', () => {
    const names = [...golden.matchAll(/^-- (.*)$/gm)].map(([, name]) => name);
    assert.deepEqual(names, Object.keys(STATEMENTS));
  });

  test('characters of the national set are sent as such, and bytes as bytes', () => {
    assert.deepEqual(upsertStatement(orders, ['id', 'code', 'label', 'token', 'image']).kinds, [
      'text',
      'text',
      'national',
      'bytes',
      'bytes',
    ]);
  });
});
