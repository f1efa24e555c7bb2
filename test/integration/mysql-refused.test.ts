import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { dumpBoth } from '../support/dumps.js';
import { MYSQL } from '../support/mariadb.js';
import { startRunStack, type Input, type RunStack } from '../support/run.js';
import {
  assertNone,
  type Canaries,
  canariesOf,
  gather,
  PASSWORD,
  troubled,
  withSecrets,
  WRONG_PASSWORD,
} from './cases/canaries.js';

let at: RunStack;
let secretsDir: string;
let canaries: Canaries;
before(async () => {
  secretsDir = mkdtempSync(join(tmpdir(), 'failback-secrets-'));
  at = await startRunStack({ ...withSecrets(secretsDir), dialect: MYSQL });
  canaries = canariesOf(at);
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
});
after(async () => {
  await at.stop();
  rmSync(secretsDir, { recursive: true });
});

/** Starts a run on a connection of that name, which must fail with one message; both sides are as they were, and nothing shows a secret. */
async function refused(name: string, connectionString: string, input: Input = {}): Promise<string> {
  writeFileSync(join(secretsDir, name), connectionString);
  const untouched = await dumpBoth(at);
  const run = await at.start(name, 'items', { target: name, ...input });
  const { type, message } = await run.failure(60_000);
  assert.equal(type, 'Preflight.Blocked');
  assert.doesNotMatch(message, /\n/);
  assert.match(message, /nothing was touched/);
  assertNone([...(await gather(at, name, [])), { place: 'the failure', text: message }], canaries);
  assert.deepEqual(await dumpBoth(at), untouched);
  return message;
}

/** The target's connection string, with its password. */
function changed(change: (url: URL) => void): string {
  const url = new URL(at.stack.target.url);
  url.password = PASSWORD;
  change(url);
  return url.toString();
}

test('no secret and no row value can be read of a run over MySQL with failures', async () => {
  const run = await troubled(at, canaries);
  await run.signal('rollback');
  assert.equal((await run.ending()).outcome, 'rolled back');
  assertNone(await gather(at, 'canary'), canaries);
});

test('a connection string that cannot be used is named beside every other problem, without a word of it', async () => {
  const plain = changed(() => undefined);
  const WRONG: readonly (readonly [name: string, connectionString: string, words: RegExp])[] = [
    [
      'wrong-password',
      changed((url) => (url.password = WRONG_PASSWORD)),
      /Access denied for user 'failback'@.*\(1045\)/,
    ],
    ['wrong-scheme', plain.replace('mysql:', 'mysq:'), /begins with "mysq:\/\/", found none of .*mysql:\/\//],
    [
      'unknown-parameter',
      changed((url) => url.searchParams.set('ssl', PASSWORD)),
      /parameter ssl is unknown; known are sslmode/,
    ],
    ['no-port', plain.replace(/:\d+\//, ':no-port/'), /it is no URL/],
    ['no-database', changed((url) => (url.pathname = '/nowhere')), /Unknown database 'nowhere' \(1049\)/],
  ];
  for (const [name, connectionString, words] of WRONG) {
    const message = await refused(name, connectionString, { changefeed: { options: { initial_scan: 'only' } } });
    assert.match(message, words);
    assert.equal(message.match(new RegExp(`connection ${name}: the target cannot be asked`, 'g'))?.length, 1);
    assert.match(message, /changefeed\.options\.initial_scan/);
  }
});

test('every missing grant at once, and after the grants the same id starts', async () => {
  const user = `'writer'@'127.0.0.1'`;
  await at.target.query(`CREATE USER ${user} IDENTIFIED BY $1`, [WRONG_PASSWORD]);
  await at.target.query(`GRANT SELECT, INSERT, UPDATE ON items TO ${user}; GRANT PROCESS ON *.* TO ${user}`);
  const writer = changed((url) => {
    url.username = 'writer';
    url.password = WRONG_PASSWORD;
  });
  const message = await refused('writer', writer);
  const grants = message.match(/GRANT [^;]*? TO 'writer'@'127\.0\.0\.1'/g) ?? [];
  assert.ok(grants.length >= 2, message);
  assert.match(grants.join('; '), /GRANT DELETE ON `shop`\.`items`/);
  assert.match(grants.join('; '), /GRANT .*CREATE.* ON `\\_failback`\.\*/);

  for (const grant of grants) await at.target.query(grant);
  const untouched = await dumpBoth(at);
  const run = await at.start('writer', 'items', { target: 'writer' });
  await run.awaitPhase('drain');
  await run.signal('rollback');
  assert.equal((await run.ending()).outcome, 'rolled back');
  assert.deepEqual(await dumpBoth(at), untouched);
});
