import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRunbookInput } from '../../src/domain/runbook-input.js';
import { formatTableName, parseTableName } from '../../src/domain/table.js';

const NAMES: readonly (readonly [text: string, schema: string, table: string])[] = [
  ['public.orders', 'public', 'orders'],
  ['Sales.Order-Lines', 'Sales', 'Order-Lines'],
  ['public.größe', 'public', 'größe'],
  ['public.order', 'public', 'order'],
  ['public."a.b"', 'public', 'a.b'],
  ['"a.b".c', 'a.b', 'c'],
  ['"a b"."say ""hi"""', 'a b', 'say "hi"'],
  [`public."it's"`, 'public', "it's"],
];

for (const [text, schema, table] of NAMES) {
  test(`a table's name is read as it is written: ${text}`, () => {
    assert.deepEqual(parseTableName(text), { schema, table });
    assert.equal(formatTableName({ schema, table }), text);
  });
}

for (const text of ['orders', 'a.b.c', '.b', 'a.', 'a."b', '"".b', 'a.b c', `a.it's`, 'a."b"c', 'a.b"']) {
  test(`no table's name: ${text}`, () => assert.equal(parseTableName(text), null));
}

test('a name in needless quotes is the same name', () => {
  assert.deepEqual(parseTableName('"public"."orders"'), { schema: 'public', table: 'orders' });
  const twice = parseRunbookInput({ source: 'a', target: 'b', tables: ['public.orders', '"public"."orders"'] });
  assert.ok(!twice.ok);
  assert.match(twice.problems[0]?.message ?? '', /"public.orders" twice/);
});
