import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  batchBody,
  createRowEncoder,
  resolvedMessage,
  type Change,
  type EnvelopeKind,
  type RowShape,
} from '../../demo/simulator/feeds/encode.js';
import { parseHlc, type Hlc } from '../../demo/simulator/feeds/hlc.js';
import type { JsonStyle } from '../../demo/simulator/feeds/json-text.js';
import { valueEncoder } from '../../demo/simulator/feeds/value.js';

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../golden/cockroach/${name}.json`, import.meta.url), 'utf8')) as T;
}

const plain = {
  kind: 'wrapped',
  virtualColumns: 'omitted',
  updated: true,
  diff: false,
  mvccTimestamp: false,
  keyInValue: true,
  topicInValue: true,
} as const;

function hlc(text: string): Hlc {
  const parsed = parseHlc(text);
  assert.ok(parsed, 'parsed');
  return parsed;
}

/** Name in the capture, PostgreSQL's type, and PostgreSQL's text of the captured rows' values. */
const TYPES: readonly [string, string, readonly (string | null)[]][] = [
  ['i8', 'bigint', ['-9223372036854775808', '9223372036854775807', '0', null]],
  ['i4', 'integer', ['-2147483648', '2147483647', '0', null]],
  ['i2', 'smallint', ['-32768', '32767', '0', null]],
  ['dec', 'numeric', ['1.500', '1000000000000000000000000000000', '-0.0000000000000000000000000001', null]],
  ['dec_special', 'numeric', ['NaN', 'Infinity', '-Infinity', null]],
  ['num', 'numeric(20,5)', ['1.50000', '123456789012345.12345', '-0.00001', null]],
  ['f8', 'double precision', ['1.5', '1e+300', '-1e-300', null]],
  ['f8_special', 'double precision', ['NaN', 'Infinity', '-Infinity', '-0']],
  ['f4', 'real', ['1.1', '3.4e+38', '16777217', null]],
  ['f8_int', 'double precision', ['1', '1e+21', '0.1', '1.2345678901234568e+17']],
  ['b', 'boolean', ['t', 'f', 'true', null]],
  ['s', 'text', ['ünï 漢字 🚀', 'tab\tnl\ncr\rbs\\q"sq\'ctl\u0001', '<a href="x">&</a>\u2028\u2029', null]],
  ['vc', 'character varying(10)', ['abc', '', ' pad ', null]],
  ['ch', 'character(3)', ['abc', '   ', 'ab ', null]],
  ['qc', '"char"', ['a', '', 'z', null]],
  ['nm', 'name', ['nm', '', 'N', null]],
  ['by', 'bytea', ['\\x0001ff', '\\x', '\\x706c61696e206173636969', null]],
  [
    'ts',
    'timestamp without time zone',
    ['2024-02-29 12:34:56.123456', '0001-01-01 00:00:00', '9999-12-31 23:59:59.999999', null],
  ],
  ['ts_special', 'timestamp without time zone', ['infinity', '4714-11-24 00:00:00 BC', '1969-12-31 23:59:59.9', null]],
  [
    'ts0',
    'timestamp(0) without time zone',
    ['2024-02-29 12:34:57', '2024-02-29 12:34:56', '2024-02-29 00:00:00', null],
  ],
  [
    'tstz',
    'timestamp with time zone',
    ['2024-02-29 10:04:56.123456+00', '2024-02-29 12:34:56+00', '1900-01-01 12:00:00+00', null],
  ],
  ['d', 'date', ['2024-02-29', 'infinity', '0044-03-15 BC', null]],
  ['tm', 'time without time zone', ['12:34:56.123456', '24:00:00', '00:00:00', null]],
  ['tmtz', 'time with time zone', ['12:34:56.123456+02:30', '24:00:00-15:59', '00:00:00+00', null]],
  ['iv', 'interval', ['1 year 2 mons 3 days 04:05:06.789', '-1 mons +2 days -03:00:00', '00:00:00', null]],
  [
    'u',
    'uuid',
    [
      '5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '00000000-0000-0000-0000-000000000000',
      null,
    ],
  ],
  ['j2', 'jsonb', ['12345678901234567890.1234567890', '[]', '{"k": "<&>"}', null]],
  ['ip', 'inet', ['192.168.0.1', '10.0.0.0/8', '2001:db8::1/64', null]],
  ['ai', 'bigint[]', ['{1,NULL,-3}', '{}', '{9223372036854775807}', null]],
  ['ast', 'text[]', ['{a,"b\\"c",NULL,""}', '{"{x,y}"}', '{}', null]],
  ['ad', 'numeric[]', ['{1.50,NaN}', '{1}', '{}', null]],
  ['aby', 'bytea[]', ['{"\\\\x00ff"}', '{"\\\\x61",NULL}', '{}', null]],
  ['ats', 'timestamp with time zone[]', ['{"2024-02-29 12:34:56+00"}', '{NULL}', '{}', null]],
  ['au', 'uuid[]', ['{5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10}', '{NULL}', '{}', null]],
  ['e', 'public.mood', ['happy', 'sad "x"', 'happy', null]],
  ['ae', 'public.mood[]', ['{happy,"sad \\"x\\""}', '{}', '{NULL}', null]],
  ['bt', 'bit(8)', ['10101010', '00000000', '11111111', null]],
  ['vb', 'bit varying', ['101', '', '1', null]],
  ['co', 'text', ['résumé', '', 'Z', null]],
  ['oi', 'oid', ['1', '4294967295', '0', null]],
];

interface CapturedRow {
  readonly key: string;
  readonly value: string;
  readonly compact: string;
}

describe('the JSON of a changefeed', () => {
  const captured = golden<Record<string, CapturedRow[]>>('types');
  for (const [name, type, values] of TYPES) {
    it(`writes ${type} (${name}) as captured, in both styles`, () => {
      const columns = [
        { name: 'id', type: 'bigint' },
        { name: 'v', type },
      ];
      const shape: RowShape = { columns, keyColumns: columns.slice(0, 1) };
      for (const [id, value] of values.entries()) {
        const row = captured[name]?.[id];
        assert.ok(row, 'row');
        const updated = hlc('1795321014225674439.0000000000');
        const change = { key: [String(id)], after: [String(id), value], before: null, updated, mvcc: updated };
        const encode = (style: JsonStyle): { key: string; value: string } =>
          createRowEncoder(shape, `probe_${name}`, { ...plain, style })(change);
        assert.equal(encode('spaced').value, row.value);
        assert.equal(encode('compact').value, row.compact);
        assert.equal(encode('spaced').key, row.key);
      }
    });
  }

  it('sorts the keys of a document by bytes and keeps the digits of its numbers', () => {
    const text =
      '{"b": [1, 2.50, null, true, {"a": "x\\u0001\\b"}], "aa": 12345678901234567890123.10, "é": {}, "z": {"long": 1, "s": 2}}';
    assert.equal(
      valueEncoder('jsonb', 'compact')(text),
      '{"aa":12345678901234567890123.10,"b":[1,2.50,null,true,{"a":"x\\u0001\\u0008"}],"z":{"long":1,"s":2},"é":{}}',
    );
  });

  it('escapes no backslash that is text', () => {
    assert.equal(valueEncoder('text', 'compact')('\\b \b \\\\f \f "'), '"\\\\b \\u0008 \\\\\\\\f \\u000c \\""');
  });

  it('refuses a time in the log that is not in UTC', () => {
    assert.throws(() => valueEncoder('timestamp with time zone', 'compact')('2024-02-29 12:00:00+02'), /not in UTC/);
  });
});

describe('keys', () => {
  const captured = golden<Record<string, Record<'insert' | 'delete', { key: string; value: string }>>>('keys');
  // The collated string's delete key is raw collation bytes in the capture; here it keeps its text.
  for (const [name, type, values] of TYPES.filter(([name]) => captured[name] && name !== 'co')) {
    it(`of ${type} (${name}) are as captured in the insert and in the delete`, () => {
      const columns = [{ name: 'v', type }];
      const encode = createRowEncoder({ columns, keyColumns: columns }, `pk_${name}`, { ...plain, style: 'spaced' });
      const key = [values[0] ?? ''];
      for (const [op, after] of [
        ['insert', key],
        ['delete', null],
      ] as const) {
        const row = captured[name]?.[op];
        assert.ok(row, 'row');
        const updated = hlc(/"updated": "([\d.]+)"/.exec(row.value)?.[1] ?? '');
        assert.deepEqual(encode({ key, after, before: null, updated, mvcc: updated }), row);
      }
    });
  }

  it('lose the zeros before the point too when a row is deleted', () => {
    assert.equal(valueEncoder('numeric', 'compact', 'deletedKey')('100'), '1E+2');
    assert.equal(valueEncoder('numeric', 'compact', 'deletedKey')('0.00'), '0');
  });
});

describe('envelopes', () => {
  interface Captured {
    readonly rows: readonly { table: string; key: string; value: string }[];
  }
  const captured = golden<Record<string, Captured>>('feeds');
  const columns = [
    { name: 'id', type: 'bigint' },
    { name: 'v', type: 'text' },
  ];
  const shape: RowShape = { columns, keyColumns: columns.slice(0, 1) };
  const at = hlc('1795320930604586514.0000000000');

  it('carry before and mvcc_timestamp when asked', () => {
    const encode = createRowEncoder(shape, 't', { ...plain, diff: true, mvccTimestamp: true, style: 'spaced' });
    const { value } = encode({ key: ['1'], after: ['1', 'one-b'], before: ['1', 'one'], updated: at, mvcc: at });
    assert.ok(
      captured['diff']?.rows.some((row) => row.value === value),
      value,
    );
  });

  it('carry neither key nor topic when they are not asked for', () => {
    const encode = createRowEncoder(shape, 't', { ...plain, keyInValue: false, topicInValue: false, style: 'spaced' });
    const { value } = encode({ key: ['1'], after: ['1', 'one-b'], before: null, updated: at, mvcc: at });
    assert.ok(
      captured['plain']?.rows.some((row) => row.value === value),
      value,
    );
  });

  it('are the row itself, or nothing, where they are not wrapped', () => {
    const change = { key: ['1'], after: ['1', 'one'], before: null, updated: at, mvcc: at };
    const value = (kind: EnvelopeKind, row: Change): string =>
      createRowEncoder(shape, 't', { ...plain, kind, style: 'spaced' })(row).value;
    assert.equal(
      value('row', change),
      '{"__crdb__": {"updated": "1795320930604586514.0000000000"}, "id": 1, "v": "one"}',
    );
    assert.equal(value('row', { ...change, after: null }), '');
    assert.equal(value('key_only', change), '');
    assert.equal(resolvedMessage(at, 'row'), '{"__crdb__":{"resolved":"1795320930604586514.0000000000"}}');
  });

  it('have virtual columns without a value when they are asked for', () => {
    const computed: RowShape = { ...shape, columns: [...columns, { name: 'vi', type: 'bigint', virtual: true }] };
    const value = (virtualColumns: 'omitted' | 'null'): string =>
      createRowEncoder(computed, 't', { ...plain, virtualColumns, keyInValue: false, style: 'spaced' })({
        key: ['1'],
        after: ['1', 'one', null],
        before: null,
        updated: at,
        mvcc: at,
      }).value;
    assert.match(value('omitted'), /^\{"after": \{"id": 1, "v": "one"\}/);
    assert.match(value('null'), /^\{"after": \{"id": 1, "v": "one", "vi": null\}/);
  });

  it('have composite keys in the order of the key', () => {
    const cp = ['a', 'b', 'c', 'v'].map((name, index) => ({
      name,
      type: ['bigint', 'text', 'uuid', 'text'][index] ?? '',
    }));
    const key = ['k"2 é', '-9007199254740993', '00000000-0000-0000-0000-000000000000'];
    const updated = hlc('1795320930708240795.0000000000');
    const encode = createRowEncoder({ columns: cp, keyColumns: [1, 0, 2].flatMap((index) => cp[index] ?? []) }, 'cp', {
      ...plain,
      diff: true,
      style: 'spaced',
    });
    const row = encode({
      key,
      after: [key[1] ?? '', key[0] ?? '', key[2] ?? '', null],
      before: null,
      updated,
      mvcc: updated,
    });
    assert.deepEqual(
      row,
      captured['composite']?.rows
        .filter((candidate) => candidate.key === row.key)
        .map(({ key, value }) => ({ key, value }))[0],
    );
  });

  it('make the body of the captured request, byte for byte', () => {
    const requests = golden<Record<string, { body: string }[]>>('requests')['batch_messages3'];
    const encode = createRowEncoder(shape, 't', { ...plain, style: 'compact' });
    const row = (id: string, v: string, at: string): string =>
      encode({ key: [id], after: [id, v], before: null, updated: hlc(at), mvcc: hlc(at) }).value;
    const later = '1795320930603790300.0000000000';
    assert.equal(
      batchBody([
        row('1', 'one', '1795320930602742264.0000000000'),
        row('2', 'tw"o', later),
        row('3', 'ünïcode 漢字 🚀 <&> \\u0041', later),
      ]),
      requests?.[0]?.body,
    );
    assert.equal(resolvedMessage(hlc('1795320930614519667.0000000002')), requests?.at(-1)?.body);
  });
});
