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
    // CockroachDB writes them anew, sorted by name.
    assert.deepEqual(
      [...new Set(sink.requests.map(({ line }) => line))],
      ['POST /db/public?n=1&stream=orders HTTP/1.1'],
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

  it('goes on from its high-water after a pause, and loses nothing', async () => {
    const job = await create();
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'before')`);
    await settle();
    await cockroach.sql.query(`PAUSE JOB ${job}`);
    await until('paused', async () => (await show(job))?.status === 'paused', { timeoutMs: 30_000 });
    const highWater = (await show(job))?.high_water_timestamp;
    const requests = sink.requests.length;
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (2, 'while paused')`);
    assert.equal((await show(job))?.high_water_timestamp, highWater);
    assert.equal(sink.requests.length, requests);
    await cockroach.sql.query(`RESUME JOB ${job}`);
    await until('running', async () => (await show(job))?.status === 'running', { timeoutMs: 30_000 });
    await settle();
    assert.deepEqual([...new Set(sink.rows().map((row) => row.key[0]))].sort(), [1, 2]);
    assertOrdered(sink.bodies());
  });

  it('sends several rows in one body with the batches of the seeds, and flushes them before a resolved message', async () => {
    await create(`, webhook_sink_config = '{"Flush":{"Bytes":1048576,"Frequency":"1s"}}'`);
    await cockroach.sql.query(`INSERT INTO ${table} SELECT g, 'v' FROM generate_series(1, 200) AS g`);
    await settle();
    assertOrdered(sink.bodies());
    assert.equal(new Set(sink.rows().map((row) => row.key[0])).size, 200);
    const batches = sink.bodies().filter((body) => body.payload !== undefined);
    assert.ok(batches.length < 100, `200 rows came in ${batches.length} bodies`);
    for (const body of batches) assert.equal(body.length, body.payload?.length);
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

interface StreamedRow {
  readonly table: string | null;
  readonly key: Buffer | null;
  readonly value: Buffer;
}

/** A row of a changefeed without a sink, read. */
interface Change {
  readonly table: string;
  readonly key: string;
  readonly after: { readonly id: number; readonly v: string | null } | null;
  readonly updated: string;
}

describe('a changefeed without a sink', () => {
  let cockroach: Cockroach;
  let table: string;
  before(async () => {
    cockroach = await startCockroach();
    await cockroach.sql.query("SET CLUSTER SETTING kv.closed_timestamp.target_duration = '200ms'");
    await cockroach.sql.query("SET CLUSTER SETTING kv.closed_timestamp.side_transport_interval = '50ms'");
  });
  after(async () => {
    await cockroach.sql.query('RESET CLUSTER SETTING kv.closed_timestamp.side_transport_interval');
    await cockroach.stop();
  });
  beforeEach(async () => {
    table = cockroach.fresh('core');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY, v STRING)`);
  });

  /** Streams until its connection ends, or it does. */
  async function stream(tables: string, options: string) {
    const rows: StreamedRow[] = [];
    const client = await cockroach.connect();
    const query = client.query(new pg.Query(`CREATE CHANGEFEED FOR TABLE ${tables} WITH ${options}`));
    const ended = new Promise<Error>((resolve) => query.on('error', resolve));
    query.on('row', (row) => void rows.push(row as unknown as StreamedRow));
    const resolvedPast = (at: string) =>
      until(
        `a resolved timestamp past ${at}`,
        () =>
          rows.some(
            ({ table: name, value }) =>
              name === null && Number(/"resolved": ?"([\d.]+)"/.exec(value.toString())?.[1] ?? 0) > Number(at),
          ),
        { timeoutMs: 30_000 },
      );
    const changes = (): Change[] =>
      rows.flatMap((row) =>
        row.table === null
          ? []
          : [
              {
                table: row.table,
                key: row.key?.toString() ?? '',
                ...(JSON.parse(row.value.toString()) as Omit<Change, 'table' | 'key'>),
              },
            ],
      );
    return { rows, ended, resolvedPast, changes, end: () => client.end() };
  }
  const PACE = "updated, resolved = '100ms', min_checkpoint_frequency = '100ms'";

  it('streams table, key and value, and resolved timestamps without table and key', async () => {
    const cursor = await clusterTimestamp(cockroach.sql);
    const feed = await stream(table, `${PACE}, cursor = '${cursor}'`);
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'a<b')`);
    await feed.resolvedPast(await clusterTimestamp(cockroach.sql));
    const row = feed.rows.find((candidate) => candidate.table === table);
    assert.equal(row?.key?.toString(), '[1]');
    assert.match(row.value.toString(), /^\{"after": \{"id": 1, "v": "a<b"\}, "updated": "\d+\.\d{10}"\}$/);
    const resolved = feed.rows.find((candidate) => candidate.table === null);
    assert.equal(resolved?.key, null);
    assert.match(resolved.value.toString(), /^\{"resolved":"\d+\.\d{10}"\}$/);
    await feed.end();
  });

  it('carries the timestamps of the commits, in their order and between those of the clock', async () => {
    const [one, two] = [await cockroach.connect(), await cockroach.connect()];
    const cursor = await clusterTimestamp(cockroach.sql);
    const between: string[] = [cursor];
    for (let id = 1; id <= 20; id += 1) {
      await (id % 2 === 0 ? one : two).query(`INSERT INTO ${table} VALUES ($1, 'v')`, [id]);
      between.push(await clusterTimestamp(cockroach.sql));
    }
    const feed = await stream(table, `${PACE}, cursor = '${cursor}'`);
    await feed.resolvedPast(between.at(-1) ?? '');
    const at = new Map(feed.changes().map(({ after, updated }) => [after?.id, updated]));
    for (let id = 1; id <= 20; id += 1) {
      const updated = at.get(id) ?? '';
      assert.ok(
        (between[id - 1] ?? '') < updated && updated < (between[id] ?? ''),
        `commit ${id} at ${updated} is not between ${between[id - 1] ?? ''} and ${between[id] ?? ''}`,
      );
    }
    await feed.end();
  });

  it('tells the very timestamps from which AS OF SYSTEM TIME sees its rows, in each of its tables', async () => {
    const other = cockroach.fresh('other');
    await cockroach.sql.query(`CREATE TABLE ${other} (id INT PRIMARY KEY, v STRING)`);
    const cursor = await clusterTimestamp(cockroach.sql);
    for (const name of [table, other]) {
      await cockroach.sql.query(`INSERT INTO ${name} VALUES (1, 'written at t1')`);
      await cockroach.sql.query(`UPDATE ${name} SET v = 'written at t2' WHERE id = 1`);
      await cockroach.sql.query(`DELETE FROM ${name} WHERE id = 1`);
    }
    const feed = await stream(`${table}, ${other}`, `${PACE}, cursor = '${cursor}'`);
    await feed.resolvedPast(await clusterTimestamp(cockroach.sql));
    await feed.end();
    const valueAt = async (name: string, time: string) =>
      (await cockroach.sql.query<{ v: string }>(`SELECT v FROM ${name} AS OF SYSTEM TIME '${time}' WHERE id = 1`))
        .rows[0]?.v ?? null;
    for (const name of [table, other]) {
      const changes = feed.changes().filter((change) => change.table === name);
      const times = [...new Set(changes.map(({ updated }) => updated))].sort();
      assert.equal(times.length, 3, name);
      let earlier: string | null = null;
      for (const time of times) {
        const after = changes.find(({ updated }) => updated === time)?.after?.v ?? null;
        const before = `${BigInt(time.split('.')[0] ?? '0') - 1n}.0000000000`;
        assert.equal(await valueAt(name, before), earlier, `${name} before ${time}`);
        assert.equal(await valueAt(name, time), after, `${name} at ${time}`);
        earlier = after;
      }
    }
  });

  it('begins with a scan without a cursor', async () => {
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'one'), (2, 'two')`);
    const feed = await stream(table, PACE);
    await feed.resolvedPast(await clusterTimestamp(cockroach.sql));
    await feed.end();
    const seen = new Map(feed.changes().map(({ key, after }) => [key, after?.v]));
    assert.deepEqual([...seen].sort(), [
      ['[1]', 'one'],
      ['[2]', 'two'],
    ]);
    assert.equal(new Set(feed.changes().map(({ updated }) => updated)).size, 1, 'a scan has one timestamp');
  });

  it('has the rows bare or by their keys only when asked', async () => {
    const cursor = await clusterTimestamp(cockroach.sql);
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'one')`);
    await cockroach.sql.query(`DELETE FROM ${table} WHERE id = 1`);
    for (const [envelope, first, resolved] of [
      [
        'row',
        /^\{"__crdb__": \{"updated": "\d+\.\d{10}"\}, "id": 1, "v": "one"\}$/,
        /^\{"__crdb__": ?\{"resolved": ?"/,
      ],
      ['key_only', /^$/, /"resolved"/],
    ] as const) {
      const options = envelope === 'row' ? PACE : PACE.replace('updated, ', '');
      const feed = await stream(table, `${options}, envelope = ${envelope}, cursor = '${cursor}'`);
      await until('both rows and a resolved timestamp', () => {
        const values = feed.rows.filter((row) => row.table === table).map(({ value }) => value.toString());
        return values.length >= 2 && feed.rows.some((row) => row.table === null) && values;
      });
      const rows = feed.rows.filter((row) => row.table === table);
      assert.deepEqual([...new Set(rows.map(({ key }) => key?.toString()))], ['[1]']);
      assert.match(rows[0]?.value.toString() ?? '', first);
      assert.equal(rows.at(-1)?.value.toString(), '');
      assert.match(feed.rows.find((row) => row.table === null)?.value.toString() ?? '', resolved);
      await feed.end();
    }
  });

  it('ends with an error when its table goes', async () => {
    const feed = await stream(table, `${PACE}, cursor = '${await clusterTimestamp(cockroach.sql)}'`);
    await feed.resolvedPast(await clusterTimestamp(cockroach.sql));
    await cockroach.sql.query(`DROP TABLE ${table}`);
    assert.match((await feed.ended).message, /was dropped|descriptor is being dropped/);
  });
});
