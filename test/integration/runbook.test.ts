import { after, before, test } from 'node:test';
import { startRunStack, type RunStack } from '../support/run.js';
import { rowsThatDiffer, wholeRun } from './cases/runbook.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
});
after(async () => at.stop());

test('a whole run: paused, resumed, finished through its gate, in words', () => wholeRun(at));

test('rows that differ, and writes that go on, keep the run replicating', () => rowsThatDiffer(at));
