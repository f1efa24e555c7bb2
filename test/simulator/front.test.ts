import assert from 'node:assert/strict';
import { once, type EventEmitter } from 'node:events';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { startSimulator, type Simulator } from '../../demo/simulator/simulator.js';
import { splitStatements, tokenize } from '../../demo/simulator/rewrite/tokens.js';
import { until } from '../support/until.js';

/** What `pg` has inside: messages of the protocol one by one. */
interface Wire extends EventEmitter {
  parse(query: { name: string; text: string; types: number[] }): void;
  describe(what: { type: 'S'; name: string }): void;
  sync(): void;
}

describe('the tokenizer', () => {
  const words = (sql: string) => tokenize(sql).map((token) => token.value);

  it('respects literals, quoted names, dollar quotes and comments', () => {
    assert.deepEqual(words(`SELECT 'a''b;' , "Co""l;", $q$x;'$q$ -- ; end\n /* ; /* nested ; */ */ , E'\\'' , $1`), [
      'select',
      "a'b;",
      ',',
      'Co"l;',
      ',',
      "x;'",
      ',',
      "'",
      ',',
      '$1',
    ]);
  });

  it('splits statements at semicolons only', () => {
    const statements = splitStatements(`SELECT ';'; ; CREATE TABLE "a;b" (x INT) /* ; */;`);
    assert.deepEqual(
      statements.map((tokens) => tokens[0]?.value),
      ['select', 'create'],
    );
  });

  it('ends with a literal that never ends', () => {
    assert.equal(tokenize(`SELECT 'open`).at(-1)?.value, 'open');
  });
});

describe('the SQL front', () => {
  let simulator: Simulator;
  let sql: pg.Client;
  const clients: pg.Client[] = [];
  const connect = async (user?: string) => {
    const client = new pg.Client({ connectionString: simulator.url(undefined, user) });
    client.on('error', () => undefined);
    clients.push(client);
    await client.connect();
    return client;
  };
  before(async () => {
    simulator = await startSimulator();
    sql = await connect();
    await sql.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
    await sql.query('CREATE TABLE t (id INT PRIMARY KEY, v STRING)');
  });
  after(async () => {
    for (const client of clients) await client.end().catch(() => undefined);
    await simulator.stop();
  });

  it('answers several statements of one message, each with its own tag', async () => {
    const results = (await sql.query(
      `SET CLUSTER SETTING kv.rangefeed.enabled = true; SELECT 1 AS x; PAUSE ALL CHANGEFEED JOBS; SHOW TABLES`,
    )) as unknown as pg.QueryResult[];
    assert.deepEqual(
      results.map((result) => result.command),
      ['SET', 'SELECT', 'PAUSE', 'SHOW'],
    );
  });

  it('keeps the tags of prepared statements and of statements after an error', async () => {
    const prepared = { name: 'up', text: 'UPSERT INTO t (id, v) VALUES ($1, $2)' };
    assert.equal((await sql.query({ ...prepared, values: [1, 'a'] })).command, 'INSERT');
    await assert.rejects(sql.query('PAUSE JOB $1', [77]), { code: 'XXUUU' });
    assert.equal((await sql.query({ ...prepared, values: [1, 'b'] })).rowCount, 1);
    assert.equal((await sql.query('SHOW CLUSTER SETTING kv.rangefeed.enabled')).command, 'SHOW');
    assert.deepEqual((await sql.query('SELECT v FROM t WHERE id = $1', [1])).rows, [{ v: 'b' }]);
  });

  it('leaves literals and names of the user alone', async () => {
    const { rows } = await sql.query(
      `SELECT 'INT; UPSERT INTO t AS OF SYSTEM TIME' AS "version()", 'x'::STRING AS string`,
    );
    assert.deepEqual(rows, [{ 'version()': 'INT; UPSERT INTO t AS OF SYSTEM TIME', string: 'x' }]);
  });

  it('rolls a transaction back, its log with it', async () => {
    await sql.query('BEGIN');
    await sql.query(`UPSERT INTO t VALUES (5, 'gone')`);
    await sql.query('ROLLBACK');
    assert.deepEqual((await sql.query('SELECT * FROM t WHERE id = 5')).rows, []);
    assert.deepEqual((await sql.query(`SELECT * FROM crdb_sim.log WHERE key = ARRAY['5']`)).rows, []);
  });

  it('raises its own errors for statements with parameters, prepared ones too', async () => {
    await assert.rejects(sql.query('CREATE CHANGEFEED FOR TABLE t INTO $1 WITH', ['x']), { code: '42601' });
    await simulator.control.fault('statement_error', { pattern: 'SELECT v FROM t', message: 'injected', times: 2 });
    await assert.rejects(sql.query('SELECT v FROM t WHERE id = $1', [1]), { code: 'XXUUU', message: 'injected' });
    const prepared = { name: 'hit', text: 'SELECT v FROM t WHERE id = $1 AND v = $2', values: [1, 'b'] };
    await assert.rejects(sql.query(prepared), { message: 'injected' });
    await simulator.control.clearFaults();
  });

  it("describes only the parameters that are the client's", async () => {
    const client = await connect();
    const { connection } = client as unknown as { connection: Wire };
    const described = once(connection, 'parameterDescription') as Promise<[{ parameterCount: number }]>;
    const text = `CREATE CHANGEFEED FOR TABLE t INTO $1 WITH webhook_client_timeout = $2`;
    connection.parse({ name: 'made', text, types: [] });
    connection.describe({ type: 'S', name: 'made' });
    connection.sync();
    assert.equal((await described)[0].parameterCount, 2);
  });

  it('passes a cancel request on', async () => {
    const busy = await connect();
    const running = busy.query('SELECT pg_sleep(60)');
    const { processID, secretKey } = busy as unknown as { processID: number; secretKey: number };
    await until('the query runs', async () => {
      const { rows } = await sql.query<{ n: string }>(
        `SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid = $1`,
        [processID],
      );
      return rows[0]?.n === '1';
    });
    const canceller = new pg.Client({ connectionString: simulator.url() }) as unknown as {
      connection: {
        connect(port: number, host: string): void;
        cancel(processId: number, key: number): void;
        on(event: string, listener: () => void): void;
      };
    };
    canceller.connection.on('connect', () => canceller.connection.cancel(processID, secretKey));
    canceller.connection.connect(simulator.port, '127.0.0.1');
    await assert.rejects(running, { code: '57014' });
  });

  it('says that a database does not exist', async () => {
    const client = new pg.Client({ connectionString: simulator.url('nowhere') });
    client.on('error', () => undefined);
    await assert.rejects(client.connect(), { code: '3D000' });
  });

  it('streams a changefeed without a sink until the client goes', async () => {
    const reader = await connect();
    const rows: { table: string | null; key: Buffer | null; value: Buffer }[] = [];
    await sql.query(`SELECT crdb_sim.fault('feed_tuning', '{"closedTimestampLagMs": 0}')`);
    const feed = reader.query(
      new pg.Query(
        `EXPERIMENTAL CHANGEFEED FOR t WITH updated, resolved = '100ms', min_checkpoint_frequency = '100ms'`,
      ),
    ) as unknown as NodeJS.EventEmitter;
    feed.on('row', (row: (typeof rows)[number]) => rows.push(row));
    feed.on('error', () => undefined);
    await until('the first row', () => rows.some((row) => row.table === 't'));
    await sql.query(`UPSERT INTO t VALUES (42, 'streamed')`);
    await until('the row and a resolved timestamp after it', () => {
      const at = rows.findIndex((row) => row.value.includes('streamed'));
      return at >= 0 && rows.slice(at).some((row) => row.table === null && row.value.includes('resolved'));
    });
    assert.equal(rows.find((row) => row.value.includes('streamed'))?.key?.toString(), '[42]');
    await reader.end();
    await sql.query('SELECT crdb_sim.clear_faults()');
  });

  it('answers SELECT 1 within a few milliseconds, and writes 10,000 rows in about a second', async () => {
    const rows = await connect();
    await rows.query('CREATE TABLE many (id INT PRIMARY KEY, v STRING)');
    const start = performance.now();
    await rows.query(`INSERT INTO many SELECT g, 'value ' || g FROM generate_series(1, 10000) AS g`);
    const elapsedMs = performance.now() - start;
    // Generous: the machine of a test run is shared. Alone it takes 0.1 to 0.3 s.
    assert.ok(elapsedMs < 5_000, `10,000 rows took ${elapsedMs} ms`);
    assert.deepEqual(
      (
        await rows.query(
          `SELECT count(*) AS n FROM crdb_sim.log l JOIN crdb_sim.tbl USING (table_id) WHERE name = 'many'`,
        )
      ).rows,
      [{ n: '10000' }],
    );
  });
});
