import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHlc } from '../../src/domain/hlc.js';
import type { ComparedTable } from '../../src/targets/snapshot.js';
import { countKeysSql, pageSql } from '../../src/verify/source-query.js';

const AT = parseHlc('1759246920563173000.0000000007');
const column = (name: string) => ({ source: name, target: name, targetType: 'bigint', isEnum: false });
const table = (keyCount: number): ComparedTable => ({
  source: { schema: 'public', table: 'odd "name"' },
  target: { schema: 'public', table: 't' },
  columns: [column('a'), column('B'), column('note')],
  keyCount,
  notCompared: [],
});

test('pages of a single and of a composite key', () => {
  const from = `SELECT "a" AS "#1", "B" AS "#2", "note" AS "#3" FROM "public"."odd ""name""" AS OF SYSTEM TIME '1759246920563173000.0000000007'`;
  assert.equal(pageSql(table(1), AT, 10, false), `${from} ORDER BY "a" LIMIT 10`);
  assert.equal(pageSql(table(1), AT, 10, true), `${from} WHERE "a" > $1 ORDER BY "a" LIMIT 10`);
  assert.equal(pageSql(table(2), AT, 10, true), `${from} WHERE ("a", "B") > ($1, $2) ORDER BY "a", "B" LIMIT 10`);
});

test('keys are counted in one question', () => {
  const from = `SELECT count(*) FROM "public"."odd ""name""" AS OF SYSTEM TIME '1759246920563173000.0000000007'`;
  assert.equal(countKeysSql(table(1), AT, 2), `${from} WHERE "a" IN ($1, $2)`);
  assert.equal(countKeysSql(table(2), AT, 2), `${from} WHERE ("a", "B") IN (($1, $2), ($3, $4))`);
});
