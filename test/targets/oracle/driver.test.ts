import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOracleDriver } from '../../../src/targets/oracle/driver.js';

const at = (user: string, more: { checkpointSchema?: string } = {}) =>
  createOracleDriver(`oracle://${encodeURIComponent(user)}:secret@127.0.0.1:1/PDB`, { run: 'orders', ...more });

test('tables and checkpoint are in the schema of the user, as Oracle folds its name', async () => {
  const driver = at('app');
  assert.equal(driver.defaultSchema, 'APP');
  assert.equal(driver.checkpointSchema, 'APP');
  assert.equal(driver.deadLetterTable, 'APP.FAILBACK_DEAD_LETTERS');
  assert.deepEqual(await driver.sinkPath('SHOP'), ['SHOP']);
  assert.equal(at('C##FAILBACK').defaultSchema, 'C##FAILBACK');
  assert.equal(at('"app"').defaultSchema, 'app');
  assert.equal(at('proxy[app]').defaultSchema, 'APP');
});

test('the checkpoint may be somewhere else', () => {
  const driver = at('app', { checkpointSchema: 'KEEP' });
  assert.equal(driver.checkpointSchema, 'KEEP');
  assert.equal(driver.defaultSchema, 'APP');
});
