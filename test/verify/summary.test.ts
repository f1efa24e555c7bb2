import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TableComparison } from '../../src/verify/compare-tables.js';
import { summarize } from '../../src/verify/summary.js';

const EQUAL: TableComparison = {
  table: 'public.a',
  rows: 5,
  missing: { total: 0, keys: [] },
  different: { total: 0, rows: [] },
  extra: { total: 0, keys: [] },
};

test('equal tables are counted', () => {
  assert.deepEqual(summarize([EQUAL, { ...EQUAL, table: 'public.b' }], []), {
    tables: 2,
    rows: 10,
    differing: 0,
    summary: 'both sides are equal',
    notCompared: [],
  });
});

test('what differs is named by table, kind, key and column', () => {
  const { differing, summary } = summarize(
    [
      EQUAL,
      {
        ...EQUAL,
        table: 'public.b',
        missing: { total: 2, keys: ['["1"]', '["2"]'] },
        different: { total: 1, rows: [{ key: '["3"]', columns: ['name', 'price'] }] },
        extra: { total: 1, keys: ['["4"]'] },
      },
    ],
    [],
  );
  assert.equal(differing, 4);
  assert.equal(
    summary,
    'public.b: 2 missing on the target (keys ["1"] ["2"]), 1 different (key ["3"]: name, price), 1 only on the target (keys ["4"])',
  );
});

test('of many tables that differ the first are named, and the rest is counted', () => {
  const many = Array.from({ length: 25 }, (_, i) => ({
    ...EQUAL,
    table: `public.t${i}`,
    extra: { total: 1, keys: ['["1"]'] },
  }));
  const { differing, summary } = summarize(many, []);
  assert.equal(differing, 25);
  assert.match(summary, /public\.t19: .*\. and 5 more tables differ$/);
  assert.doesNotMatch(summary, /public\.t20/);
});

test('columns that the target lacks are named: they were not compared', () => {
  const tables = [
    { target: { schema: 'public', table: 'a' }, notCompared: [] },
    { target: { schema: 'my shop', table: 'b' }, notCompared: ['colour', 'size'] },
  ];
  assert.deepEqual(summarize([EQUAL], tables).notCompared, ['"my shop".b.colour', '"my shop".b.size']);
});
