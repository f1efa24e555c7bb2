import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { formatHlc, readHlc } from '../../src/domain/hlc.js';
import { EnvelopeError } from '../../src/receiver/envelope-error.js';
import { createEnvelopeScanner } from '../../src/receiver/envelope-scan.js';
import { writeTimestamp } from '../../src/receiver/timestamp-scan.js';

interface Seen {
  topic: string;
  key: string;
  after: string | null;
  updated: string;
  columns: readonly string[] | null;
  values: string[];
}

function scan(text: string, scanner = createEnvelopeScanner()) {
  const body = Buffer.from(text);
  const seen: Seen[] = [];
  const at = Buffer.alloc(12);
  const cut = (start: number, end: number) => body.toString('utf8', start, end);
  const { resolved, items } = scanner(body, (item) => {
    writeTimestamp(at, 0, item.updated);
    const isDelete = item.afterStart < 0;
    seen.push({
      topic: cut(item.topicStart, item.topicEnd),
      key: cut(item.keyStart, item.keyEnd),
      after: isDelete ? null : cut(item.afterStart, item.afterEnd),
      updated: formatHlc(readHlc(at, 0)),
      columns: isDelete ? null : item.row.columns,
      values: isDelete ? [] : item.row.columns.map((_, i) => cut(item.row.starts[i] ?? 0, item.row.ends[i] ?? 0)),
    });
  });
  return { seen, items, resolved: resolved === null ? null : formatHlc(resolved) };
}

const AT = '"updated":"1795320930602742264.0000000003"';
const ROW = `{"after":{"id":1},"key":[1],"topic":"t",${AT}}`;

suite('bodies understood', () => {
  const cases: [name: string, body: string, topics: string[], resolved: string | null][] = [
    ['a batch', `{"payload":[${ROW},${ROW}],"length":2}`, ['t', 't'], null],
    ['resolved only', '{"resolved":"1795320930614519667.2147483647"}', [], '1795320930614519667.2147483647'],
    ['both, resolved first', `{"resolved":"5.0000000001","payload":[${ROW}]}`, ['t'], '5.0000000001'],
    ['both, payload first', `{"payload":[${ROW}],"length":1,"resolved":"5.0000000001"}`, ['t'], '5.0000000001'],
    ['empty payload', '{"payload":[],"length":0}', [], null],
    ['null payload', '{"payload":null,"length":0}', [], null],
    ['missing payload', '{}', [], null],
    [
      'unknown fields',
      `{"x":{"payload":[1]},"payload":[{"zz":[{}],"after":null,"key":[1],"topic":"t",${AT},"q":"\\""}]}`,
      ['t'],
      null,
    ],
    [
      'any order and blanks',
      ` {\n"payload" : [ { ${AT} ,\t"topic":"t", "key" : [ 1 ] , "after" : { } } ] } `,
      ['t'],
      null,
    ],
    ['nanoseconds alone', '{"resolved":"1795320930614519667"}', [], '1795320930614519667.0000000000'],
  ];
  for (const [name, body, topics, resolved] of cases)
    test(name, () => {
      const result = scan(body);
      assert.deepEqual(
        result.seen.map((row) => row.topic),
        topics,
      );
      assert.equal(result.resolved, resolved);
    });
});

test('an item is read span by span', () => {
  const after = '{"id":9223372036854775807,"d":1E+30,"n":-0,"j":{"a":[1,{"b":"]}\\""}]},"s":"\\u003cx\\\\"}';
  const [row] = scan(
    `{"payload":[{"after":${after},"before":{"id":1},"key":[9223372036854775807,"k\\"2"],"mvcc_timestamp":"1.0000000000","topic":"t",${AT}}]}`,
  ).seen;
  assert.deepEqual(row, {
    topic: 't',
    key: '[9223372036854775807,"k\\"2"]',
    after,
    updated: '1795320930602742264.0000000003',
    columns: ['id', 'd', 'n', 'j', 's'],
    values: ['9223372036854775807', '1E+30', '-0', '{"a":[1,{"b":"]}\\""}]}', '"\\u003cx\\\\"'],
  });
});

test('after null and after missing are deletes', () => {
  const { seen } = scan(`{"payload":[{"after":null,"key":[1],"topic":"t",${AT}},{"key":[2],"topic":"t",${AT}}]}`);
  assert.deepEqual(
    seen.map((row) => row.after),
    [null, null],
  );
});

test('a delete behind an upsert does not keep its after', () => {
  const { seen } = scan(`{"payload":[${ROW},{"key":[2],"topic":"t",${AT}}]}`);
  assert.equal(seen[1]?.after, null);
});

test('column sets are interned, whatever the tables between and the spelling of the names', () => {
  const scanner = createEnvelopeScanner();
  const row = (after: string) => `{"after":${after},"key":[1],"topic":"t",${AT}}`;
  const rows = ['{"a":1,"é":2}', '{"a":1}', '{"a":3,"\\u00e9":4}', '{"a":1,"é":5}', '{"é":1,"a":2}', '{}'].map(row);
  const { seen } = scan(`{"payload":[${rows.join()}]}`, scanner);
  assert.deepEqual(
    seen.map((one) => one.columns),
    [['a', 'é'], ['a'], ['a', 'é'], ['a', 'é'], ['é', 'a'], []],
  );
  assert.equal(seen[0]?.columns, seen[2]?.columns);
  assert.equal(seen[0]?.columns, seen[3]?.columns);
  const again = scan(`{"payload":[${row('{"a":7,"é":8}')}]}`, scanner);
  assert.equal(again.seen[0]?.columns, seen[0]?.columns);
});

suite('bodies refused', () => {
  const cases: [name: string, body: string, problem: RegExp, item: number | null][] = [
    ['empty', '', /expected an object, found the end/, null],
    ['not an object', '[1]', /expected an object/, null],
    ['trailing garbage', `{"payload":[]}x`, /something follows/, null],
    ['trailing comma in an item', `{"payload":[{"after":null,"key":[1],"topic":"t",${AT},}]}`, /expected a field/, 0],
    ['trailing comma in payload', `{"payload":[${ROW},]}`, /expected an object/, 1],
    ['missing key', `{"payload":[${ROW},{"topic":"t",${AT}}]}`, /field key is missing/, 1],
    ['missing topic', `{"payload":[{"key":[1],${AT}}]}`, /field topic is missing/, 0],
    ['missing updated', '{"payload":[{"key":[1],"topic":"t"}]}', /field updated is missing/, 0],
    ['key twice', `{"payload":[{"key":[1],"key":[2],"topic":"t",${AT}}]}`, /field key comes twice/, 0],
    ['key not an array', `{"payload":[{"key":1,"topic":"t",${AT}}]}`, /expected an array/, 0],
    ['after not an object', `{"payload":[{"after":[1],"key":[1],"topic":"t",${AT}}]}`, /expected an object/, 0],
    ['length is wrong', `{"payload":[${ROW}],"length":2}`, /length says other than its 1 items/, null],
    ['HLC with letters', '{"resolved":"12x"}', /HLC/, null],
    ['updated without digits', '{"payload":[{"key":[1],"topic":"t","updated":".5"}]}', /HLC/, 0],
    ['updated too long', '{"payload":[{"key":[1],"topic":"t","updated":"12345678901234567890.0000000000"}]}', /HLC/, 0],
    ['logical over 32 bits', '{"payload":[{"key":[1],"topic":"t","updated":"1.4294967296"}]}', /HLC/, 0],
    ['leading zero', `{"payload":[{"key":[01],"topic":"t",${AT}}]}`, /leading zero/, 0],
    ['control character', `{"payload":[{"key":["\n"],"topic":"t",${AT}}]}`, /end of a string/, 0],
    ['bad escape', `{"payload":[{"key":["\\x"],"topic":"t",${AT}}]}`, /an escape/, 0],
    ['too deep', `{"x":${'['.repeat(3000)}`, /nested deeper/, null],
  ];
  for (const [name, body, problem, item] of cases)
    test(name, () => {
      assert.throws(
        () => scan(body),
        (error) => error instanceof EnvelopeError && problem.test(error.message) && error.item === item,
      );
    });

  test('cut off at any byte', () => {
    const body = `{"payload":[{"after":{"a":[1,-2.5e+3,true,null,"x\\u00e9"]},"key":[1],"topic":"t",${AT}}],"length":1}`;
    for (let end = 0; end < body.length; end++)
      assert.throws(() => scan(body.slice(0, end)), EnvelopeError, `cut at ${end}`);
    assert.equal(scan(body).items, 1);
  });

  test('an error says where, never what', () => {
    assert.throws(
      () => scan(`{"payload":[{"after":{"name":"SECRET","n":SECRET},"key":["SECRET"]}]}`),
      (error) => error instanceof EnvelopeError && !error.message.includes('SECRET') && error.position === 42,
    );
  });
});

test('every captured body is read as JSON.parse reads it', () => {
  const bodies = JSON.parse(readFileSync(new URL('../golden/webhook/bodies.json', import.meta.url), 'utf8')) as Record<
    string,
    string[]
  >;
  let rows = 0;
  for (const body of Object.values(bodies).flat()) {
    const expected = JSON.parse(body) as {
      payload?: { after: object | null; key: unknown; topic: string; updated: string }[];
      resolved?: string;
    };
    const { seen, resolved } = scan(body);
    assert.equal(resolved, expected.resolved ?? null);
    assert.deepEqual(
      seen.map((row) => [
        row.topic,
        JSON.parse(row.key) as unknown,
        row.after && (JSON.parse(row.after) as unknown),
        row.updated,
        row.columns,
      ]),
      (expected.payload ?? []).map((item) => [
        item.topic,
        item.key,
        item.after,
        item.updated,
        item.after && Object.keys(item.after),
      ]),
    );
    rows += seen.length;
  }
  assert.ok(rows > 200, `${rows} rows`);
});
