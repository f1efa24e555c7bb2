import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { SinklessRow } from '../../demo/simulator/feeds/engine.js';
import type { TerminalFeedError } from '../../demo/simulator/feeds/feed-error.js';
import { parseHlc } from '../../demo/simulator/feeds/hlc.js';
import { until } from '../support/until.js';
import { after as isAfter, assertOrdered, FAST, startFeedWorld, type FeedWorld } from './feed-world.js';

let world: FeedWorld;
before(async () => {
  world = await startFeedWorld();
});
after(() => world.stop());
beforeEach(async () => {
  world.sink.answer = (_, response) => void response.end();
  await world.sql('CREATE TABLE t (id bigint PRIMARY KEY, v text)');
  await world.sql('CREATE TABLE u (id bigint PRIMARY KEY, n numeric)');
});
afterEach(async () => {
  await world.sql(
    "UPDATE crdb_sim.job SET status = 'cancel-requested' WHERE status IN ('running', 'paused', 'pause-requested')",
  );
  await until('all jobs have ended', async () => {
    const { rows } = await world.sql(
      "SELECT FROM crdb_sim.job WHERE status NOT IN ('canceled', 'failed', 'succeeded')",
    );
    return rows.length === 0;
  });
  await world.clearFaults();
  await world.sql('DROP TABLE IF EXISTS t, u, renamed');
  world.sink.requests.length = 0;
});

const brief = (): unknown[] => world.sink.rows().map((row) => [row.topic, row.key, row.after]);
const settle = async (): Promise<void> => world.resolvedPast(await world.now());

describe('the rows of a changefeed job', () => {
  it('are the last write per key and transaction, in commit order', async () => {
    // Several connections would overtake each other between keys.
    await world.fault('feed_tuning', { workers: 1 });
    await world.createJob(['t'], { ...FAST, diff: null });
    await world.sql("INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    await world.sql("UPDATE t SET v = 'one' WHERE id = 1");
    await world.sql("BEGIN; UPDATE t SET v = 'a' WHERE id = 1; UPDATE t SET v = 'b' WHERE id = 1; COMMIT");
    await world.sql("BEGIN; INSERT INTO t VALUES (52, 'gone'); DELETE FROM t WHERE id = 52; COMMIT");
    await world.sql('UPDATE t SET id = 3 WHERE id = 2');
    await settle();
    const rows = world.sink.rows().map(({ key, before: old, after: now }) => [key[0], old ?? null, now]);
    assert.deepEqual(rows, [
      [1, null, { id: 1, v: 'one' }],
      [2, null, { id: 2, v: 'two' }],
      [1, { id: 1, v: 'one' }, { id: 1, v: 'one' }],
      [1, { id: 1, v: 'one' }, { id: 1, v: 'b' }],
      [52, null, null],
      [2, { id: 2, v: 'two' }, null],
      [3, null, { id: 3, v: 'two' }],
    ]);
    const { rows: checked, repeated } = assertOrdered(world.sink.bodies());
    assert.deepEqual([checked, repeated], [7, 0]);
  });

  it('of concurrent writers are complete at every resolved timestamp', async () => {
    await world.createJob(['t', 'u'], { ...FAST, webhook_sink_config: '{"Flush":{"Messages":7,"Frequency":"5ms"}}' });
    await world.sql("INSERT INTO t SELECT g, '0' FROM generate_series(1, 20) g");
    const writers = Array.from({ length: 6 }, async (_, writer) => {
      for (let n = 0; n < 40; n++) {
        await world.sql('INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = excluded.v', [
          (n * 7 + writer) % 20,
          `${writer}/${n}`,
        ]);
        await world.sql('INSERT INTO u VALUES ($1, 1.50)', [writer * 1000 + n]);
      }
    });
    await Promise.all(writers);
    await settle();
    const checked = assertOrdered(world.sink.bodies());
    assert.equal(checked.rows - checked.repeated, 20 + 6 * 40 * 2);
    const last = new Map(
      world.sink
        .rows()
        .filter((row) => row.topic === 't')
        .map((row) => [row.key[0], row.after?.['v']]),
    );
    const { rows } = await world.sql('SELECT id::int, v FROM t ORDER BY id');
    assert.deepEqual(
      [...last].sort((a, b) => Number(a[0]) - Number(b[0])),
      rows.map((row: { id: number; v: string }) => [row.id, row.v]),
    );
  });

  it('begin after the cursor', async () => {
    await world.sql("INSERT INTO t VALUES (1, 'before')");
    const cursor = await world.now();
    await world.sql("INSERT INTO t VALUES (2, 'after')");
    await world.createJob(['t'], FAST, { cursor });
    await settle();
    assert.deepEqual(brief(), [['t', [2], { id: 2, v: 'after' }]]);
  });

  it("begin with a scan when asked, at the scan's own timestamp", async () => {
    await world.sql(
      "INSERT INTO t VALUES (1, 'one'), (2, 'two'); UPDATE t SET v = 'new' WHERE id = 1; DELETE FROM t WHERE id = 2",
    );
    const cursor = await world.now();
    await world.createJob(['t'], { ...FAST, initial_scan: 'yes', mvcc_timestamp: null }, { cursor });
    await settle();
    assert.deepEqual(brief(), [['t', [1], { id: 1, v: 'new' }]]);
    const row = world.sink.rows()[0];
    assert.equal(row?.updated, cursor);
    assert.ok(isAfter(cursor, row.mvcc_timestamp ?? cursor), 'isAfter(cursor, row.mvcc_timestamp ?? cursor)');
    assert.equal(world.sink.resolved()[0], cursor);
  });

  it('end with the scan when that is all that was asked', async () => {
    await world.sql("INSERT INTO t VALUES (1, 'one')");
    const job = await world.createJob(['t'], { initial_scan: 'only' });
    await until('the job has succeeded', async () => (await world.job(job)).status === 'succeeded');
    assert.deepEqual(brief(), [['t', [1], { id: 1, v: 'one' }]]);
    assert.ok((await world.job(job)).finished, '(await world.job(job)).finished');
  });
});

describe('progress of a changefeed job', () => {
  it('is kept before its resolved message is posted', async () => {
    const kept: [string, string | null][] = [];
    const job = await world.createJob(['t']);
    world.sink.answer = async (request, response) => {
      const { resolved } = JSON.parse(request.body) as { resolved?: string };
      if (resolved) kept.push([resolved, (await world.job(job)).highwater]);
      response.end();
    };
    await world.sql("INSERT INTO t VALUES (1, 'one')");
    await until('five resolved messages', () => kept.length >= 5);
    for (const [resolved, highWater] of kept) assert.equal(highWater, resolved);
  });

  it('stands while rows are not acknowledged, and the job says so and stays running', async () => {
    world.sink.answer = (request, response) => {
      response.writeHead(request.body.startsWith('{"payload"') ? 500 : 200, 'X').end('oops');
    };
    const job = await world.createJob(['t'], { ...FAST, webhook_sink_config: '{"Retry":{"Max":1,"Backoff":"1ms"}}' });
    await world.sql("INSERT INTO t VALUES (1, 'one')");
    const row = await until('an error is shown', async () => {
      const shown = await world.job(job);
      return shown.running_status?.startsWith('retryable') && shown;
    });
    assert.equal(row.running_status, 'retryable error: retryable changefeed error: 500 X: oops');
    assert.deepEqual([row.status, row.error], ['running', '']);
    const written = world.sink.rows()[0]?.updated ?? '';
    for (const resolved of world.sink.resolved()) assert.ok(isAfter(written, resolved), 'isAfter(written, resolved)');
    assert.ok(
      row.highwater === null || isAfter(written, row.highwater),
      'row.highwater === null || isAfter(written, row.highwater)',
    );
    world.sink.answer = (_, response) => void response.end();
    await settle();
    assert.ok(world.sink.rows().length >= 2, 'the row was tried more than once');
    await until('running again', async () => (await world.job(job)).running_status?.startsWith('running: resolved='));
  });

  it('a resolved message that is refused never comes again, though the feed goes on from it', async () => {
    const refused: string[] = [];
    world.sink.answer = (request, response) => {
      const { resolved } = JSON.parse(request.body) as { resolved?: string };
      if (resolved && refused.length < 2) refused.push(resolved);
      response.writeHead(resolved && refused.includes(resolved) ? 503 : 200).end();
    };
    await world.createJob(['t'], { ...FAST, webhook_sink_config: '{"Retry":{"Max":1,"Backoff":"1ms"}}' });
    await until('two were refused', () => refused.length === 2);
    await settle();
    const accepted = world.sink.resolved().filter((resolved) => !refused.includes(resolved));
    for (const lost of refused)
      assert.ok(
        accepted.every((resolved) => resolved !== lost),
        'accepted.every((resolved) => resolved !== lost)',
      );
    assert.ok(accepted.length > 0, 'accepted.length > 0');
  });

  it('is where the next engine goes on', async () => {
    const job = await world.createJob(['t']);
    await world.sql("INSERT INTO t VALUES (1, 'one')");
    await settle();
    await world.engine.stop();
    const highWater = (await world.job(job)).highwater;
    const requests = world.sink.requests.length;
    await world.sql("INSERT INTO t VALUES (2, 'two')");
    assert.equal(world.sink.requests.length, requests);
    await world.restartEngine();
    await settle();
    assert.ok(highWater, 'highWater');
    assert.deepEqual(brief(), [
      ['t', [1], { id: 1, v: 'one' }],
      ['t', [2], { id: 2, v: 'two' }],
    ]);
    assertOrdered(world.sink.bodies());
  });

  it('lags by the closed timestamp of the cluster settings', async () => {
    await world.sql(
      `INSERT INTO crdb_sim.setting (name, value, default_value, setting_type) VALUES ('kv.closed_timestamp.target_duration', '00:00:00.4', '3s', 'd')
       ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    );
    await world.fault('feed_tuning', { closedTimestampLagMs: null });
    const lagsMs: number[] = [];
    world.sink.answer = (request, response) => {
      const { resolved } = JSON.parse(request.body) as { resolved: string };
      lagsMs.push(Date.now() - Number(parseHlc(resolved)?.nanos) / 1e6);
      response.end();
    };
    await world.createJob(['t']);
    await until('five resolved messages', () => lagsMs.length >= 5);
    assert.ok(Math.min(...lagsMs) >= 399, `lags of ${lagsMs.join(', ')} ms`);
    await world.sql("DELETE FROM crdb_sim.setting WHERE name = 'kv.closed_timestamp.target_duration'");
  });
});

describe('what people ask of a job', () => {
  const set = async (job: string, status: string): Promise<void> =>
    void (await world.sql('UPDATE crdb_sim.job SET status = $2 WHERE job_id = $1', [job, status]));
  const has = async (job: string, status: string): Promise<void> =>
    void (await until(status, async () => (await world.job(job)).status === status));

  it('pause stops the requests and resume loses nothing', async () => {
    const job = await world.createJob(['t']);
    await settle();
    await set(job, 'pause-requested');
    await has(job, 'paused');
    const requests = world.sink.requests.length;
    await world.sql("INSERT INTO t VALUES (1, 'while paused')");
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(world.sink.requests.length, requests);
    await set(job, 'running');
    await settle();
    assert.deepEqual(brief(), [['t', [1], { id: 1, v: 'while paused' }]]);
  });

  it('cancel ends it for good', async () => {
    const job = await world.createJob(['t']);
    await settle();
    await set(job, 'cancel-requested');
    await has(job, 'canceled');
    const row = await world.job(job);
    assert.equal(row.error, 'job canceled by user');
    assert.ok(row.finished, 'row.finished');
    const requests = world.sink.requests.length;
    await world.sql("INSERT INTO t VALUES (1, 'late')");
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(world.sink.requests.length, requests);
  });
});

describe('schema changes under a running feed', () => {
  const fails = async (job: string, error: string): Promise<void> => {
    await until('the job has failed', async () => (await world.job(job)).status === 'failed');
    assert.equal((await world.job(job)).error, error);
  };

  it('TRUNCATE fails the job', async () => {
    const job = await world.createJob(['t']);
    await world.sql('TRUNCATE t');
    await fails(job, '"t" was truncated');
  });

  it('DROP fails the job, or pauses it when asked', async () => {
    const job = await world.createJob(['t']);
    const pausing = await world.createJob(['t'], { ...FAST, on_error: 'pause' });
    await world.sql('DROP TABLE t');
    await fails(job, '"t" was dropped');
    await until('paused', async () => (await world.job(pausing)).status === 'paused');
    assert.equal(
      (await world.job(pausing)).running_status,
      'job failed ("t" was dropped) but is being paused because of on_error=pause',
    );
  });

  it('a cursor that was collected fails the job', async () => {
    const cursor = await world.now();
    const [target] = await world.targets('t');
    await world.sql(
      'INSERT INTO crdb_sim.gc VALUES ($1, $2) ON CONFLICT (table_id) DO UPDATE SET threshold_nanos = excluded.threshold_nanos',
      [target?.table_id, parseHlc(await world.now())?.nanos],
    );
    const job = await world.createJob(['t'], FAST, { cursor });
    await until('the job has failed', async () => (await world.job(job)).status === 'failed');
    assert.match(
      (await world.job(job)).error,
      /^batch timestamp \d+\.\d{9},0 must be after replica GC threshold \d+\.\d{9},0$/,
    );
  });

  it('a column with a default sends the table twice, with a resolved boundary between', async () => {
    await world.sql("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    await world.createJob(['t'], { ...FAST, diff: null });
    await settle();
    await world.sql("ALTER TABLE t ADD COLUMN d text DEFAULT 'dflt'");
    await world.sql("INSERT INTO t VALUES (5, 'after')");
    await settle();
    const rows = world.sink.rows();
    assert.deepEqual(
      rows.map(({ after: now, before: old }) => [now, old]),
      [
        [
          { id: 1, v: 'a' },
          { id: 1, v: 'a' },
        ],
        [
          { id: 2, v: 'b' },
          { id: 2, v: 'b' },
        ],
        [
          { d: 'dflt', id: 1, v: 'a' },
          { id: 1, v: 'a' },
        ],
        [
          { d: 'dflt', id: 2, v: 'b' },
          { id: 2, v: 'b' },
        ],
        [{ d: 'dflt', id: 5, v: 'after' }, null],
      ],
    );
    const boundary = parseHlc(rows[2]?.updated ?? '');
    assert.ok(boundary, 'boundary');
    assert.ok(
      world.sink.resolved().includes(`${boundary.nanos - 1n}.2147483647`),
      'world.sink.resolved().includes("{boundary.nanos - 1n}.2147483647")',
    );
    assertOrdered(world.sink.bodies());
  });

  it('a nullable column sends nothing again; a dropped one does, under nobackfill too', async () => {
    await world.sql("INSERT INTO t VALUES (1, 'a')");
    await world.createJob(['t'], { ...FAST, schema_change_policy: 'nobackfill' });
    await world.sql('ALTER TABLE t ADD COLUMN n bigint');
    await settle();
    assert.deepEqual(brief(), []);
    await world.sql('ALTER TABLE t DROP COLUMN v');
    await world.sql('INSERT INTO t VALUES (2, 9007199254740993)');
    await settle();
    assert.deepEqual(
      brief().map((row) => JSON.stringify(row)),
      ['["t",[1],{"id":1,"n":null}]', '["t",[2],{"id":2,"n":9007199254740992}]'],
    );
    assert.ok(
      world.sink.requests.some((request) => request.body.includes('"n":9007199254740993')),
      'world.sink.requests.some((request) => request.body.includes(""n":9007199254740993"))',
    );
  });

  it('ALTER PRIMARY KEY ends no job and sends nothing again; a delete then has the new key', async () => {
    await world.sql("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    const job = await world.createJob(['t'], FAST);
    await world.sql('ALTER TABLE t ALTER COLUMN v SET NOT NULL');
    await world.sql('ALTER TABLE t DROP CONSTRAINT t_pkey, ADD CONSTRAINT t_pkey PRIMARY KEY (v)');
    await settle();
    assert.deepEqual(brief(), []);
    await world.sql("DELETE FROM t WHERE v = 'a'");
    await settle();
    assert.deepEqual(
      brief().map((row) => JSON.stringify(row)),
      ['["t",["a"],null]'],
    );
    assert.equal((await world.job(job)).status, 'running');
  });

  it('policy stop ends the feed at the boundary', async () => {
    await world.sql("INSERT INTO t VALUES (1, 'a')");
    const job = await world.createJob(['t'], { ...FAST, schema_change_policy: 'stop' });
    await world.sql('ALTER TABLE t DROP COLUMN v');
    await until('the job has failed', async () => (await world.job(job)).status === 'failed');
    const row = await world.job(job);
    const at = parseHlc(/^schema change occurred at ([\d.]+)$/.exec(row.error)?.[1] ?? '');
    assert.ok(at, 'at');
    assert.equal(world.sink.resolved().at(-1), `${at.nanos - 1n}.2147483647`);
    assert.equal(row.highwater, world.sink.resolved().at(-1));
  });

  it('a renamed table keeps its topic, a renamed column has its new name', async () => {
    await world.createJob(['t']);
    await world.sql('ALTER TABLE t RENAME TO renamed');
    await world.sql('ALTER TABLE renamed RENAME COLUMN v TO w');
    await world.sql("INSERT INTO renamed VALUES (1, 'x')");
    await settle();
    assert.deepEqual(brief(), [['t', [1], { id: 1, w: 'x' }]]);
  });

  it('a new primary key lets a job go on with the new key', async () => {
    const job = await world.createJob(['t']);
    await world.sql("INSERT INTO t VALUES (1, 'a')");
    await world.sql('ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v, id)');
    await world.sql("INSERT INTO t VALUES (2, 'b')");
    await settle();
    assert.deepEqual(brief().at(-1), ['t', ['b', 2], { id: 2, v: 'b' }]);
    assert.equal((await world.job(job)).status, 'running');
  });
});

describe('a changefeed without a sink', () => {
  async function collect(
    options: Record<string, string | null>,
    work: () => Promise<void>,
    done: (rows: SinklessRow[]) => boolean,
  ): Promise<SinklessRow[]> {
    const rows: SinklessRow[] = [];
    const stop = new AbortController();
    const definition = { targets: await world.targets('t'), options, cursor: parseHlc(await world.now()) };
    const streaming = world.engine.streamSinkless(definition, (row) => void rows.push(row), stop.signal);
    try {
      await work();
      await Promise.race([streaming, until('the rows came', () => done(rows))]);
    } finally {
      stop.abort();
      await streaming.catch(() => undefined);
    }
    await streaming;
    return rows;
  }

  it('writes rows with spaces and resolved messages without table and key', async () => {
    const rows = await collect(
      { ...FAST, key_in_value: null, topic_in_value: null },
      async () => void (await world.sql("INSERT INTO t VALUES (1, 'a<b')")),
      (seen) => seen.some((row) => row.table === 't') && seen.at(-1)?.table === null,
    );
    const row = rows.find(({ table }) => table === 't');
    assert.equal(row?.key, '[1]');
    assert.match(
      row.value,
      /^\{"after": \{"id": 1, "v": "a<b"\}, "key": \[1\], "topic": "t", "updated": "\d+\.0000000000"\}$/,
    );
    assert.match(rows.at(-1)?.value ?? '', /^\{"resolved":"\d+\.0000000000"\}$/);
  });

  it('ends with 55C01 when the primary key changes, after the boundary', async () => {
    await assert.rejects(
      collect(
        FAST,
        async () => void (await world.sql('ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v, id)')),
        () => false,
      ),
      (error: TerminalFeedError) =>
        /^schema change occurred at \d+\.0000000000$/.test(error.message) && error.sqlState === '55C01',
    );
  });
});
