import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { connectMysql, type MysqlClient } from '../../../src/targets/mysql/client.js';
import { eraseSentinel, writeSentinel } from '../../../src/targets/mysql/sentinel.js';
import { alignSequences } from '../../../src/targets/mysql/sequences.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';

const T = { schema: 'd', table: 't' };
let server: Mariadb;
let admin: MysqlClient;

before(async () => {
  server = await startMariadb();
  admin = await connect(server.url());
});
after(async () => {
  await admin.close();
  await server.stop();
});
beforeEach(() => run('DROP DATABASE IF EXISTS d', 'CREATE DATABASE d', 'USE d'));

function connect(connectionString: string): Promise<MysqlClient> {
  return connectMysql({ connectionString, applicationName: 'failback test' });
}

async function run(...statements: string[]): Promise<void> {
  for (const statement of statements) await admin.query(statement);
}

/** The value that an insert without one is given. */
async function nextValue(column = 'id'): Promise<string | null | undefined> {
  await run(`INSERT INTO t (note) VALUES ('new')`);
  const { rows } = await admin.query(`SELECT ${column} AS value FROM t WHERE note = 'new'`);
  await run(`DELETE FROM t WHERE note = 'new'`);
  return rows[0]?.['value'];
}

async function align(client = admin) {
  return (await alignSequences(client, [T])).map(({ outcome, was, now, statement }) => ({
    outcome,
    was,
    now,
    statement,
  }));
}

const BEYOND = [{ outcome: 'beyond', was: null, now: null, statement: null }];

test('InnoDB counts on beyond rows that came with their values, through deletes and a restart', async () => {
  await run('CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, note text)');
  await run(`INSERT INTO t VALUES (41, 'a'), (7, 'b') ON DUPLICATE KEY UPDATE note = VALUES(note)`);
  assert.deepEqual(await align(), BEYOND);
  assert.equal(await nextValue(), '42');
  await run(`INSERT INTO t VALUES (60, 'c')`, 'DELETE FROM t');
  await admin.close();
  await server.restart();
  admin = await connect(server.url('d'));
  assert.deepEqual(await align(), BEYOND);
  assert.equal(await nextValue(), '61');
});

test('InnoDB counts on beyond values that an UPDATE has given, partitions or none', async () => {
  for (const more of ['', 'PARTITION BY HASH (id) PARTITIONS 2']) {
    await run(`CREATE OR REPLACE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, note text) ${more}`);
    await run(`INSERT INTO t VALUES (1, 'a')`, 'UPDATE t SET id = 100');
    await run(`INSERT INTO t VALUES (100, 'b') ON DUPLICATE KEY UPDATE id = 200`);
    assert.equal(await nextValue(), '201');
  }
});

test('an AUTO_INCREMENT at the end of its type is told', async () => {
  await run('CREATE TABLE t (id tinyint unsigned AUTO_INCREMENT PRIMARY KEY)', 'INSERT INTO t VALUES (254)');
  assert.deepEqual(await align(), BEYOND);
  await run('INSERT INTO t VALUES (255)');
  const [ended] = await align();
  assert.equal(ended?.outcome, 'exhausted');
  assert.match(ended?.statement ?? '', /ends at 255, and rows have 255/);
});

test('a sequence that is a default goes on beyond the rows, on its own grid, up or down', async () => {
  await run(
    'CREATE SEQUENCE odd START WITH 1 INCREMENT BY 2 NOCACHE',
    'CREATE SEQUENCE down START WITH -1 INCREMENT BY -1 MINVALUE -1000 MAXVALUE -1 NOCACHE',
  );
  await run('CREATE TABLE t (id bigint DEFAULT nextval(odd) PRIMARY KEY, n bigint DEFAULT nextval(down), note text)');
  await run(`INSERT INTO t VALUES (50, -50, 'a')`);
  assert.deepEqual(await align(), [
    { outcome: 'set', was: '1', now: '51', statement: null },
    { outcome: 'set', was: '-1', now: '-51', statement: null },
  ]);
  assert.equal((await align())[0]?.outcome, 'beyond');
  assert.equal(await nextValue(), '51');
  assert.equal(await nextValue('n'), '-52');
  await run(`INSERT INTO t VALUES (60, -1000, 'b')`);
  const [set, ended] = await align();
  assert.equal(set?.outcome, 'set');
  assert.equal(ended?.outcome, 'exhausted');
  await run(
    `CREATE OR REPLACE USER few@127.0.0.1 IDENTIFIED BY 'few'`,
    'GRANT SELECT ON d.* TO few@127.0.0.1',
    `INSERT INTO t VALUES (70, -70, 'c')`,
  );
  const few = await connect(`mysql://few:few@127.0.0.1:${server.port}/d`);
  const [told] = await align(few);
  await few.close();
  assert.deepEqual([told?.outcome, told?.statement], ['not-permitted', 'SELECT SETVAL(`d`.`odd`, 71, 0)']);
});

test('the sentinel row is written once and erased', async () => {
  const table = { schema: 'd', table: 'sentinel' };
  await run('CREATE TABLE sentinel (id varchar(64) PRIMARY KEY, written_at timestamp(6) NOT NULL)');
  await writeSentinel(admin, table, 'a');
  const first = await admin.query('SELECT * FROM sentinel');
  await writeSentinel(admin, table, 'a');
  assert.deepEqual(await admin.query('SELECT * FROM sentinel'), first);
  assert.equal(await eraseSentinel(admin, table, 'a'), true);
  assert.equal(await eraseSentinel(admin, table, 'a'), false);
});
