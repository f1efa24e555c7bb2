import assert from 'node:assert/strict';
import test from 'node:test';
import { whyNotFinished } from '../../demo/story.js';

const incident = (type: 'Host.Lost' | 'Verify.RowsDiffer', endedAt: number | null = null) => ({
  type,
  startedAt: 1,
  endedAt,
  cause: 'for a reason',
  remedy: '',
});
const status = (phase: 'replicate' | 'finish', phaseSince: number, ...incidents: ReturnType<typeof incident>[]) => ({
  phase,
  phaseSince,
  incidents,
});

test('a finish has failed when the run replicates anew and says why', () => {
  const found = [incident('Host.Lost', 2), incident('Verify.RowsDiffer')];
  assert.equal(whyNotFinished(status('replicate', 20, ...found), 10), 'Verify.RowsDiffer: for a reason');
});

test('a finish has not failed while it is awaited, at work, or unknown', () => {
  assert.equal(whyNotFinished(null, 10), undefined);
  // The signal has not arrived yet, and the lost worker's incident is still open.
  assert.equal(whyNotFinished(status('replicate', 10, incident('Host.Lost')), 10), undefined);
  assert.equal(whyNotFinished(status('finish', 20, incident('Host.Lost')), 10), undefined);
  assert.equal(whyNotFinished(status('replicate', 20), 10), undefined);
});
