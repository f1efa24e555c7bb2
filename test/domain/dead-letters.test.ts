import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeDeadLetters, isNewNumber, sayDeadLettersLeft } from '../../src/domain/dead-letters.js';

const counted = (...counts: readonly number[]) => ({
  count: counts.reduce((sum, count) => sum + count, 0),
  tables: counts.map((count, i) => ({ table: `public.t${i}`, count })),
});

test('dead letters are told with their number, table and source tables, of which the first are named', () => {
  assert.equal(
    describeDeadLetters(counted(1), '_failback.dead_letters'),
    '1 change that the target refused is in _failback.dead_letters (public.t0 1)',
  );
  assert.equal(
    describeDeadLetters(counted(9, 8, 7, 6, 5, 4, 3), 'ours'),
    '42 changes that the target refused are in ours (public.t0 9, public.t1 8, public.t2 7, public.t3 6, public.t4 5, 2 more tables)',
  );
});

test('those that a run leaves are told with the statements to look and to throw away', () => {
  const said = sayDeadLettersLeft(counted(2), '_failback.dead_letters', "o'hara");
  assert.match(said, /^2 changes .* and stay there: .*WHERE run = 'o''hara' ORDER BY hlc.*DELETE FROM _failback/);
});

const NUMBERS: readonly (readonly [before: number, now: number, isNew: boolean])[] = [
  [0, 0, false],
  [0, 1, true],
  [1, 0, true],
  [19, 20, true],
  [20, 21, true],
  [21, 22, false],
  [100, 199, false],
  [100, 200, true],
  [199, 100, false],
  [200, 100, true],
  [1_000_000, 0, true],
];
for (const [before, now, isNew] of NUMBERS) {
  test(`${now} dead letters after ${before} are ${isNew ? '' : 'no '}news`, () => {
    assert.equal(isNewNumber(before, now), isNew);
  });
}
