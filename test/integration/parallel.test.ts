import { after, before, test } from 'node:test';
import { startRunStack, type RunStack } from '../support/run.js';
import { createFamilies, noRoomForConnections, parallelRun } from './cases/parallel.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await createFamilies(at);
});
after(async () => at.stop());

test('a target without room for targetMaxPoolSize connections is refused, unless parallel applies are off', () =>
  noRoomForConnections(at));

test('a whole run with parallel applies: groups by foreign keys, one locked, the worker killed, and all at one timestamp at its finish', () =>
  parallelRun(at));
