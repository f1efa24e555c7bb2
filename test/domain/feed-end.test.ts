import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silenceAllowed } from '../../src/domain/feed-end.js';

test('nothing for five resolved intervals is a lost connection, and never sooner than the input says (protocol rule 30)', () => {
  assert.equal(silenceAllowed('250ms', 30_000, 0), 30_000);
  assert.equal(silenceAllowed('10s', 30_000, 0), 50_000);
  assert.equal(silenceAllowed('', 30_000, 0), 30_000);
});

test('each feed in a row that brought nothing at all is given twice the time, up to half an hour', () => {
  assert.deepEqual(
    [1, 2, 3, 100].map((silent) => silenceAllowed('250ms', 30_000, silent)),
    [60_000, 120_000, 240_000, 1_800_000],
  );
  assert.equal(silenceAllowed('1s', 3_600_000, 5), 3_600_000, 'never less than at first');
});
