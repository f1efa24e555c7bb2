import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dumpBoth } from '../support/dumps.js';
import { startRunStack, type Input, type RunStack } from '../support/run.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.createTable('items');
  await at.source.query('CREATE TABLE only_here (id INT PRIMARY KEY)');
});
after(async () => at.stop());

/** Starts a run that must fail, and returns its one message; both sides must be as they were. */
async function refused(id: string, input: Input, table = 'items'): Promise<{ type: string; message: string }> {
  const untouched = await dumpBoth(at);
  const run = await at.start(id, table, input);
  const failure = await run.failure();
  assert.deepEqual(await dumpBoth(at), untouched, 'nothing is left on either side');
  assert.doesNotMatch(failure.message, /\n/);
  return failure;
}

const INPUTS: readonly (readonly [what: string, input: Input, words: readonly RegExp[]])[] = [
  ['an unknown field', { tabels: ['public.items'] }, [/tabels: unknown field: remove it, or correct its name/]],
  ['a number for a duration', { limits: { outage: 12 } }, [/limits\.outage: found 12: expected a duration such as/]],
  ['a text for a list', { tables: 'public.items' }, [/tables: found "public\.items": expected a list/]],
  ['no tables', { tables: [] }, [/tables: found \[\]: expected at least one table/]],
  [
    'a setting that is not ours',
    { clusterSettings: { 'sql.defaults.x': '1' } },
    [/clusterSettings\.sql\.defaults\.x: unknown field/],
  ],
  [
    'a connection string for a name',
    { target: 'postgresql://u:canary@h/d' },
    [/target: found a value of 25 characters \(not shown\): .*never a connection string/],
  ],
  ['several at once', { tables: [], approvals: ['x'] }, [/has 2 problems/, /tables: /, /approvals.*found "x"/]],
];
for (const [what, input, words] of INPUTS) {
  test(`${what} ends the run with one message that names it`, async () => {
    const { type, message } = await refused('wrong', input);
    assert.equal(type, 'Input.Invalid');
    assert.match(message, /nothing was touched/);
    for (const word of words) assert.match(message, word);
    assert.doesNotMatch(message, /canary/);
  });
}

test('an unknown connection names the known ones and the variable to set', async () => {
  const { message } = await refused('unknown-connection', { target: 'orders-pg' });
  assert.match(message, /connection "orders-pg" is not known.*known are source, target.*FAILBACK_CONNECTION_ORDERS_PG/);
});

test('an unknown connection of the source, and of the forward replicator, too', async () => {
  assert.match((await refused('unknown-connection', { source: 'crdb' })).message, /"crdb" is not known/);
  const forward = await refused('unknown-connection', { drain: { forward: 'molt' } });
  assert.deepEqual([forward.type, /"molt" is not known/.test(forward.message)], ['Connection.Unknown', true]);
});

test('a table that is on neither side, or only on the source', async () => {
  const nowhere = await refused('missing-table', { tables: ['public.nowhere', 'public.items'] });
  assert.equal(nowhere.type, 'Preflight.Blocked');
  assert.match(nowhere.message, /public\.nowhere/);
  const here = await refused('missing-table', { tables: ['public.only_here'] });
  assert.match(here.message, /public\.only_here: the target has no such table.*Create it on the target/);
});

test('an option with which rows would be lost', async () => {
  const { message } = await refused('option', { changefeed: { options: { initial_scan: 'only' } } });
  assert.match(message, /changefeed\.options\.initial_scan.*Remove it/);
});

test('a target that cannot be reached, or a source, is one finding with its cause', async () => {
  const untouched = await dumpBoth(at);
  for (const [gate, words] of [
    [at.targetGate, /connection target: the target cannot be asked.*ECONNREFUSED/],
    [at.sourceGate, /connection source: the source cannot be asked.*ECONNREFUSED/],
  ] as const) {
    await gate.shut();
    try {
      const run = await at.start('unreachable', 'items');
      const { type, message } = await run.failure();
      assert.equal(type, 'Preflight.Blocked');
      assert.match(message, words);
      assert.match(message, /nothing was touched/);
    } finally {
      await gate.open();
    }
  }
  assert.deepEqual(await dumpBoth(at), untouched);
});

test('no DELETE privilege: every missing grant at once, and after the grants the same id starts', async () => {
  await at.target.query(`CREATE ROLE writer LOGIN; GRANT CREATE ON DATABASE ${at.stack.target.name} TO writer`);
  await at.target.query('GRANT SELECT, INSERT, UPDATE ON items TO writer');
  const writer = new URL(at.stack.target.url);
  writer.username = 'writer';
  await at.worker.stop();
  await at.stack.startWorker({ connections: { ...at.stack.connections, target: writer.toString() } });

  const { type, message } = await refused('no-delete', {});
  assert.equal(type, 'Preflight.Blocked');
  assert.match(message, /GRANT DELETE ON .*items.* TO .*writer/);

  await at.target.query('GRANT DELETE ON items TO writer');
  const untouched = await dumpBoth(at);
  const run = await at.start('no-delete', 'items');
  await run.awaitPhase('drain');
  await run.signal('rollback');
  assert.equal((await run.ending()).outcome, 'rolled back');
  assert.deepEqual(await dumpBoth(at), untouched);
});
