import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type pg from 'pg';
import { startCockroach, type Cockroach } from '../support/cockroach.js';

describe('privileges for changefeeds', () => {
  let cockroach: Cockroach;
  let table: string;
  let user: string;
  let other: pg.Client;
  before(async () => {
    cockroach = await startCockroach();
    table = cockroach.fresh('guarded');
    user = cockroach.fresh('user');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY)`);
    await cockroach.sql.query(`CREATE USER IF NOT EXISTS ${user}`);
    await cockroach.sql.query(`CREATE USER IF NOT EXISTS ${user}`);
    other = await cockroach.connect(user);
  });
  after(() => cockroach.stop());

  const create = () =>
    other.query<{ job_id: string }>(
      `CREATE CHANGEFEED FOR TABLE ${table} INTO 'webhook-https://127.0.0.1:1/db/s' WITH initial_scan = 'no'`,
    );
  const granted = async () =>
    (await cockroach.sql.query<{ privilege_type: string }>(`SHOW GRANTS ON TABLE ${table} FOR ${user}`)).rows
      .map((row) => row.privilege_type)
      .sort();

  it('a user without CHANGEFEED is refused, with it not', async () => {
    await assert.rejects(create(), {
      code: '42501',
      message: /requires the CHANGEFEED privilege on all target tables to be able to run an enterprise changefeed/,
    });
    await cockroach.sql.query(`GRANT SELECT, CHANGEFEED ON TABLE ${table} TO ${user}`);
    assert.deepEqual(await granted(), ['CHANGEFEED', 'SELECT']);
    const { rows } = await create();
    await cockroach.sql.query(`CANCEL JOB ${rows[0]?.job_id}`);
    await cockroach.sql.query(`REVOKE CHANGEFEED ON TABLE ${table} FROM ${user}`);
    await assert.rejects(create(), { code: '42501' });
    assert.deepEqual(await granted(), ['SELECT']);
  });

  it('jobs of others are seen with VIEWJOB only, and never controlled', async () => {
    const made = await cockroach.sql.query<{ job_id: string }>(
      `CREATE CHANGEFEED FOR TABLE ${table} INTO 'webhook-https://127.0.0.1:1/db/s' WITH initial_scan = 'no'`,
    );
    const id = made.rows[0]?.job_id ?? '';
    const seen = async () =>
      (await other.query<{ job_id: string }>('SHOW CHANGEFEED JOBS')).rows.some((row) => row.job_id === id);
    assert.equal(await seen(), false);
    await cockroach.sql.query(`GRANT SYSTEM VIEWJOB TO ${user}`);
    assert.equal(await seen(), true);
    const { rows } = await cockroach.sql.query<{ privilege_type: string }>(`SHOW SYSTEM GRANTS FOR ${user}`);
    assert.deepEqual(
      rows.map((row) => row.privilege_type),
      ['VIEWJOB'],
    );
    await assert.rejects(other.query(`CANCEL JOB ${id}`), { code: '42501' });
    await cockroach.sql.query(`CANCEL JOB ${id}`);
  });

  it('a cluster setting needs its privilege', async () => {
    await assert.rejects(other.query('SET CLUSTER SETTING kv.rangefeed.enabled = false'), { code: '42501' });
  });

  it('the past of a table needs SELECT on it', async () => {
    const secret = cockroach.fresh('secret');
    await cockroach.sql.query(`CREATE TABLE ${secret} (id INT PRIMARY KEY)`);
    const { rows } = await cockroach.sql.query<{ t: string }>('SELECT cluster_logical_timestamp() AS t');
    await assert.rejects(other.query(`SELECT * FROM ${secret} AS OF SYSTEM TIME '${rows[0]?.t}'`), { code: '42501' });
  });
});
