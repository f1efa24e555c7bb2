import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startCockroach, type Cockroach } from '../support/cockroach.js';

describe('DDL has the meaning of CockroachDB', () => {
  let cockroach: Cockroach;
  before(async () => (cockroach = await startCockroach()));
  after(() => cockroach.stop());

  it('types are those of CockroachDB', async () => {
    const table = cockroach.fresh('types');
    await cockroach.sql.query(`CREATE TABLE ${table} (
      id INT PRIMARY KEY, i INTEGER, s STRING, s5 STRING(5), b BYTES, d DECIMAL, d2 DECIMAL(10,2), f FLOAT, ok BOOL, j JSON, u UUID,
      t TIMESTAMPTZ, a STRING[], ai INT[], "string" STRING, INDEX (i), FAMILY f1 (id, i, s, s5, b, d, d2, f, ok, j, u, t, a, ai, "string"))`);
    const { rows } = await cockroach.sql.query<{ column_name: string; crdb_sql_type: string }>(
      `SELECT column_name, crdb_sql_type FROM information_schema.columns WHERE table_name = $1`,
      [table],
    );
    assert.deepEqual(Object.fromEntries(rows.map((row) => [row.column_name, row.crdb_sql_type])), {
      id: 'INT8',
      i: 'INT8',
      s: 'STRING',
      s5: rows.find((row) => row.column_name === 's5')?.crdb_sql_type,
      b: 'BYTES',
      d: 'DECIMAL',
      d2: 'DECIMAL(10,2)',
      f: 'FLOAT8',
      ok: 'BOOL',
      j: 'JSONB',
      u: 'UUID',
      t: 'TIMESTAMPTZ',
      a: 'STRING[]',
      ai: 'INT8[]',
      string: 'STRING',
    });
    await cockroach.sql.query(`INSERT INTO ${table} (id, i, s5) VALUES (1, 9223372036854775807, 'abcde')`);
    await assert.rejects(cockroach.sql.query(`INSERT INTO ${table} (id, s5) VALUES (2, 'abcdef')`), { code: '22001' });
  });

  it('an integer literal and count(*) are 8 bytes wide', async () => {
    const { rows, fields } = await cockroach.sql.query(
      'SELECT 1 AS one, 2::INT AS two, count(*) AS n FROM (VALUES (1)) AS v(x)',
    );
    assert.deepEqual(
      fields.map((field) => field.dataTypeID),
      [20, 20, 20],
    );
    assert.deepEqual(rows, [{ one: '1', two: '2', n: '1' }]);
  });

  it('UPSERT overwrites the columns given and no others', async () => {
    const table = cockroach.fresh('upsert');
    await cockroach.sql.query(
      `CREATE TABLE ${table} (a INT, b INT, v STRING, w STRING DEFAULT 'w', PRIMARY KEY (a, b))`,
    );
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 1, 'v', 'kept')`);
    await cockroach.sql.query(`UPSERT INTO ${table} (a, b, v) VALUES (1, 1, $1), (2, 2, $2)`, ['new', 'other']);
    const partial = await cockroach.sql.query(`SELECT * FROM ${table} ORDER BY a`);
    assert.deepEqual(partial.rows, [
      { a: '1', b: '1', v: 'new', w: 'kept' },
      { a: '2', b: '2', v: 'other', w: 'w' },
    ]);
    const whole = await cockroach.sql.query(`UPSERT INTO ${table} VALUES (1, 1, 'all', 'all') RETURNING v, w`);
    assert.deepEqual(whole.rows, [{ v: 'all', w: 'all' }]);
  });

  it('SERIAL and a missing primary key give unique 8-byte ids', async () => {
    const table = cockroach.fresh('ids');
    await cockroach.sql.query(`CREATE TABLE ${table} (id SERIAL PRIMARY KEY, v STRING)`);
    const { rows } = await cockroach.sql.query<{ id: string }>(
      `INSERT INTO ${table} (v) VALUES ('a'), ('b') RETURNING id`,
    );
    assert.equal(new Set(rows.map((row) => row.id)).size, 2);
    assert.ok(rows.every((row) => BigInt(row.id) > 2n ** 53n));
    const bare = cockroach.fresh('bare');
    await cockroach.sql.query(`CREATE TABLE ${bare} (v STRING)`);
    await cockroach.sql.query(`INSERT INTO ${bare} VALUES ('a'), ('b')`);
    const ids = await cockroach.sql.query<{ n: string }>(`SELECT count(DISTINCT rowid) AS n FROM ${bare}`);
    assert.deepEqual(ids.rows, [{ n: '2' }]);
  });

  it('computed columns are computed, and columns and keys can be changed', async () => {
    const table = cockroach.fresh('altered');
    await cockroach.sql.query(
      `CREATE TABLE ${table} (id INT PRIMARY KEY, other INT NOT NULL, twice INT AS (other * 2) STORED)`,
    );
    await cockroach.sql.query(`INSERT INTO ${table} (id, other) VALUES (1, 21)`);
    assert.deepEqual((await cockroach.sql.query(`SELECT twice FROM ${table}`)).rows, [{ twice: '42' }]);
    await cockroach.sql.query(`ALTER TABLE ${table} ADD COLUMN s STRING DEFAULT 'x'`);
    await cockroach.sql.query(`ALTER TABLE ${table} ALTER PRIMARY KEY USING COLUMNS (other, id)`);
    await assert.rejects(cockroach.sql.query(`INSERT INTO ${table} (id, other) VALUES (1, 21)`), { code: '23505' });
  });

  it('a table has an id, and the same one wherever it is asked', async () => {
    const table = cockroach.fresh('named');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY)`);
    const { rows } = await cockroach.sql.query<{ a: string; b: string }>(
      `SELECT '${table}'::regclass::oid::INT AS a, (SELECT table_id FROM crdb_internal.tables WHERE name = $1) AS b`,
      [table],
    );
    assert.equal(rows[0]?.a, rows[0]?.b);
    await cockroach.sql.query(`ALTER TABLE ${table} RENAME TO ${table}_renamed`);
    const after = await cockroach.sql.query<{ a: string }>(`SELECT '${table}_renamed'::regclass::oid::INT AS a`);
    assert.equal(after.rows[0]?.a, rows[0]?.a);
  });

  it('says what it is', async () => {
    const { rows } = await cockroach.sql.query<{ version: string; id: string }>(
      'SELECT version() AS version, crdb_internal.cluster_id()::STRING AS id',
    );
    assert.match(rows[0]?.version ?? '', /^CockroachDB /);
    assert.match(rows[0]?.id ?? '', /^[0-9a-f-]{36}$/);
  });
});
