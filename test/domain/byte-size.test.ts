import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, parseBytes } from '../../src/domain/byte-size.js';

test('sizes are bytes, or have a unit', () => {
  for (const [text, bytes] of [
    ['1048576', 1_048_576],
    ['512MiB', 536_870_912],
    ['10GiB', 10_737_418_240],
    ['2TiB', 2_199_023_255_552],
    ['0', 0],
  ] as const)
    assert.equal(parseBytes(text), bytes, text);
  for (const text of ['', 'GiB', '1.5GiB', '-1', '10 GiB', '10GB', '10gib', '99999999999TiB', '1e6'])
    assert.equal(parseBytes(text), null, text);
});

test('for people: whole MiB, rounded up', () => {
  assert.deepEqual([0, 1, 2 ** 20, 2 ** 20 + 1, 2 ** 31].map(formatBytes), [
    '0 MiB',
    '1 MiB',
    '1 MiB',
    '2 MiB',
    '2,048 MiB',
  ]);
});
