import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from '../../src/apply/backoff.js';
import { createBell } from '../../src/apply/bell.js';
import { planWindow, type NextWindow } from '../../src/apply/window.js';
import { hlcOf, type Hlc } from '../../src/domain/hlc.js';

const h = (n: number): Hlc => hlcOf(BigInt(n));
const binding = (floor: number, resolved: number, incarnation = 3) => ({
  floor: h(floor),
  resolved: h(resolved),
  incarnation,
  plan: 'plan',
});

const CASES: readonly (readonly [string, Parameters<typeof planWindow>, NextWindow])[] = [
  ['unbound', [null, 3, h(5), null], { kind: 'incomplete' }],
  ['another incarnation', [binding(0, 9, 4), 3, h(5), null], { kind: 'incomplete' }],
  ['a floor above C', [binding(6, 9), 3, h(5), null], { kind: 'incomplete' }],
  ['a floor above C although it is to stop there', [binding(6, 9), 3, h(5), h(5)], { kind: 'incomplete' }],
  ['a floor at C', [binding(5, 9), 3, h(5), null], { kind: 'window', upTo: h(9), last: false }],
  ['nothing resolved', [binding(0, 5), 3, h(5), null], { kind: 'idle' }],
  ['resolved behind C', [binding(0, 4), 3, h(5), null], { kind: 'idle' }],
  ['to stop beyond resolved', [binding(0, 9), 3, h(5), h(12)], { kind: 'window', upTo: h(9), last: false }],
  ['to stop before resolved', [binding(0, 9), 3, h(5), h(7)], { kind: 'window', upTo: h(7), last: true }],
  ['to stop at resolved', [binding(0, 9), 3, h(5), h(9)], { kind: 'window', upTo: h(9), last: true }],
  ['where to stop is not known yet', [binding(0, 9), 3, h(5), 'unknown'], { kind: 'idle' }],
  ['at the stop', [binding(0, 9), 3, h(7), h(7)], { kind: 'stopped' }],
  ['beyond the stop', [binding(0, 9), 3, h(8), h(7)], { kind: 'stopped' }],
];

for (const [name, args, expected] of CASES) {
  test(`next window: ${name}`, () => assert.deepEqual(planWindow(...args), expected));
}

test('retries wait longer and longer, up to a limit, never all at once', () => {
  const tuning = { firstMs: 100, maxMs: 5000 };
  assert.deepEqual(
    [1, 2, 3, 6, 7, 1000].map((attempt) => backoffMs(tuning, attempt, 0)),
    [100, 200, 400, 3200, 5000, 5000],
  );
  assert.equal(backoffMs(tuning, 1, 1), 50);
});

test('a bell rung before anyone waits is heard, once', async () => {
  const bell = createBell();
  const never = new AbortController().signal;
  bell.ring();
  bell.ring();
  await bell.wait(60_000, never);
  const started = performance.now();
  await bell.wait(30, never);
  assert.ok(performance.now() - started >= 25);
  const waiting = bell.wait(60_000, never);
  bell.ring();
  await waiting;
  await bell.wait(60_000, AbortSignal.abort());
});
