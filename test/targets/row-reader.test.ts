import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRowReader, readKey } from '../../src/targets/row-reader.js';

const row = (text: string, columns: readonly string[]) => createRowReader(columns)(Buffer.from(text));

test('every value keeps the text that CockroachDB wrote; only a string is unescaped', () => {
  const cases: readonly (readonly [json: string, kind: string, text: string])[] = [
    ['null', 'null', 'null'],
    ['true', 'bool', 'true'],
    ['false', 'bool', 'false'],
    ['1.500', 'number', '1.500'],
    ['-1E-28', 'number', '-1E-28'],
    ['9223372036854775807', 'number', '9223372036854775807'],
    ['12345678901234567890.1234567890', 'number', '12345678901234567890.1234567890'],
    ['-0', 'number', '-0'],
    ['""', 'string', ''],
    ['"ünï 漢字 🚀"', 'string', 'ünï 漢字 🚀'],
    [String.raw`"tab\tnl\nbs\\q\"sq'ctl\u0001"`, 'string', 'tab\tnl\nbs\\q"sq\'ctl\u0001'],
    [String.raw`"\\"`, 'string', '\\'],
    [String.raw`"\\\""`, 'string', '\\"'],
    [String.raw`"\ud83d\ude80 \ud83d"`, 'string', '🚀 \ud83d'],
    ['"null"', 'string', 'null'],
    [
      String.raw`{"a": 1E+2, "b": ["}", 2.50, null, {"a\"": "\\"}]}`,
      'json',
      String.raw`{"a": 1E+2, "b": ["}", 2.50, null, {"a\"": "\\"}]}`,
    ],
    ['[]', 'json', '[]'],
    [String.raw`["b\"]", null]`, 'json', String.raw`["b\"]", null]`],
  ];
  for (const [json, kind, text] of cases) {
    assert.deepEqual(
      row(`{"id": 1, "v": ${json}, "w": 2}`, ['id', 'v', 'w']).slice(1),
      [
        { kind, text },
        { kind: 'number', text: '2' },
      ],
      json,
    );
    assert.deepEqual(row(`{"v":${json}}`, ['v']), [{ kind, text }], json);
    assert.deepEqual(
      readKey(Buffer.from(`[${json}, ${json}]`)),
      [
        { kind, text },
        { kind, text },
      ],
      json,
    );
  }
});

test('a name may be spelled with escapes, and holds what it wants', () => {
  assert.equal(
    row(String.raw`{"a\"b": 1, "\u00fc": 2, "{": 3}`, ['a"b', 'ü', '{'])
      .map(({ text }) => text)
      .join(),
    '1,2,3',
  );
});

test('a row is read from where it lies in a larger buffer', () => {
  const all = Buffer.from('xx{"v": 7}yy');
  assert.equal(createRowReader(['v'])(all.subarray(2, 10))[0]?.text, '7');
});

test('what is no row of the columns is an error that shows no value', () => {
  for (const [text, columns] of [
    ['{"v": "s3cret"}', ['w']],
    ['{"v": "s3cret"}', ['v', 'w']],
    ['{"v": "s3cret", "w": 1}', ['v']],
    ['{"v": "s3cret', ['v']],
    ['{"v": ["s3cret"', ['v']],
    ['["s3cret"]', ['v']],
    ['{"v": s3cret}', ['v']],
  ] as const) {
    assert.throws(
      () => row(text, columns),
      (error: Error) => /not the JSON/.test(error.message) && !error.message.includes('s3cret'),
      text,
    );
  }
});
