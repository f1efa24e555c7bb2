import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration } from '../../src/domain/duration.js';

test('durations are read as CockroachDB and Go spell them', () => {
  const table: [string, number | null][] = [
    ['250ms', 250],
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['4d', 345_600_000],
    ['', null],
    ['0s', null],
    ['30', null],
    ['s', null],
    ['-1s', null],
    ['1 s', null],
    ['1s x', null],
  ];
  for (const [text, expected] of table) assert.equal(parseDuration(text), expected, JSON.stringify(text));
});

test('durations are written for people', () => {
  const table: [number, string][] = [
    [0, '0 ms'],
    [850, '850 ms'],
    [12_000, '12 s'],
    [120_000, '2 min'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
    [100_800_000, '1 d 4 h'],
  ];
  for (const [ms, expected] of table) assert.equal(formatDuration(ms), expected);
});
