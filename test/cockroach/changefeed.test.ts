import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import pg from 'pg';
import { clusterTimestamp, startCockroach, type Cockroach } from '../support/cockroach.js';
import { until } from '../support/until.js';
import { assertOrdered } from '../simulator/feed-world.js';
import { startSinkServer, type SinkServer } from '../simulator/sink-server.js';

interface Job {
  readonly status: string;
  readonly running_status: string;
  readonly high_water_timestamp: string | null;
  readonly error: string;
}

const SEEDS_OPTIONS =
  "updated, resolved = '250ms', min_checkpoint_frequency = '250ms', initial_scan = 'no', webhook_client_timeout = '10s', on_error = 'pause'";

describe('a changefeed into a webhook', () => {
  let cockroach: Cockroach;
  let sink: SinkServer;
  let table: string;
  let jobs: string[];
  before(async () => {
    cockroach = await startCockroach();
    sink = await startSinkServer();
    await cockroach.sql.query("SET CLUSTER SETTING kv.closed_timestamp.target_duration = '200ms'");
    await cockroach.sql.query("SET CLUSTER SETTING kv.closed_timestamp.side_transport_interval = '50ms'");
  });
  after(async () => {
    await cockroach.stop();
    await sink.stop();
  });
  beforeEach(async () => {
    table = cockroach.fresh('feed');
    jobs = [];
    sink.requests.length = 0;
    sink.answer = (_, response) => void response.end();
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY, v STRING)`);
  });
  afterEach(async () => {
    for (const job of jobs) await cockroach.sql.query(`CANCEL JOB ${job}`);
    await cockroach.sql.query('RESET CLUSTER SETTING kv.closed_timestamp.side_transport_interval');
  });

  async function create(more = '', cursor?: string, tables = table): Promise<string> {
    const from = cursor ?? (await clusterTimestamp(cockroach.sql));
    const { rows } = await cockroach.sql.query<{ job_id: string }>(
      `CREATE CHANGEFEED FOR TABLE ${tables} INTO '${sink.url('/db/public', `${sink.caCert}&stream=orders&n=1`)}' WITH ${SEEDS_OPTIONS}, cursor = '${from}'${more}`,
    );
    const job = rows[0]?.job_id ?? '';
    jobs.push(job);
    return job;
  }
  const show = async (job: string): Promise<Job | undefined> =>
    (await cockroach.sql.query<Job>(`SHOW CHANGEFEED JOB ${job}`)).rows[0];
  const settle = async (): Promise<void> => {
    const at = Number(await clusterTimestamp(cockroach.sql));
    await until('a resolved message past now', () => sink.resolved().some((resolved) => Number(resolved) > at), {
      timeoutMs: 30_000,
    });
  };

  it('sends the rows after its cursor in the captured envelope, and keeps the parameters that are not its own', async () => {
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'before')`);
    const cursor = await clusterTimestamp(cockroach.sql);
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (2, 'tw"o <&>'), (3, NULL)`);
    await cockroach.sql.query(`UPDATE ${table} SET v = 'x' WHERE id = 3`);
    await cockroach.sql.query(`DELETE FROM ${table} WHERE id = 1`);
    await cockroach.sql.query(`UPSERT INTO ${table} VALUES (2, 'again')`);
    await create('', cursor);
    await settle();
    const items = [
      ...new Set(sink.requests.flatMap(({ body }) => body.match(/\{"after":.*?"updated":"\d+\.\d{10}"\}/g) ?? [])),
    ].map((item) => item.replace(/"updated":"\d+\.\d{10}"/, '"updated":"T"'));
    assert.deepEqual(
      items.sort(),
      [
        `{"after":null,"key":[1],"topic":"${table}","updated":"T"}`,
        `{"after":{"id":2,"v":"again"},"key":[2],"topic":"${table}","updated":"T"}`,
        `{"after":{"id":2,"v":"tw\\"o \\u003c\\u0026\\u003e"},"key":[2],"topic":"${table}","updated":"T"}`,
        `{"after":{"id":3,"v":"x"},"key":[3],"topic":"${table}","updated":"T"}`,
        `{"after":{"id":3,"v":null},"key":[3],"topic":"${table}","updated":"T"}`,
      ].sort(),
    );
    assert.ok(
      sink.requests.every(({ line }) => line.startsWith('POST /db/public?stream=orders&n=1 HTTP/1.1')),
      'sink.requests.every(({ line }) => line.startsWith("POST /db/public?stream=orders&n=1 HTTP/',
    );
    assertOrdered(sink.bodies());
  });

  it('writes numbers, bytes, times and documents digit for digit', async () => {
    const types = cockroach.fresh('types');
    await cockroach.sql.query(
      `CREATE TABLE ${types} (id INT8 PRIMARY KEY, d DECIMAL, f FLOAT8, b BYTES, ts TIMESTAMP, tz TIMESTAMPTZ, j JSONB, u UUID, a INT8[], s STRING[], dt DATE, ok BOOL)`,
    );
    const cursor = await clusterTimestamp(cockroach.sql);
    await cockroach.sql.query(
      `INSERT INTO ${types} VALUES (9223372036854775807, 1.500, 0.1, '\\x0001ff', '2024-02-29 12:34:56.123456', '2024-02-29 12:34:56+02:30',
         '{"bb": [1, 2.50, null], "a": "<x>"}', '5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10', ARRAY[1, NULL, -3], ARRAY['a', 'b"c', ''], '2024-02-29', true)`,
    );
    await create('', cursor, types);
    await settle();
    const after =
      '{"a":[1,null,-3],"b":"\\\\x0001ff","d":1.500,"dt":"2024-02-29","f":0.1,"id":9223372036854775807,"j":{"a":"\\u003cx\\u003e","bb":[1,2.50,null]},"ok":true,' +
      '"s":["a","b\\"c",""],"ts":"2024-02-29T12:34:56.123456","tz":"2024-02-29T10:04:56Z","u":"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"}';
    const body = sink.requests.find((request) => request.body.includes('"payload"'))?.body ?? '';
    assert.ok(body.includes(`{"after":${after},"key":[9223372036854775807],`), body);
  });

  it('deletes a DECIMAL key by its value, not by its text', async () => {
    const keyed = cockroach.fresh('keyed');
    await cockroach.sql.query(`CREATE TABLE ${keyed} (k DECIMAL PRIMARY KEY)`);
    const cursor = await clusterTimestamp(cockroach.sql);
    await cockroach.sql.query(`INSERT INTO ${keyed} VALUES (1.500)`);
    await cockroach.sql.query(`DELETE FROM ${keyed} WHERE k = 1.5`);
    await create('', cursor, keyed);
    await settle();
    const keys = sink.requests.flatMap(({ body }) => body.match(/"key":\[[\d.]+\]/g) ?? []);
    assert.deepEqual([...new Set(keys)], ['"key":[1.500]', '"key":[1.5]']);
  });

  it('sends one row per key and transaction, and what was there before when asked', async () => {
    await create(', diff, mvcc_timestamp');
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'one')`);
    await cockroach.sql.query('BEGIN');
    await cockroach.sql.query(`UPDATE ${table} SET v = 'a' WHERE id = 1`);
    await cockroach.sql.query(`UPDATE ${table} SET v = 'b' WHERE id = 1`);
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (52, 'gone')`);
    await cockroach.sql.query(`DELETE FROM ${table} WHERE id = 52`);
    await cockroach.sql.query('COMMIT');
    await settle();
    const seen = new Map(
      sink.rows().map((row) => [`${String(row.key[0])}@${row.updated}`, [row.key[0], row.before, row.after]]),
    );
    assert.deepEqual(
      [...seen.values()].sort((a, b) => Number(a[0]) - Number(b[0])),
      [
        [1, null, { id: 1, v: 'one' }],
        [1, { id: 1, v: 'one' }, { id: 1, v: 'b' }],
        [52, null, null],
      ],
    );
    for (const row of sink.rows()) assert.equal(row.mvcc_timestamp, row.updated);
  });

  it('keeps its high-water before it posts the resolved message', async () => {
    const job = await create();
    const seen: [string, string | null | undefined][] = [];
    const other = await cockroach.connect();
    sink.answer = async (request, response) => {
      const { resolved } = JSON.parse(request.body) as { resolved?: string };
      if (resolved)
        seen.push([resolved, (await other.query<Job>(`SHOW CHANGEFEED JOB ${job}`)).rows[0]?.high_water_timestamp]);
      response.end();
    };
    await until('three resolved messages', () => seen.length >= 3, { timeoutMs: 30_000 });
    for (const [resolved, highWater] of seen)
      assert.ok(Number(highWater) >= Number(resolved), `${resolved} was posted at ${highWater}`);
  });

  it('stays running while its sink refuses, says why, and sends again what was not acknowledged', async () => {
    let refusals = 0;
    sink.answer = (request, response) => {
      if (request.body.startsWith('{"payload"') && ++refusals <= 4)
        response.writeHead(400, 'Bad Request').end('unknown schema: x');
      else response.end();
    };
    const job = await create(`, webhook_sink_config = '{"Retry":{"Max":1,"Backoff":"10ms"}}'`);
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'one')`);
    const shown = await until('the job names the error', async () => {
      const row = await show(job);
      return row?.running_status?.includes('unknown schema') && row;
    });
    assert.equal(shown.status, 'running');
    assert.match(shown.running_status, /^(retryable|transient) error: .*400 Bad Request: unknown schema: x$/);
    await settle();
    assert.ok(refusals >= 4, 'refusals >= 4');
  });

  it('sends its header of authorization verbatim', async () => {
    await create(", webhook_auth_header = 'Bearer abc.def'");
    await settle();
    assert.ok(
      sink.requests.every(({ headers }) =>
        headers.some(([name, value]) => name === 'Authorization' && value === 'Bearer abc.def'),
      ),
    );
  });

  it('pauses, and says why, when its table is truncated', async () => {
    const job = await create();
    await settle();
    await cockroach.sql.query(`TRUNCATE ${table}`);
    // on_error = 'pause' keeps the job, and with it its protection of history.
    await until('paused', async () => (await show(job))?.status === 'paused', { timeoutMs: 30_000 });
    assert.match((await show(job))?.running_status ?? '', /was truncated/);
  });
});

describe('a changefeed without a sink', () => {
  it('streams table, key and value, and resolved timestamps without table and key', async () => {
    const cockroach = await startCockroach();
    try {
      const table = cockroach.fresh('core');
      await cockroach.sql.query("SET CLUSTER SETTING kv.closed_timestamp.target_duration = '200ms'");
      await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY, v STRING)`);
      const cursor = await clusterTimestamp(cockroach.sql);
      const rows: { table: string | null; key: Buffer | null; value: Buffer }[] = [];
      const client = await cockroach.connect();
      const query = client.query(
        new pg.Query(
          `CREATE CHANGEFEED FOR TABLE ${table} WITH updated, resolved = '100ms', min_checkpoint_frequency = '100ms', cursor = '${cursor}'`,
        ),
      );
      query.on('row', (row) => void rows.push(row as unknown as (typeof rows)[number]));
      query.on('error', () => undefined);
      await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'a<b')`);
      await until(
        'the row and a resolved message',
        () => rows.some((row) => row.table === table) && rows.at(-1)?.table === null,
        { timeoutMs: 30_000 },
      );
      const row = rows.find((candidate) => candidate.table === table);
      assert.equal(row?.key?.toString(), '[1]');
      assert.match(row.value.toString(), /^\{"after": \{"id": 1, "v": "a<b"\}, "updated": "\d+\.\d{10}"\}$/);
      assert.match(rows.at(-1)?.value.toString() ?? '', /^\{"resolved":"\d+\.\d{10}"\}$/);
    } finally {
      await cockroach.stop();
    }
  });
});
