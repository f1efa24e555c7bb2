import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startCockroach, clusterTimestamp, type Cockroach } from '../support/cockroach.js';

describe('AS OF SYSTEM TIME', () => {
  let cockroach: Cockroach;
  let table: string;
  let past: string;
  before(async () => {
    cockroach = await startCockroach();
    table = cockroach.fresh('past');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY, v STRING, n DECIMAL)`);
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'one', 1.50), (2, 'two', NULL)`);
    past = await clusterTimestamp(cockroach.sql);
    await cockroach.sql.query(`UPDATE ${table} SET v = 'changed' WHERE id = 1`);
    await cockroach.sql.query(`DELETE FROM ${table} WHERE id = 2`);
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (3, 'three', 3)`);
  });
  after(() => cockroach.stop());

  const then = [
    { id: '1', v: 'one', n: '1.50' },
    { id: '2', v: 'two', n: null },
  ];

  it('sees the rows as they were', async () => {
    const { rows } = await cockroach.sql.query(`SELECT id, v, n FROM ${table} AS OF SYSTEM TIME '${past}' ORDER BY id`);
    assert.deepEqual(rows, then);
  });

  it('takes the time as a decimal, with WHERE, ORDER and LIMIT after it', async () => {
    const { rows } = await cockroach.sql.query(
      `SELECT v FROM ${table} AS OF SYSTEM TIME ${past} WHERE id > 0 ORDER BY id DESC LIMIT 1`,
    );
    assert.deepEqual(rows, [{ v: 'two' }]);
  });

  it('holds for every table of a join and for aliases', async () => {
    const { rows } = await cockroach.sql.query(
      `SELECT a.v AS left_v, b.v AS right_v FROM ${table} a JOIN ${table} AS b ON a.id = b.id AS OF SYSTEM TIME '${past}' WHERE a.id = 1`,
    );
    assert.deepEqual(rows, [{ left_v: 'one', right_v: 'one' }]);
  });

  it('holds for a whole transaction, and ends with it', async () => {
    await cockroach.sql.query(`BEGIN AS OF SYSTEM TIME '${past}'`);
    const inside = await cockroach.sql.query(`SELECT id, v, n FROM ${table} ORDER BY id`);
    const clock = await clusterTimestamp(cockroach.sql);
    await cockroach.sql.query('COMMIT');
    const outside = await cockroach.sql.query(`SELECT id FROM ${table} ORDER BY id`);
    assert.deepEqual(inside.rows, then);
    assert.equal(clock, past);
    assert.deepEqual(outside.rows, [{ id: '1' }, { id: '3' }]);
  });

  it('can be set after BEGIN', async () => {
    await cockroach.sql.query('BEGIN');
    await cockroach.sql.query(`SET TRANSACTION AS OF SYSTEM TIME '${past}'`);
    const { rows } = await cockroach.sql.query(`SELECT count(*) AS n FROM ${table} WHERE v = 'one'`);
    await cockroach.sql.query('COMMIT');
    assert.deepEqual(rows, [{ n: '1' }]);
  });

  it('refuses to write into the past', async () => {
    await cockroach.sql.query(`BEGIN AS OF SYSTEM TIME '${past}'`);
    await assert.rejects(cockroach.sql.query(`INSERT INTO ${table} VALUES (7, 'seven', 7)`), { code: '25006' });
    await cockroach.sql.query('ROLLBACK');
  });

  it('sees the columns of the time', async () => {
    const before = await clusterTimestamp(cockroach.sql);
    await cockroach.sql.query(`ALTER TABLE ${table} ADD COLUMN added INT DEFAULT 7`);
    const old = await cockroach.sql.query(`SELECT * FROM ${table} AS OF SYSTEM TIME '${before}' ORDER BY id`);
    const now = await cockroach.sql.query(`SELECT added FROM ${table} ORDER BY id`);
    assert.deepEqual(
      old.fields.map((field) => field.name),
      ['id', 'v', 'n'],
    );
    assert.deepEqual(now.rows, [{ added: '7' }, { added: '7' }]);
  });

  it('sees the primary key of the time in the catalogue', async () => {
    const keyed = cockroach.fresh('keyed');
    await cockroach.sql.query(`CREATE TABLE ${keyed} (id INT PRIMARY KEY, v INT NOT NULL)`);
    const before = await clusterTimestamp(cockroach.sql);
    const key = async (clause = '') => {
      const { rows } = await cockroach.sql.query<{ index_id: string; name: string }>(
        `SELECT con.conindid AS index_id, a.attname AS name FROM pg_catalog.pg_constraint con
           JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid ${clause}
           WHERE con.contype = 'p' AND con.conrelid IN ('${keyed}'::REGCLASS::OID) AND a.attnum = ANY (con.conkey)`,
      );
      return rows;
    };
    const past = () => key(`AS OF SYSTEM TIME '${before}'`);
    const [first] = await past();
    assert.equal(first?.name, 'id');
    await cockroach.sql.query(`ALTER TABLE ${keyed} ALTER PRIMARY KEY USING COLUMNS (v)`);
    const after = await clusterTimestamp(cockroach.sql);
    assert.deepEqual(await past(), [first]);
    const [now] = await key(`AS OF SYSTEM TIME '${after}'`);
    assert.equal(now?.name, 'v');
    assert.notEqual(now?.index_id, first?.index_id);
  });

  for (const [spec, message] of [
    ["'bogus'", /value is neither timestamp, decimal, nor interval/],
    ["'0'", /zero timestamp is invalid/],
    [
      "'9995321723958232817.0000000000'",
      /cannot specify timestamp in the future|cannot be in the future|out of range|future/,
    ],
  ] as const) {
    it(`refuses ${spec}`, async () => {
      await assert.rejects(cockroach.sql.query(`SELECT * FROM ${table} AS OF SYSTEM TIME ${spec}`), { message });
    });
  }
});
