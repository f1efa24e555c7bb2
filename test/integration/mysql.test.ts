import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import { freePort } from '../../demo/parts/free-port.js';
import { SENTINEL_ON_SOURCE } from '../../demo/sentinel.js';
import { shopOnSource } from '../../demo/shop/schema.js';
import { MYSQL } from '../support/mariadb.js';
import { endRuns, startRunStack, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';
import { differsAtCursor } from './cases/compare-at-cursor.js';
import { badRowHalts, badRowsPutAside, endsWithDeadLetters } from './cases/dead-letters.js';
import { atOnce } from './cases/immediate.js';
import { createFamilies, parallelRun } from './cases/parallel.js';
import { rowsStay } from './cases/rollback.js';
import { rowsThatDiffer, wholeRun } from './cases/runbook.js';
import { forwardOf, goesThrough } from './cases/sentinel.js';
import { targetAway } from './cases/target-away.js';

// The cases of the main job that a dialect has to prove, by the very functions that run over PostgreSQL; one stack for all of them.
let at: RunStack;
let forwardPort: number;
before(async () => {
  forwardPort = await freePort();
  at = await startRunStack({
    dialect: MYSQL,
    connections: { forward: `http://127.0.0.1:${forwardPort}/_/varz` },
  });
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
});
after(async () => at.stop());
afterEach(async () => {
  await endRuns(at);
  await at.onBoth('DROP TABLE IF EXISTS items');
});

test('a whole run: paused, resumed, finished through its gate, in words', () => wholeRun(at));
test('rows that differ, and writes that go on, keep the run replicating', () => rowsThatDiffer(at));

suite('of a table of two rows, or none', () => {
  test('a rollback leaves the applied rows', async () => {
    await at.createTable('items');
    await rowsStay(at);
  });
  test('rows written before the cursor are named, and nothing starts until a person says so', async () => {
    await at.createTable('items');
    await at.onBoth("INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 2)");
    await differsAtCursor(at);
  });
  test('a target that is away while a new attempt takes over is named', async () => {
    await at.createTable('items');
    await targetAway(at);
  });
  test('a row goes through forward replication and back out before its gate', async () => {
    await at.createTable('items');
    await at.source.query(`${shopOnSource({ total: 'DECIMAL(40, 9)', unique: 'STRING(255)' })}; ${SENTINEL_ON_SOURCE}`);
    for (const statement of [...at.target.demo.shop, ...at.target.demo.sentinel]) await at.target.query(statement);
    const forward = await forwardOf(at, at.stack.target.url, forwardPort);
    try {
      await goesThrough({ at, forward, forwardPort });
    } finally {
      await forward.stop();
    }
  });
});

suite('changes that the target refuses', () => {
  test('a bad row halts, and resume goes on', () => badRowHalts(at));
  test('bad rows are put aside, counted and named, replaced or replayed on request', () => badRowsPutAside(at));
  test('a run that ends with dead letters keeps them', async () => {
    await endsWithDeadLetters(at);
    // As its ending says: else the checkpoint schema stays for the tests that follow.
    await at.target.query(`DELETE FROM ${at.target.ours('dead_letters')} WHERE run = 'kept'`);
  });
});

test('immediate mode: rows come before their timestamp is resolved', () => atOnce(at));

test('parallel applies: groups by foreign keys, one locked, the worker killed, and all at one timestamp', async () => {
  await createFamilies(at);
  await parallelRun(at);
});

test('tables of two schemas go into another database, one with a dot in its name, and a column that is not there into JSON', async () => {
  const { target } = at;
  await at.source.query('CREATE SCHEMA depot');
  await at.source.query('CREATE TABLE notes (id INT PRIMARY KEY, note STRING, added DECIMAL(12,2))');
  await at.source.query('CREATE TABLE depot."odd.items" (id INT PRIMARY KEY, "Name" STRING)');
  await target.query('CREATE DATABASE elsewhere CHARACTER SET utf8mb4');
  await target.query('CREATE TABLE elsewhere.notes (id int8 PRIMARY KEY, note longtext, extra json)');
  await target.query('CREATE TABLE elsewhere."odd.items" (id int8 PRIMARY KEY, "Name" longtext)');
  const run = await at.start('elsewhere', '', {
    tables: ['public.notes', 'depot."odd.items"'],
    targetSchema: 'elsewhere',
    apply: { extraColumns: { into: 'extra' } },
  });
  await run.replicating();
  await at.source.query(`INSERT INTO notes VALUES (1, 'one', 1.50), (2, NULL, NULL)`);
  await at.source.query(`INSERT INTO depot."odd.items" VALUES (1, 'an item'), (2, 'gone')`);
  await at.source.query('DELETE FROM depot."odd.items" WHERE id = 2');
  await until(
    'the rows are there',
    async () =>
      (await at.rowsOnTarget('elsewhere.notes')) === 2 && (await at.rowsOnTarget('elsewhere."odd.items"')) === 1,
  );
  await run.signal('finish');
  assert.match(
    (await run.ending()).summary,
    /Not compared, as the target does not have them: elsewhere\.notes\.added\./,
  );
  assert.deepEqual((await target.query('SELECT * FROM elsewhere.notes ORDER BY id')).rows, [
    { id: '1', note: 'one', extra: '{"added": 1.50}' },
    { id: '2', note: null, extra: '{"added": null}' },
  ]);
});
