import assert from 'node:assert/strict';
import { test } from 'node:test';
import { searchOtherKey, type KeysAt } from '../../src/apply/source-check.js';
import type { Hlc } from '../../src/domain/hlc.js';
import { SourceChangedError } from '../../src/domain/source-identity.js';
import { at } from '../targets/postgres/apply-fixture.js';

const OTHER = new SourceChangedError('Source.KeyChanged', 'another key');
/** A letter for each timestamp from 1 on: capitals are other keys, and each letter is an index of its own. */
const history = (letters: string) => {
  const asked: number[] = [];
  const read = (when: Hlc): Promise<KeysAt> => {
    const n = [...letters].findIndex((_, index) => at(index + 1) === when);
    asked.push(n + 1);
    const letter = letters[n] ?? '';
    return Promise.resolve({ fingerprint: letter, change: letter === letter.toUpperCase() ? OTHER : null });
  };
  return { asked, read };
};

const CASES: readonly (readonly [letters: string, good: string | null, first: number | null])[] = [
  ['a', null, null],
  ['A', null, 1],
  ['A', 'b', 1],
  ['aaaaaaa', 'a', null],
  ['aaaaaaa', null, null],
  ['aaabbbb', 'a', null],
  ['aabbccdde', null, null],
  ['aaaBBBB', 'a', 4],
  ['aaaBBBB', null, 4],
  ['BBBB', 'a', 1],
  ['BBBB', null, 1],
  ['aaaBccc', 'a', 4],
  ['aaaBccc', null, 4],
  ['aaaaaaB', 'a', 7],
  ['Baaaaaa', null, 1],
  ['abcDefG', null, 4],
];
for (const [letters, good, first] of CASES) {
  const outcome = first === null ? 'all right' : `another at ${first}`;
  test(`keys ${letters} after ${good ?? 'nothing known'}: ${outcome} (protocol rule 8)`, async () => {
    const { read } = history(letters);
    const times = [...letters].map((_, n) => at(n + 1));
    const found = await searchOtherKey(times, good, read);
    assert.deepEqual(found, first === null ? null : { at: at(first), error: OTHER });
  });
}

test('one question when nothing was altered, few when something was', async () => {
  const times = Array.from({ length: 1024 }, (_, n) => at(n + 1));
  const same = history('a'.repeat(1024));
  assert.equal(await searchOtherKey(times, 'a', same.read), null);
  assert.deepEqual(same.asked, [1024]);
  const added = history('a'.repeat(700) + 'b'.repeat(324));
  assert.equal(await searchOtherKey(times, 'a', added.read), null);
  assert.ok(new Set(added.asked).size <= 25, `${new Set(added.asked).size} questions`);
});
