import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { findAsOf, findTables } from '../../demo/simulator/rewrite/as-of.js';
import { tokenize } from '../../demo/simulator/rewrite/tokens.js';
import { startSimulator, type Simulator } from '../../demo/simulator/simulator.js';

describe('finding tables in a statement', () => {
  const tables = (sql: string) => findTables(tokenize(sql)).map((reference) => reference.name.join('.'));
  for (const [sql, found] of [
    ['SELECT * FROM t', ['t']],
    ['SELECT * FROM a, b.c x JOIN d ON x.i = d.i WHERE EXISTS (SELECT 1 FROM e)', ['a', 'b.c', 'd', 'e']],
    ['WITH w AS (SELECT * FROM t) SELECT * FROM w', ['t']],
    ['SELECT extract(epoch FROM t) FROM u WHERE a IS DISTINCT FROM v', ['u']],
    ['SELECT * FROM (SELECT * FROM t) s, generate_series(1, 2) g', ['t']],
    ['SELECT * FROM (a JOIN b USING (i)) ORDER BY x, y', ['a', 'b']],
  ] as const) {
    it(sql, () => assert.deepEqual(tables(sql), found));
  }

  it('reads every form of the time', () => {
    const spec = (expression: string) =>
      findAsOf(tokenize(`SELECT 1 FROM t AS OF SYSTEM TIME ${expression} WHERE true`))?.spec;
    assert.equal(spec(`'1.0000000000'`), '1.0000000000');
    assert.equal(spec('-5'), '-5');
    assert.equal(spec(`'-5s'::INTERVAL`), '-5s');
    assert.equal(spec('follower_read_timestamp()'), '-4.2s');
    assert.equal(spec('now()'), undefined);
  });
});

describe('the past of a table', () => {
  let simulator: Simulator;
  let sql: pg.Client;
  before(async () => {
    simulator = await startSimulator();
    sql = new pg.Client({ connectionString: simulator.url() });
    await sql.connect();
  });
  after(async () => {
    await sql.end();
    await simulator.stop();
  });
  const now = async () => (await sql.query<{ t: string }>('SELECT cluster_logical_timestamp() AS t')).rows[0]?.t ?? '';
  const rowsOf = async (table: string, clause = '') =>
    (await sql.query<Record<string, unknown>>(`SELECT * FROM ${table} ${clause} ORDER BY 1, 2`)).rows;

  it('is what was there, through writes, DDL and TRUNCATE of any order', async () => {
    // A fixed pseudo-random walk: the model is what SELECT said at the time.
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
    await sql.query('CREATE TABLE walk (a INT, d DECIMAL, v STRING, PRIMARY KEY (a, d))');
    const seen: { time: string; rows: unknown; text: string }[] = [];
    let columns = 0;
    for (let step = 0; step < 120; step += 1) {
      const key = `a = ${random(4)} AND d = ${random(3)}.5`;
      const statements = [
        `UPSERT INTO walk (a, d, v) VALUES (${random(4)}, ${random(3)}.50, 'v${step}'), (9, ${step}, 'x')`,
        `UPDATE walk SET v = 'u${step}' WHERE ${key}`,
        `DELETE FROM walk WHERE ${key}`,
        `UPDATE walk SET a = a + 100 WHERE ${key} AND NOT EXISTS (SELECT FROM walk w WHERE w.a > 99)`,
        `BEGIN; DELETE FROM walk WHERE ${key}; UPSERT INTO walk (a, d, v) VALUES (1, 1.5, 'again ${step}'); COMMIT`,
      ];
      let text = statements[random(statements.length)] ?? '';
      if (step % 29 === 28) text = `ALTER TABLE walk ADD COLUMN c${columns++} INT DEFAULT ${step}`;
      if (step === 60) text = 'TRUNCATE walk';
      if (step === 75) text = 'ALTER TABLE walk DROP COLUMN c0';
      if (step === 90) text = 'ALTER TABLE walk RENAME COLUMN v TO w; ALTER TABLE walk RENAME COLUMN w TO v';
      if (step === 100) text = 'ALTER TABLE walk ALTER PRIMARY KEY USING COLUMNS (d, a)';
      await sql.query(text);
      seen.push({ time: await now(), rows: await rowsOf('walk'), text });
    }
    for (const { time, rows, text } of seen)
      assert.deepEqual(await rowsOf('walk', `AS OF SYSTEM TIME '${time}'`), rows, `after ${text}`);
  });

  it('remains after DROP and under an old name', async () => {
    await sql.query('CREATE TABLE old (id INT PRIMARY KEY, v STRING)');
    await sql.query(`INSERT INTO old VALUES (1, 'kept')`);
    const time = await now();
    await sql.query('ALTER TABLE old RENAME TO renamed');
    await sql.query('DROP TABLE renamed');
    assert.deepEqual(await rowsOf('old', `AS OF SYSTEM TIME '${time}'`), [{ id: '1', v: 'kept' }]);
    await assert.rejects(sql.query(`SELECT * FROM renamed AS OF SYSTEM TIME '${time}'`), { code: '42P01' });
  });

  it('ends at the GC threshold, in the words of CockroachDB', async () => {
    await sql.query('CREATE TABLE collected (id INT PRIMARY KEY)');
    const time = await now();
    await sql.query('INSERT INTO collected VALUES (1)');
    await simulator.control.fault('gc', { threshold: await now() });
    await assert.rejects(sql.query(`SELECT * FROM collected AS OF SYSTEM TIME '${time}'`), {
      code: 'XXUUU',
      message: /^batch timestamp \d+\.\d{9},0 must be after replica GC threshold \d+\.\d{9},0$/,
    });
    await assert.rejects(sql.query(`SELECT crdb_internal.protect_mvcc_history(${time}, '1h', 'too late')`), {
      message: /must be after replica GC threshold/,
    });
    await simulator.control.clearFaults();
  });

  it('is held back from GC by a protection, until it is cancelled', async () => {
    await sql.query('CREATE TABLE held (id INT PRIMARY KEY)');
    const time = await now();
    const { rows } = await sql.query<{ id: string }>(
      `SELECT crdb_internal.protect_mvcc_history(${time}, '1h', 'test') AS id`,
    );
    await sql.query('ALTER TABLE held CONFIGURE ZONE USING gc.ttlseconds = 0');
    const read = () => sql.query(`SELECT * FROM held AS OF SYSTEM TIME '${time}'`);
    assert.deepEqual((await read()).rows, []);
    await sql.query(`CANCEL JOB ${rows[0]?.id}`);
    await assert.rejects(read(), { message: /must be after replica GC threshold/ });
  });

  it('is read page by page without being made again for each', async () => {
    await sql.query('CREATE TABLE pages (id INT PRIMARY KEY, v STRING)');
    await sql.query(`INSERT INTO pages SELECT g, 'v' FROM generate_series(1, 3000) AS g`);
    const time = await now();
    await sql.query(`UPDATE pages SET v = 'w' WHERE id % 2 = 0`);
    const ids: number[] = [];
    for (let last = 0; ; last = ids.at(-1) ?? last) {
      const { rows } = await sql.query<{ id: string; v: string }>(
        `SELECT id, v FROM pages AS OF SYSTEM TIME '${time}' WHERE id > $1 ORDER BY id LIMIT 500`,
        [last],
      );
      if (rows.length === 0) break;
      assert.ok(rows.every((row) => row.v === 'v'));
      ids.push(...rows.map((row) => Number(row.id)));
    }
    assert.equal(ids.length, 3000);
  });
});
