import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { findCanaries, readTemporal, type Evidence } from '../support/evidence.js';
import { startRunStack, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

const PASSWORD = 'canary-password-7f3a91';
const VALUE = 'canary-row-value-55d0c2';

let at: RunStack;
before(async () => {
  at = await startRunStack({ password: PASSWORD });
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
});
after(async () => at.stop());

/** Everything that can be read of a run while it lives, or after. */
async function gather(id: string): Promise<Evidence[]> {
  const varz = await fetch(`http://127.0.0.1:${at.metricsPort}/_/varz`);
  const jobs = await at.source.query('SELECT * FROM [SHOW CHANGEFEED JOBS]');
  return [
    ...(await readTemporal(at.client, id)),
    ...(await readTemporal(at.client, `${id}/stream`)),
    { place: 'status', text: JSON.stringify(await at.attach(id).status()) },
    { place: '/_/varz', text: await varz.text() },
    { place: 'the log of the worker', text: at.workerLog() },
    { place: 'SHOW CHANGEFEED JOBS', text: JSON.stringify(jobs.rows) },
  ];
}

test('no password, key or row value can be read of a run with failures; a planted one is found', async () => {
  const key = readFileSync(at.stack.certificates.clientKey, 'utf8').split('\n')[1] ?? '';
  assert.ok(key.length > 40);
  const canaries = { password: PASSWORD, 'client key': key, 'row value': VALUE };
  const none = (evidence: readonly Evidence[]): void => assert.deepEqual(findCanaries(evidence, canaries), []);

  const run = await at.start('canary', 'items');
  await run.replicating();
  await at.target.query(`ALTER TABLE items ADD CONSTRAINT short CHECK (name NOT LIKE 'canary%')`);
  await at.source.query('INSERT INTO items VALUES (1, $1, 1)', [VALUE]);
  const bad = await until(
    'the incident',
    async () => (await run.status()).incidents.find(({ type, endedAt }) => type === 'Target.BadRow' && !endedAt),
    { timeoutMs: 30_000 },
  );
  assert.match(bad.cause, /items key \[1\].*short/);
  none(await gather('canary'));

  await at.target.query('ALTER TABLE items DROP CONSTRAINT short');
  await run.signal('resume');
  await until('the row', async () => (await at.rowsOnTarget('items')) === 1, { timeoutMs: 40_000 });

  await at.targetGate.shut();
  await at.source.query('INSERT INTO items VALUES (2, $1, 1)', [VALUE]);
  await until(
    'the outage is noticed',
    async () => (await run.status()).incidents.some(({ type }) => type === 'Target.Unavailable'),
    { timeoutMs: 40_000 },
  );
  await at.targetGate.open();
  await until('the next row', async () => (await at.rowsOnTarget('items')) === 2, { timeoutMs: 40_000 });
  none(await gather('canary'));

  await at.client.workflow.getHandle('canary').signal('pause', { planted: VALUE });
  assert.deepEqual(findCanaries(await gather('canary'), canaries), ['row value in history of canary']);
  await run.awaitPhase('paused');
  await run.signal('rollback');
  assert.equal((await run.ending()).outcome, 'rolled back');
});

test('the search finds each form in which a secret could hide', () => {
  const canary = { secret: 'a+b/"c"=canary-0123456789' };
  const forms = [
    canary.secret,
    encodeURIComponent(canary.secret),
    JSON.stringify(canary.secret),
    ...['', 'x', 'xy'].map((before) => Buffer.from(`${before}${canary.secret} and more`).toString('base64')),
  ];
  for (const text of forms) assert.equal(findCanaries([{ place: 'here', text: `... ${text} ...` }], canary).length, 1);
  assert.deepEqual(findCanaries([{ place: 'here', text: 'nothing' }], canary), []);
});
