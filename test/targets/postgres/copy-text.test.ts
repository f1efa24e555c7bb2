import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCopyWriter, type CopyField } from '../../../src/targets/postgres/copy-text.js';

/** The line of `{"v": json}`, or null. */
function line(json: string, field: CopyField = 'text'): string | null {
  return lineOf(`{"v": ${json}}`, ['v'], [field]);
}

function lineOf(row: string, columns: readonly string[], fields: readonly CopyField[]): string | null {
  const writer = createCopyWriter(columns, fields);
  const bytes = Buffer.from(row);
  // Bytes of another row around it must not be read or written.
  const around = Buffer.concat([Buffer.from('"x'), bytes, Buffer.from(',"y"')]).subarray(2, 2 + bytes.length);
  const target = Buffer.alloc(writer.mostBytes(around) + 1, 0x7f);
  const end = writer.write(around, target, 0);
  if (end < 0) return null;
  assert.ok(end <= writer.mostBytes(around), `${end} bytes of at most ${writer.mostBytes(around)}`);
  assert.equal(target.at(-1), 0x7f);
  return target.toString('utf8', 0, end);
}

const TEXTS: readonly (readonly [json: string, text: string])[] = [
  ['null', String.raw`\N`],
  ['true', 'true'],
  ['-0', '-0'],
  ['9223372036854775807', '9223372036854775807'],
  ['1.500', '1.500'],
  ['-1E-28', '-1E-28'],
  ['""', ''],
  [String.raw`"\\N"`, String.raw`\\N`],
  [String.raw`"\\."`, String.raw`\\.`],
  ['"ünï 漢字 🚀"', 'ünï 漢字 🚀'],
  [String.raw`"\ud83d\ude80\u00fc\u6f22\u003c\u007f"`, '🚀ü漢<\u007f'],
  [String.raw`"\"\/\\\b\f\n\r\t"`, String.raw`"/\\\b\f\n\r\t`],
  [String.raw`"\u0008\u0009\u000a\u000D\u000c\u005c\u0001"`, String.raw`\b\t\n\r\f\\` + '\u0001'],
];

test('a value becomes the text that PostgreSQL’s reader gets from JSON, escaped for COPY', () => {
  for (const [json, text] of TEXTS) assert.equal(line(json), `${text}\n`, json);
});

test('JSON stays JSON, escaped for COPY', () => {
  assert.equal(line('null', 'json'), '\\N\n');
  assert.equal(line('"plain"', 'json'), '"plain"\n');
  assert.equal(line('""', 'json'), '""\n');
  assert.equal(line('1.50', 'json'), '1.50\n');
  const nested = String.raw`{"a\"}": [1.50, "]\\", {}, "\u003c\ud83d\ude80", null], "b":  {"c": "{"}}`;
  assert.equal(line(nested, 'json'), `${nested.replaceAll('\\', '\\\\')}\n`);
  assert.equal(line('[1,\n\t2]', 'json'), '[1,\\n\\t2]\n');
});

test('what PostgreSQL refuses or would spell otherwise is left to JSON', () => {
  for (const json of [String.raw`"\u0000"`, String.raw`"\ud800"`, String.raw`"\ude80\ud83d"`, String.raw`"\ud83dx"`]) {
    assert.equal(line(json), null, json);
    assert.equal(line(`[${json}]`, 'json'), null, json);
    assert.equal(line(`{${json}: 1}`, 'json'), null, json);
  }
  for (const json of ['[1]', '{"a": 1}', '"open', '']) assert.equal(line(json), null, json);
  assert.equal(line(String.raw`"\u003c"`, 'json'), null);
});

test('columns are told by their names, and left out ones leave no trace', () => {
  const fields = ['text', 'left out', 'json', 'text'] as const;
  const columns = ['a', 'b', 'c "q"', 'd'];
  const row = String.raw`{ "a":1 , "b": {"x\"": [2, "\u003c"]}, "c \"q\"" : [3],"d": "4" }`;
  assert.equal(lineOf(row, columns, fields), '1\t[3]\t4\n');
  assert.equal(lineOf('{"b": 1, "a": 2}', ['b', 'a'], ['left out', 'text']), '2\n');
  for (const other of ['{"a": 1, "x": 2}', '{"a": 1}', '{"a": 1, "b": 2, "c": 3}', '{"b": 1, "a": 2}', '[]', ''])
    assert.equal(lineOf(other, ['a', 'b'], ['text', 'text']), null, other);
});
