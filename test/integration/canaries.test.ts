import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findCanaries, readTemporal, type Evidence } from '../support/evidence.js';
import { startRunStack, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

const PASSWORD = 'canary-password-7f3a91';
const WRONG_PASSWORD = 'canary-wrong-password-c41e08';
const TOKEN = 'canary-bearer-token-93be27';
const VALUE = 'canary-row-value-55d0c2';

let at: RunStack;
let secretsDir: string;
let canaries: Readonly<Record<string, string>>;
before(async () => {
  secretsDir = mkdtempSync(join(tmpdir(), 'failback-secrets-'));
  at = await startRunStack({
    password: PASSWORD,
    env: { FAILBACK_RECEIVER_TOKEN: TOKEN, FAILBACK_SECRETS_DIR: secretsDir },
  });
  const pem = readFileSync(at.stack.certificates.clientKey, 'utf8');
  canaries = {
    password: PASSWORD,
    'wrong password': WRONG_PASSWORD,
    'bearer token': TOKEN,
    'client key': pem.split('\n')[1] ?? '',
    'client key as in the sink URL': Buffer.from(pem).toString('base64'),
    'row value': VALUE,
  };
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
});
after(async () => {
  await at.stop();
  rmSync(secretsDir, { recursive: true });
});

/** Everything that can be read of a run while it lives, or after. */
async function gather(id: string, streams: readonly string[] = [`${id}/stream`]): Promise<Evidence[]> {
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
function assertNone(evidence: readonly Evidence[]): void {
  for (const { place, text } of evidence) if (place !== 'SHOW CHANGEFEED JOBS') assert.notEqual(text, '', place);
  assert.deepEqual(findCanaries(evidence, canaries), []);
}

test('no secret and no row value can be read of a run with failures; each that is planted is found', async () => {
  for (const [name, canary] of Object.entries(canaries)) assert.ok(canary.length >= 20, name);
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
  assertNone(await gather('canary'));

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
  const whole = await gather('canary');
  assert.match(textOf(whole, 'description of canary/stream'), /stagedBytes/, 'heartbeats are among what is searched');
  assert.match(textOf(whole, 'description of canary'), /"phase"/, 'and so is the memo');
  assertNone(whole);

  for (const [name, canary] of Object.entries(canaries)) {
    await at.client.workflow.getHandle('canary').signal('pause', { planted: canary });
    assert.ok(findCanaries(await gather('canary'), canaries).includes(`${name} in history of canary`), name);
  }
  await run.awaitPhase('paused');
  await until(
    'a planted heartbeat is found before the next one',
    async () => {
      const activityId = (await run.pending('receiveAndApply'))?.activityId ?? '';
      await at.client.activity.heartbeat({ workflowId: 'canary/stream', activityId }, { planted: VALUE });
      return findCanaries(await gather('canary'), canaries).includes('row value in description of canary/stream');
    },
    { timeoutMs: 40_000 },
  );
  await run.signal('rollback');
  assert.equal((await run.ending()).outcome, 'rolled back');
});

/** A connection that the worker finds in its secrets folder. */
function addSecret(name: string, connectionString: string): void {
  writeFileSync(join(secretsDir, name), connectionString);
}

/** Lets the server ask `locked` for its password, which it does of nobody else. */
async function demandPassword(): Promise<void> {
  await at.target.query(`CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'another'`);
  const { rows } = await at.target.query<{ hba_file: string }>('SHOW hba_file');
  const file = rows[0]?.hba_file ?? '';
  writeFileSync(file, `host all locked 127.0.0.1/32 scram-sha-256\n${readFileSync(file, 'utf8')}`);
  chmodSync(file, 0o644);
  await at.target.query('SELECT pg_reload_conf()');
}

test('a run that fails shows nothing of the connection string at which it failed', async () => {
  await demandPassword();
  const changed = (side: 'source' | 'target', port?: string): string => {
    const url = new URL(at.stack.connections[side] ?? '');
    url.username = 'locked';
    url.password = WRONG_PASSWORD;
    return port === undefined ? url.toString() : url.toString().replace(`:${url.port}/`, `:${port}/`);
  };
  addSecret('locked-source', changed('source'));
  addSecret('locked-target', changed('target'));
  addSecret('malformed-target', changed('target', 'no-port'));
  addSecret('malformed-source', changed('source', 'no-port'));
  const FAILING: readonly (readonly [id: string, input: Record<string, unknown>, words: RegExp])[] = [
    ['locked-target', { target: 'locked-target' }, /password authentication failed for user "locked"/],
    ['locked-source', { source: 'locked-source' }, /password authentication failed for user "locked"/],
    ['malformed-target', { target: 'malformed-target' }, /connection malformed-target/],
    ['malformed-source', { source: 'malformed-source' }, /connection malformed-source/],
  ];
  for (const [id, input, words] of FAILING) {
    const run = await at.start(id, 'items', input);
    const { type, message } = await run.failure(60_000);
    assert.equal(type, 'Preflight.Blocked');
    assert.match(message, words);
    assertNone([...(await gather(id, [])), { place: 'the failure', text: message }]);
  }
});

test('what is planted in a memo or in the log is found', async () => {
  await at.client.workflow.start('preflight', {
    taskQueue: 'nobody polls this',
    workflowId: 'planted-memo',
    memo: { planted: PASSWORD },
    args: [],
  });
  const evidence = await readTemporal(at.client, 'planted-memo');
  assert.ok(findCanaries(evidence, canaries).includes('password in description of planted-memo'));
  await at.client.workflow.getHandle('planted-memo').terminate('planted');
  // Last of all: from here on the log holds it.
  appendFileSync(join(at.stack.folder, 'worker.log'), `${TOKEN}\n`);
  assert.ok(findCanaries(await gather('canary'), canaries).includes('bearer token in the log of the worker'));
});

function textOf(evidence: readonly Evidence[], wanted: string): string {
  return evidence.find(({ place }) => place === wanted)?.text ?? '';
}

test('the search finds each form in which a secret could hide', () => {
  const canary = { secret: 'a+b/"c"=canary-0123456789' };
  const forms = [
    canary.secret,
    encodeURIComponent(canary.secret),
    JSON.stringify(canary.secret),
    ...['', 'x', 'xy'].map((before) => Buffer.from(`${before}${canary.secret} and more`).toString('base64')),
    Buffer.from(`a sink URL with ${encodeURIComponent(canary.secret)} and more`).toString('base64'),
  ];
  for (const text of forms) assert.equal(findCanaries([{ place: 'here', text: `... ${text} ...` }], canary).length, 1);
  assert.deepEqual(findCanaries([{ place: 'here', text: 'nothing' }], canary), []);
});
