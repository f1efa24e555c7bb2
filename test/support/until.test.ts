import assert from 'node:assert/strict';
import test from 'node:test';
import { until } from './until.js';

test('until returns the first truthy value', async () => {
  let calls = 0;
  assert.equal(await until('third call', () => (++calls === 3 ? 'done' : undefined), { everyMs: 1 }), 'done');
});

test('until says what it awaited, and the last value or error', async () => {
  const short = { timeoutMs: 5, everyMs: 1 };
  await assert.rejects(
    until('a row', () => 0, short),
    { message: 'not within 5 ms: a row (last value 0)' },
  );
  const failing = () => Promise.reject(new Error('connection refused'));
  await assert.rejects(until('a row', failing, short), {
    message: 'not within 5 ms: a row (last error Error: connection refused)',
  });
});
