import { after, before, test } from 'node:test';
import { endRuns, startRunStack, type RunStack } from '../support/run.js';
import { badRowHalts, badRowsPutAside, endsWithDeadLetters } from './cases/dead-letters.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
});
after(async () => {
  await endRuns(at).finally(() => at.stop());
});

test('a bad row halts: status names table, key, column, the words of the database and the remedy; resume goes on', () =>
  badRowHalts(at));

test('bad rows are put aside, counted and named, replaced or replayed on request, and the run finishes', () =>
  badRowsPutAside(at));

test('a run that ends with dead letters keeps them, and its ending says so', () => endsWithDeadLetters(at));
