import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeWhatCan } from '../../src/targets/bad-row-search.js';

/** A target that refuses the bad ones for good, and for now whatever refers to what it does not have and is not in the same part. */
function createTaker(bad: readonly number[], needs: Readonly<Record<number, number>> = {}) {
  const has = new Set<number>();
  let tries = 0;
  return {
    has,
    tries: () => tries,
    take: (part: readonly number[]): Promise<'bad' | 'order' | null> => {
      tries += 1;
      if (part.some((item) => bad.includes(item))) return Promise.resolve('bad');
      const there = (item: number): boolean => has.has(item) || part.includes(item);
      if (part.some((item) => needs[item] !== undefined && !there(needs[item]))) return Promise.resolve('order');
      for (const item of part) has.add(item);
      return Promise.resolve(null);
    },
  };
}

const numbers = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);
const search = (taker: ReturnType<typeof createTaker>, items: readonly number[]) =>
  takeWhatCan(items, taker.take, (refusal) => refusal === 'order');

test('one bad of 10,000 costs two tries for each halving', async () => {
  const taker = createTaker([6_789]);
  assert.deepEqual(await search(taker, numbers(10_000)), [{ item: 6_789, refusal: 'bad' }]);
  assert.equal(taker.has.size, 9_999);
  assert.ok(taker.tries() <= 30, String(taker.tries()));
});

test('all bad: each is found, none is tried without end', async () => {
  const taker = createTaker(numbers(500));
  assert.equal((await search(taker, numbers(500))).length, 500);
  assert.equal(taker.tries(), 999);
});

test('a chain in the wrong order is taken although another row is bad, what hangs on the bad one is not', async () => {
  // Each refers to the next; 500 is bad.
  const needs = Object.fromEntries(numbers(999).map((n) => [n, n + 1]));
  const taker = createTaker([500], needs);
  const refused = await search(taker, numbers(1_000));
  assert.deepEqual(
    refused.map(({ item }) => item).sort((a, b) => a - b),
    numbers(501),
  );
  assert.equal(refused.filter(({ refusal }) => refusal === 'bad').length, 1);
  assert.equal(taker.has.size, 499);
  assert.ok(taker.tries() < 6_000, String(taker.tries()));
});

test('two that need each other are taken together once the bad one is gone', async () => {
  const taker = createTaker([1], { 0: 2, 2: 0 });
  assert.deepEqual(
    (await search(taker, [0, 1, 2])).map(({ item }) => item),
    [1],
  );
  assert.deepEqual([...taker.has].sort(), [0, 2]);
});
