import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { findCanaries, readTemporal, type Evidence } from '../../support/evidence.js';
import type { Run, RunStack, RunStackOptions } from '../../support/run.js';
import { until } from '../../support/until.js';

export const PASSWORD = 'canary-password-7f3a91';
export const WRONG_PASSWORD = 'canary-wrong-password-c41e08';
export const TOKEN = 'canary-bearer-token-93be27';
export const VALUE = 'canary-row-value-55d0c2';

/** Each with a name for people. */
export type Canaries = Readonly<Record<string, string>>;

/** A stack whose secrets are known texts; further connections are files of that folder. */
export function withSecrets(secretsDir: string): RunStackOptions {
  return { password: PASSWORD, env: { FAILBACK_RECEIVER_TOKEN: TOKEN, FAILBACK_SECRETS_DIR: secretsDir } };
}

export function canariesOf(at: RunStack): Canaries {
  const pem = readFileSync(at.stack.certificates.clientKey, 'utf8');
  return {
    password: PASSWORD,
    'wrong password': WRONG_PASSWORD,
    'bearer token': TOKEN,
    'client key': pem.split('\n')[1] ?? '',
    'client key as in the sink URL': Buffer.from(pem).toString('base64'),
    'row value': VALUE,
  };
}

/** Everything that can be read of a run while it lives, or after. */
export async function gather(
  at: RunStack,
  id: string,
  streams: readonly string[] = [`${id}/stream`],
): Promise<Evidence[]> {
  const varz = await fetch(`http://127.0.0.1:${at.metricsPort}/_/varz`);
  const jobs = await at.source.query('SELECT * FROM [SHOW CHANGEFEED JOBS]');
  const [temporal, status, report] = await Promise.all([
    Promise.all([id, ...streams].map((one) => readTemporal(at.client, one))),
    at.attach(id).status(),
    at.attach(id).handle.query<string>('report'),
  ]);
  return [
    ...temporal.flat(),
    { place: 'status', text: JSON.stringify(status) },
    { place: 'report', text: report },
    { place: '/_/varz', text: await varz.text() },
    { place: 'the log of the worker', text: at.workerLog() },
    { place: 'SHOW CHANGEFEED JOBS', text: JSON.stringify(jobs.rows) },
  ];
}

/** Finds none of the canaries; `evidence` is not empty by mistake. */
export function assertNone(evidence: readonly Evidence[], canaries: Canaries): void {
  for (const { place, text } of evidence) if (place !== 'SHOW CHANGEFEED JOBS') assert.notEqual(text, '', place);
  assert.deepEqual(findCanaries(evidence, canaries), []);
}

function textOf(evidence: readonly Evidence[], wanted: string): string {
  return evidence.find(({ place }) => place === wanted)?.text ?? '';
}

/** A run of `items` whose row is refused, whose target goes away, and of which nothing shows a canary. It goes on. */
export async function troubled(at: RunStack, canaries: Canaries): Promise<Run> {
  const run = await at.start('canary', 'items');
  await run.replicating();
  const { rows: sent } = await at.source.query<{ options: string }>(`SELECT options::text FROM crdb_sim.job`);
  assert.ok(
    sent.some(({ options }) => options.includes(`Bearer ${TOKEN}`)),
    'CockroachDB was given the token',
  );
  await at.target.query(`ALTER TABLE items ADD CONSTRAINT short CHECK (name NOT LIKE 'canary%')`);
  await at.source.query('INSERT INTO items VALUES (1, $1, 1)', [VALUE]);
  const bad = await until(
    'the incident',
    async () => (await run.status()).incidents.find(({ type, endedAt }) => type === 'Target.BadRow' && !endedAt),
    { timeoutMs: 30_000 },
  );
  assert.match(bad.cause, /items key \[1\].*short/);
  assertNone(await gather(at, 'canary'), canaries);

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
  const whole = await gather(at, 'canary');
  assert.match(textOf(whole, 'description of canary/stream'), /stagedBytes/, 'heartbeats are among what is searched');
  assert.match(textOf(whole, 'description of canary'), /"phase"/, 'and so is the memo');
  assertNone(whole, canaries);

  return run;
}
