import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sayNotCompared } from '../../src/domain/not-compared.js';

const columns = (count: number): string[] => Array.from({ length: count }, (_, i) => `public.t.c${i}`);

test('nothing is said where everything was compared', () => {
  assert.equal(sayNotCompared([]), '');
  assert.equal(sayNotCompared(undefined), '');
});

test('of many columns that were not compared the first are named, and the rest is counted', () => {
  assert.match(sayNotCompared(columns(20)), /^ Not compared, .*: public\.t\.c0, .* public\.t\.c19\.$/);
  assert.match(sayNotCompared(columns(23)), / public\.t\.c19 and 3 more\.$/);
});
