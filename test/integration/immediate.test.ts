import { after, before, test } from 'node:test';
import { endRuns, startRunStack, type RunStack } from '../support/run.js';
import { atOnce } from './cases/immediate.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
});
after(async () => {
  await endRuns(at).finally(() => at.stop());
});

test('in immediate mode rows come before their timestamp is resolved, each key ends at its last change, and the run finishes at T', () =>
  atOnce(at));
