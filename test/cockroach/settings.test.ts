import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { startCockroach, clusterTimestamp, type Cockroach } from '../support/cockroach.js';
import { until } from '../support/until.js';

describe('cluster settings and zones', () => {
  let cockroach: Cockroach;
  before(async () => (cockroach = await startCockroach()));
  after(() => cockroach.stop());

  const setting = 'kv.closed_timestamp.target_duration';
  const shown = async (name: string) =>
    Object.values((await cockroach.sql.query<Record<string, string>>(`SHOW CLUSTER SETTING ${name}`)).rows[0] ?? {})[0];

  it('are set, shown under their own name and reset', async () => {
    await cockroach.sql.query(`SET CLUSTER SETTING ${setting} = '1s'`);
    const { rows } = await cockroach.sql.query(`SHOW CLUSTER SETTING ${setting}`);
    assert.deepEqual(Object.keys(rows[0] as object), [setting]);
    assert.match(String(await shown(setting)), /^00:00:01$/);
    await cockroach.sql.query(`RESET CLUSTER SETTING ${setting}`);
    assert.match(String(await shown(setting)), /^00:00:03$/);
  });

  it('are those of the cluster, whichever database they are set in', async () => {
    const name = cockroach.fresh('other');
    await cockroach.sql.query(`SET CLUSTER SETTING ${setting} = '2s'`);
    await cockroach.sql.query(`CREATE DATABASE ${name}`);
    const other = new pg.Client({ connectionString: cockroach.url(name) });
    await other.connect();
    try {
      const { rows } = await other.query<Record<string, string>>(`SHOW CLUSTER SETTING ${setting}`);
      assert.equal(rows[0]?.[setting], '00:00:02');
      await other.query(`SET CLUSTER SETTING ${setting} = '4s'`);
      await until('it is seen', async () => (await shown(setting)) === '00:00:04');
    } finally {
      await other.end();
      await cockroach.sql.query(`RESET CLUSTER SETTING ${setting}`);
    }
  });

  it('show a fraction of a second without zeros at its end', async () => {
    assert.equal(await shown('kv.closed_timestamp.side_transport_interval'), '00:00:00.2');
  });

  it('know a boolean', async () => {
    assert.equal(await shown('kv.rangefeed.enabled'), 'true');
  });

  it('refuse a name that nobody knows', async () => {
    await assert.rejects(cockroach.sql.query('SET CLUSTER SETTING no.such.setting = 1'), {
      message: /unknown (cluster )?setting '?"?no\.such\.setting/,
    });
    await assert.rejects(cockroach.sql.query('SHOW CLUSTER SETTING no.such.setting'), {
      message: /unknown setting: "no\.such\.setting"/,
    });
  });

  it('are listed with their origin', async () => {
    const { rows } = await cockroach.sql.query<{ value: string }>(
      `SELECT value FROM crdb_internal.cluster_settings WHERE variable = $1`,
      ['kv.rangefeed.enabled'],
    );
    assert.deepEqual(rows, [{ value: 'true' }]);
  });

  it('a zone of a table is configured and shown', async () => {
    const table = cockroach.fresh('zone');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY)`);
    await cockroach.sql.query(`ALTER TABLE ${table} CONFIGURE ZONE USING gc.ttlseconds = 600`);
    const { rows } = await cockroach.sql.query<{ target: string; raw_config_sql: string }>(
      `SHOW ZONE CONFIGURATION FROM TABLE ${table}`,
    );
    assert.match(rows[0]?.target ?? '', new RegExp(`^TABLE .*${table}$`));
    assert.match(rows[0]?.raw_config_sql ?? '', /gc\.ttlseconds = 600/);
  });

  it('history is protected by a job that can be extended and cancelled', async () => {
    const table = cockroach.fresh('protected');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY)`);
    const time = await clusterTimestamp(cockroach.sql);
    const made = await cockroach.sql.query<{ id: string }>(
      `SELECT crdb_internal.protect_mvcc_history(${time}, '10m', 'contract') AS id`,
    );
    const id = made.rows[0]?.id ?? '';
    assert.match(id, /^\d+$/);
    await cockroach.sql.query(`SELECT crdb_internal.extend_mvcc_history_protection($1)`, [id]);
    await cockroach.sql.query(`CANCEL JOB ${id}`);
  });
});
