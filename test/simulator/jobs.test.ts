import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import pg from 'pg';
import { startSimulator, type Simulator } from '../../demo/simulator/simulator.js';
import { until } from '../support/until.js';

describe('faults of the SQL front', () => {
  let simulator: Simulator;
  let sql: pg.Client;
  const clients: pg.Client[] = [];
  const connect = async () => {
    const client = new pg.Client({ connectionString: simulator.url() });
    client.on('error', () => undefined);
    clients.push(client);
    await client.connect();
    return client;
  };
  before(async () => {
    simulator = await startSimulator();
    sql = await connect();
    await sql.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
    await sql.query('CREATE TABLE t (id INT PRIMARY KEY)');
  });
  afterEach(() => simulator.control.clearFaults());
  after(async () => {
    for (const client of clients) await client.end().catch(() => undefined);
    await simulator.stop();
  });

  const create = (stream: string) =>
    `CREATE CHANGEFEED FOR TABLE t INTO 'webhook-https://127.0.0.1:1/db/s?stream=${stream}' WITH initial_scan = 'no'`;
  const jobsOf = async (stream: string) =>
    Number(
      (
        await sql.query<{ n: string }>('SELECT count(*) AS n FROM [SHOW CHANGEFEED JOBS] WHERE sink_uri LIKE $1', [
          `%stream=${stream}`,
        ])
      ).rows[0]?.n,
    );

  for (const parameters of [undefined, []]) {
    const protocol = parameters ? 'extended' : 'simple';
    const run = (client: pg.Client, text: string) =>
      parameters ? client.query({ text, name: 'create', values: parameters }) : client.query(text);

    it(`the answer of a CREATE that committed is lost (${protocol})`, async () => {
      await simulator.control.fault('create_drop_answer');
      const client = await connect();
      await assert.rejects(run(client, create(`lost_${protocol}`)), { message: /Connection terminated/ });
      assert.equal(await jobsOf(`lost_${protocol}`), 1);
      const again = await connect();
      assert.equal((await run(again, create(`lost_${protocol}`))).rows.length, 1);
    });

    it(`a CREATE commits after its connection was cut (${protocol})`, async () => {
      await simulator.control.fault('create_late_commit', { delayMs: 400 });
      const client = await connect();
      await assert.rejects(run(client, create(`late_${protocol}`)), { message: /Connection terminated/ });
      assert.equal(await jobsOf(`late_${protocol}`), 0);
      await until('the late commit', async () => (await jobsOf(`late_${protocol}`)) === 1);
    });

    it(`a CREATE commits after its client gave up (${protocol})`, async () => {
      await simulator.control.fault('create_late_commit', { delayMs: 600, cut: false });
      const client = await connect();
      const creating = run(client, create(`patient_${protocol}`)).catch(() => undefined);
      assert.equal(await jobsOf(`patient_${protocol}`), 0);
      (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
      await creating;
      await until('the late commit', async () => (await jobsOf(`patient_${protocol}`)) === 1);
    });
  }

  it('new connections are refused, old ones live', async () => {
    await simulator.control.fault('refuse_connections');
    await assert.rejects(connect());
    await sql.query('SELECT 1');
    await simulator.control.clearFaults('refuse_connections');
    await connect();
  });

  it('statements fail by pattern, as often as asked', async () => {
    await simulator.control.fault('statement_error', {
      pattern: '^SHOW CHANGEFEED',
      sqlstate: '40001',
      message: 'restart transaction',
      times: 2,
    });
    await assert.rejects(sql.query('SHOW CHANGEFEED JOBS'), { code: '40001', message: 'restart transaction' });
    await assert.rejects(sql.query({ text: 'SHOW CHANGEFEED JOBS', values: [] }), { code: '40001' });
    await sql.query('SHOW CHANGEFEED JOBS');
  });

  it('a statement with parameters fails as it was asked to', async () => {
    const fault = { pattern: 'the third', sqlstate: '40001', message: 'restart transaction' };
    await simulator.control.fault('statement_error', fault);
    const statement = `SELECT $1::int8 AS the_first, $2::interval, $3::text AS "the third"`;
    await assert.rejects(sql.query(statement, ['1', '1 second', 'x']), {
      code: '40001',
      message: 'restart transaction',
    });
    assert.equal((await sql.query(statement, ['1', '1 second', 'x'])).rowCount, 1);
  });

  it('a licence can be missing', async () => {
    await simulator.control.fault('no_license');
    await assert.rejects(sql.query(create('unlicensed')), {
      code: 'XXC02',
      message:
        /^use of CHANGEFEED requires an enterprise license\. see https:\/\/cockroachlabs\.com\/pricing\?cluster=/,
    });
  });

  it('faults are set from any client, by SQL', async () => {
    const other = await connect();
    await other.query(`SELECT crdb_sim.fault('statement_error', '{"pattern": "secret word"}')`);
    await assert.rejects(sql.query(`SELECT 'secret word'`), { code: 'XXUUU' });
    await other.query('SELECT crdb_sim.clear_faults()');
    await sql.query(`SELECT 'secret word'`);
  });
});
