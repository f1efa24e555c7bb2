import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DRAIN_UNKNOWN, observeDrain, readForward, type DrainState } from '../../src/domain/drain.js';
import { parsePrometheusText } from '../../src/domain/prometheus.js';

const LIMITS = { quietForMs: 10_000, maxSourceLagMs: 5_000 };
const metrics = (shop: number, bank: number, lagSeconds: number | null = 0): string =>
  [
    '# HELP apply_upserts_total rows',
    '# TYPE apply_upserts_total counter',
    `apply_upserts_total{schema="shop.public",table="items"} ${shop}`,
    `apply_deletes_total{schema="shop.public",table="items"} 3`,
    `apply_upserts_total{schema="bank.public",table="a \\"b\\""} ${bank} 1712345678901`,
    ...(lagSeconds === null ? [] : [`source_lag_seconds ${lagSeconds}`]),
    'process_cpu_seconds_total 1.5e+01',
  ].join('\n');

/** Feeds readings, one each 5 s, and returns whether each one said drained, and why not. */
function watch(readings: readonly (string | null)[]): { drained: boolean[]; why: string[] } {
  let state: DrainState = DRAIN_UNKNOWN;
  const drained: boolean[] = [];
  const why: string[] = [];
  readings.forEach((text, index) => {
    const seen = observeDrain(
      state,
      text === null ? null : readForward(parsePrometheusText(text)),
      index * 5_000,
      LIMITS,
    );
    state = seen.state;
    drained.push(seen.verdict.drained);
    why.push(seen.verdict.drained ? '' : seen.verdict.why);
  });
  return { drained, why };
}

test('counters are summed by schema', () => {
  assert.deepEqual(readForward(parsePrometheusText(metrics(10, 20, 1.5))), {
    appliedBySchema: { 'shop.public': 13, 'bank.public': 20 },
    sourceLagMs: 1_500,
  });
});

test('drained once every schema has been quiet for the whole time', () => {
  assert.deepEqual(watch([metrics(1, 1), metrics(1, 1), metrics(1, 1)]).drained, [false, false, true]);
});

test('one moving schema starts the wait again, and is named', () => {
  const { drained, why } = watch([metrics(1, 1), metrics(1, 1), metrics(1, 2), metrics(1, 2), metrics(1, 2)]);
  assert.deepEqual(drained, [false, false, false, false, true]);
  assert.match(why[2] ?? '', /bank\.public/);
});

test('an endpoint that does not answer is unknown, and unknown is not drained', () => {
  const { drained, why } = watch([metrics(1, 1), metrics(1, 1), null, metrics(1, 1), metrics(1, 1), metrics(1, 1)]);
  assert.deepEqual(drained, [false, false, false, false, false, true]);
  assert.match(why[2] ?? '', /unknown is not drained/);
});

test('other metrics without apply counters are unknown too', () => {
  assert.equal(readForward(parsePrometheusText('up 1\nsource_lag_seconds 0')), null);
});

test('a rate of 0 far behind the source is a cut cable, not the end', () => {
  for (const lag of [60, Number.NaN]) {
    const { drained, why } = watch([
      metrics(1, 1, lag),
      metrics(1, 1, lag),
      metrics(1, 1, lag),
      metrics(1, 1, 0),
      metrics(1, 1, 0),
      metrics(1, 1, 0),
    ]);
    assert.deepEqual(drained, [false, false, false, false, true, true], `lag ${lag}`);
    assert.match(why[2] ?? '', /behind, not done/);
  }
});
