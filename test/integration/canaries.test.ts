import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findCanaries, readTemporal, type Evidence } from '../support/evidence.js';
import { startRunStack, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';
import {
  assertNone,
  type Canaries,
  canariesOf,
  gather as gatherOf,
  PASSWORD,
  TOKEN,
  troubled,
  VALUE,
  withSecrets,
  WRONG_PASSWORD,
} from './cases/canaries.js';

let at: RunStack;
let secretsDir: string;
let canaries: Canaries;
before(async () => {
  secretsDir = mkdtempSync(join(tmpdir(), 'failback-secrets-'));
  at = await startRunStack(withSecrets(secretsDir));
  canaries = canariesOf(at);
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
});
after(async () => {
  await at.stop();
  rmSync(secretsDir, { recursive: true });
});

const gather = (id: string, streams?: readonly string[]): Promise<Evidence[]> => gatherOf(at, id, streams);

test('no secret and no row value can be read of a run with failures; each that is planted is found', async () => {
  for (const [name, canary] of Object.entries(canaries)) assert.ok(canary.length >= 20, name);
  const run = await troubled(at, canaries);
  for (const [name, canary] of Object.entries(canaries)) {
    await at.client.workflow.getHandle('canary').signal('pause', { planted: canary });
    // A signal that comes during a workflow task is in the history once that task is done.
    await until(`${name} is found in the history`, async () =>
      findCanaries(await gather('canary'), canaries).includes(`${name} in history of canary`),
    );
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
    assertNone([...(await gather(id, [])), { place: 'the failure', text: message }], canaries);
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
