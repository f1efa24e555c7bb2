import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTroubleTeller, stageTrouble } from '../../src/activities/trouble.js';
import { StageWriteError } from '../../src/staging/lmdb/errors.js';

const stage = (failures: number) => ({ type: 'Stage.Unavailable' as const, cause: 'away', failures });
const target = (failures: number) => ({ type: 'Target.Unavailable' as const, cause: 'down', failures });

test('trouble is said once it lasts, once, and its end once for all who had it', () => {
  const said: string[] = [];
  const teller = createTroubleTeller(({ type, cause }) => said.push(`${type} ${cause ?? 'over'}`));
  teller.tell('apply', target(3));
  teller.tell('apply', null);
  assert.deepEqual(said, [], 'three failures are not worth an incident');
  teller.tell('intake', stage(4));
  teller.tell('intake', stage(5));
  teller.tell('apply', stage(4));
  assert.deepEqual(said.splice(0), ['Stage.Unavailable away']);
  teller.tell('intake', null);
  assert.deepEqual(said, [], 'the loop still waits for it');
  teller.tell('apply', null);
  assert.deepEqual(said.splice(0), ['Stage.Unavailable over']);
});

test('a loop that waits for the other side now has no trouble with the first any more', () => {
  const said: string[] = [];
  const teller = createTroubleTeller(({ type, cause }) => said.push(`${type} ${cause ?? 'over'}`));
  teller.tell('apply', stage(4));
  teller.tell('apply', target(5));
  assert.deepEqual(said, ['Stage.Unavailable away', 'Target.Unavailable down', 'Stage.Unavailable over']);
});

test('a full disk has an incident of its own, whatever the store calls it', () => {
  const typeOf = (reason: string): string =>
    stageTrouble(new StageWriteError('/stage', { cause: new Error(reason) }).code);
  assert.equal(typeOf('No space left on device'), 'Stage.Full');
  assert.equal(typeOf('ENOSPC: no space left on device, write'), 'Stage.Full');
  assert.equal(typeOf('Input/output error'), 'Stage.Unavailable');
});
