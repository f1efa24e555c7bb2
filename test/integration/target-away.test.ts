import { after, before, test } from 'node:test';
import { startRunStack, type RunStack } from '../support/run.js';
import { targetAway, troubleOfTheDead } from './cases/target-away.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
  await at.createTable('others');
});
after(async () => at.stop());

test('a target that is away while a new attempt takes over is named, and the incident ends with its return', () =>
  targetAway(at));

test('trouble of an attempt that died in it ends with the next attempt', () => troubleOfTheDead(at));
