import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeAtCursor, whyNotCompared, type ComparedAtCursor } from '../../src/domain/at-cursor.js';

const FRESH = { cursor: '100.0000000000', applied: '100.0000000000' };
const MOVED = { cursor: '100.0000000000', applied: '100.0000000001' };

test('rows are compared where the target stands at the cursor (protocol rule 1)', () => {
  assert.equal(whyNotCompared(true, FRESH), null);
});
test('rows are not compared where the target has moved on since', () => {
  assert.match(whyNotCompared(true, MOVED) ?? '', /moved on since, in an earlier start/);
});
test('rows are not compared where the input says so', () => {
  for (const begun of [FRESH, MOVED]) assert.match(whyNotCompared(false, begun) ?? '', /compareAtCursor/);
});

const compared = (differing: number): ComparedAtCursor => ({
  tables: 2,
  rows: 7,
  differing,
  summary: differing === 0 ? 'both sides are equal' : 'public.t: 1 missing on the target (keys ["3"])',
});
const TABLE: readonly (readonly [
  what: string,
  compared: ComparedAtCursor | null,
  said: RegExp,
  differs: RegExp | null,
])[] = [
  ['equal sides go on', compared(0), /^both sides were equal: 7 rows in 2 tables$/, null],
  ['a target that has moved meanwhile goes on', null, /^rows were not compared: the target has moved on/, null],
  [
    'columns that the target lacks are said',
    { ...compared(0), notCompared: ['public.t.colour'] },
    /^both sides were equal: 7 rows in 2 tables\. Not compared, .*: public\.t\.colour\.$/,
    null,
  ],
  [
    'one row that differs waits for a person (protocol rule 1)',
    compared(1),
    /^both sides differed in 1 keys: 7 rows in 2 tables$/,
    /^as of the cursor 100\.0: public\.t: 1 missing .*\["3"\]/,
  ],
];
for (const [what, comparison, said, differs] of TABLE) {
  test(`at the cursor: ${what}`, () => {
    const verdict = judgeAtCursor('100.0', comparison);
    assert.match(verdict.said, said);
    if (differs === null) assert.equal(verdict.differs, null);
    else assert.match(verdict.differs ?? '', differs);
  });
}
