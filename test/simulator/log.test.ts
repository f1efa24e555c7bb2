import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { startPostgres, type Postgres } from '../../demo/parts/postgres.js';
import { startSimulator, type Simulator } from '../../demo/simulator/simulator.js';
import { until } from '../support/until.js';

describe('the log of the simulated cluster', () => {
  let postgres: Postgres;
  let simulator: Simulator;
  let sql: pg.Client;
  const connect = async () => {
    const client = new pg.Client({ connectionString: simulator.url() });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  before(async () => {
    postgres = await startPostgres();
    simulator = await startSimulator({ postgres: { connectionString: postgres.url() } });
    sql = await connect();
  });
  after(async () => {
    await sql.end();
    await simulator.stop();
    await postgres.stop();
  });

  const logOf = async (table: string) =>
    (
      await sql.query<{ op: string; key: string[] | null; before: string[] | null; after: string[] | null }>(
        `SELECT op, key, before, after FROM crdb_sim.log l JOIN crdb_sim.tbl t USING (table_id) WHERE t.name = $1 ORDER BY id`,
        [table],
      )
    ).rows.map((row) => [row.op, row.key, row.before, row.after]);

  it('has each changed row with its images, a moved key as a delete and an insert', async () => {
    await sql.query('CREATE TABLE ops (id INT PRIMARY KEY, v STRING)');
    await sql.query(`INSERT INTO ops VALUES (1, 'a')`);
    await sql.query(`UPDATE ops SET v = 'a'`);
    await sql.query('UPDATE ops SET id = 2');
    await sql.query('DELETE FROM ops');
    await sql.query('TRUNCATE ops');
    assert.deepEqual(await logOf('ops'), [
      ['i', ['1'], null, ['1', 'a']],
      ['u', ['1'], ['1', 'a'], ['1', 'a']],
      ['d', ['1'], ['1', 'a'], null],
      ['i', ['2'], null, ['2', 'a']],
      ['d', ['2'], ['2', 'a'], null],
      ['t', null, null, null],
    ]);
  });

  it('has what cascades', async () => {
    await sql.query('CREATE TABLE parents (id INT PRIMARY KEY)');
    await sql.query('CREATE TABLE children (id INT PRIMARY KEY, parent INT REFERENCES parents ON DELETE CASCADE)');
    await sql.query('INSERT INTO parents VALUES (1)');
    await sql.query('INSERT INTO children VALUES (10, 1), (11, 1)');
    await sql.query('DELETE FROM parents');
    assert.deepEqual(
      (await logOf('children')).filter(([op]) => op === 'd').map(([, key]) => key),
      [['10'], ['11']],
    );
  });

  it('a decimal key is its value, the row its text', async () => {
    await sql.query('CREATE TABLE decimals (d DECIMAL PRIMARY KEY)');
    await sql.query('INSERT INTO decimals VALUES (1.500)');
    assert.deepEqual(await logOf('decimals'), [['i', ['1.5'], null, ['1.500']]]);
  });

  it('text of values does not depend on the session', async () => {
    await sql.query('CREATE TABLE texts (id INT PRIMARY KEY, t TIMESTAMPTZ, b BYTES, i INET)');
    await sql.query(`SET TIME ZONE 'Asia/Kolkata'`);
    await sql.query(
      `INSERT INTO texts VALUES (1, '2024-01-02 03:04:05.6+00', '\\x0102', '10.0.0.1'), (2, NULL, NULL, '10.0.0.1/24')`,
    );
    await sql.query(`SET TIME ZONE 'UTC'`);
    assert.deepEqual(
      (await logOf('texts')).map((row) => row[3]),
      [
        ['1', '2024-01-02 03:04:05.6+00', '\\x0102', '10.0.0.1'],
        ['2', null, null, '10.0.0.1/24'],
      ],
    );
  });

  it('versions a table with each change of its shape, and writes its rows again', async () => {
    await sql.query('CREATE TABLE shapes (id INT PRIMARY KEY, v STRING)');
    await sql.query(`INSERT INTO shapes VALUES (1, 'a')`);
    await sql.query('ALTER TABLE shapes ADD COLUMN plain STRING');
    await sql.query('ALTER TABLE shapes ADD COLUMN n INT DEFAULT 5');
    await sql.query('ALTER TABLE shapes RENAME COLUMN v TO w');
    await sql.query('ALTER TABLE shapes DROP COLUMN plain');
    await sql.query('ALTER TABLE shapes RENAME TO forms');
    await sql.query(`UPDATE forms SET w = 'b'`);
    const { rows } = await sql.query<{ change: string }>(
      `SELECT change FROM crdb_sim.tbl_version v WHERE table_id = (SELECT table_id FROM crdb_sim.tbl WHERE name = 'forms') ORDER BY version`,
    );
    assert.deepEqual(
      rows.map((row) => row.change),
      ['create', 'add_column', 'add_column_default', 'rename_column', 'drop_column', 'rename_table'],
    );
    assert.deepEqual(
      (await logOf('forms')).map((row) => [row[0], row[3]]),
      [
        ['i', ['1', 'a']],
        ['b', ['1', 'a', null]],
        ['b', ['1', 'a', null, '5']],
        ['b', ['1', 'a', '5']],
        ['u', ['1', 'b', '5']],
      ],
    );
  });

  it('timestamps are in commit order, not in the order in which transactions began', async () => {
    await sql.query('CREATE TABLE races (id INT PRIMARY KEY)');
    const early = await connect();
    await early.query('BEGIN');
    await early.query('INSERT INTO races VALUES (1)');
    await sql.query('INSERT INTO races VALUES (2)');
    await early.query('COMMIT');
    await early.end();
    const { rows } = await sql.query<{ key: string[] }>(
      `SELECT l.key FROM crdb_sim.log l JOIN crdb_sim.txn x USING (xid) JOIN crdb_sim.tbl t USING (table_id) WHERE t.name = 'races' ORDER BY x.hlc_nanos`,
    );
    assert.deepEqual(
      rows.map((row) => row.key),
      [['2'], ['1']],
    );
  });

  it('the clock waits for a commit that has its timestamp and is not visible yet', async () => {
    const committing = await connect();
    const asking = await connect();
    await committing.query('SELECT pg_advisory_lock(crdb_sim.commit_lock())');
    let answered = false;
    const answer = asking.query('SELECT cluster_logical_timestamp() AS t').then(() => (answered = true));
    await until('the question waits', async () => {
      if (answered) return true;
      const { rows } = await sql.query<{ n: string }>(
        `SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%cluster_logical_timestamp() AS t%' AND wait_event_type = 'Lock'`,
      );
      return rows[0]?.n === '1';
    });
    assert.equal(answered, false);
    await committing.query('SELECT pg_advisory_unlock(crdb_sim.commit_lock())');
    await answer;
    await committing.end();
    await asking.end();
  });

  it('survives a restart of the simulator, and the clock never goes back', async () => {
    const before = await sql.query<{ t: string }>('SELECT cluster_logical_timestamp() AS t');
    await sql.end();
    await simulator.stop();
    simulator = await startSimulator({ postgres: { connectionString: postgres.url() } });
    sql = await connect();
    const { rows } = await sql.query<{ t: string }>('SELECT cluster_logical_timestamp() AS t');
    assert.ok((rows[0]?.t ?? '') > (before.rows[0]?.t ?? ''));
    assert.deepEqual((await sql.query('SELECT id FROM races ORDER BY id')).rows, [{ id: '1' }, { id: '2' }]);
  });
});
