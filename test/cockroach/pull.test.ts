import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { buildSinklessChangefeed } from '../../src/cockroach/changefeed-statement.js';
import { connectCockroach, type Cockroach as Session } from '../../src/cockroach/client.js';
import { CockroachError } from '../../src/cockroach/errors.js';
import { mergeChangefeedOptions } from '../../src/domain/changefeed-options.js';
import { parseHlc } from '../../src/domain/hlc.js';
import { clusterTimestamp, startCockroach, type Cockroach } from '../support/cockroach.js';
import { until } from '../support/until.js';

const OPTIONS = mergeChangefeedOptions({
  resolved: '250ms',
  minCheckpointFrequency: '250ms',
  flushBytes: 1_048_576,
  flushFrequency: '1s',
  clientTimeout: '10s',
  options: {},
});
const LONG = { timeoutMs: 60_000 };

describe('a changefeed without a sink, as the worker reads it', () => {
  let cockroach: Cockroach;
  let session: Session;
  let table: string;
  before(async () => {
    cockroach = await startCockroach();
    session = await connectCockroach({ connectionString: cockroach.url(), applicationName: 'failback contract' });
    await cockroach.sql.query("SET CLUSTER SETTING kv.closed_timestamp.target_duration = '200ms'");
  });
  after(async () => {
    await session.close();
    await cockroach.stop();
  });
  beforeEach(async () => {
    table = cockroach.fresh('pull');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY, v STRING NOT NULL)`);
  });

  /** Reads from a cursor on until told to stop; `ended` is with what it ended. */
  function read(cursor: string) {
    const rows: string[] = [];
    const resolved: string[] = [];
    const stop = new AbortController();
    const sql = buildSinklessChangefeed({
      tables: [{ schema: 'public', table }],
      cursor: parseHlc(cursor),
      options: OPTIONS,
      version: session.version,
    });
    const ended = session
      .follow(sql, {
        take(batch) {
          rows.push(...batch.rows.map(String));
          const timestamp = /^\{"resolved":"([\d.]+)"\}$/.exec(batch.resolved?.toString() ?? '')?.[1];
          if (timestamp !== undefined) resolved.push(timestamp);
          else assert.equal(batch.resolved, null);
          return Promise.resolve();
        },
        onSent: () => undefined,
        silenceMs: 60_000,
        signal: stop.signal,
      })
      .catch((error: unknown) => error);
    return {
      rows,
      resolved,
      ended,
      async past(timestamp: string) {
        await until(`resolved past ${timestamp}`, () => resolved.some((one) => Number(one) > Number(timestamp)), LONG);
      },
      async stop() {
        stop.abort(new Error('enough'));
        assert.match(String(await ended), /enough/);
      },
    };
  }

  it('has key and topic in the value, and each row before a resolved timestamp that covers it', async () => {
    const cursor = await clusterTimestamp(cockroach.sql);
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (9007199254740993, 'tw"o <&> 漢字 🚀 \\u0041')`);
    await cockroach.sql.query(`DELETE FROM ${table} WHERE id > 0`);
    const feed = read(cursor);
    await feed.past(await clusterTimestamp(cockroach.sql));
    await feed.stop();
    const shown = [...new Set(feed.rows)].map((row) => row.replace(/"updated": "\d+\.\d{10}"/, '"updated": "T"'));
    assert.deepEqual(shown.sort(), [
      `{"after": null, "key": [9007199254740993], "topic": "${table}", "updated": "T"}`,
      `{"after": {"id": 9007199254740993, "v": "tw\\"o <&> 漢字 🚀 \\\\u0041"}, "key": [9007199254740993], "topic": "${table}", "updated": "T"}`,
    ]);
    assert.deepEqual(feed.resolved, [...feed.resolved].sort(), 'resolved timestamps do not go back');
  });

  it('brings 20,000 rows of one statement, each at least once', async () => {
    const feed = read(await clusterTimestamp(cockroach.sql));
    await cockroach.sql.query(
      `INSERT INTO ${table} SELECT i, 'row ' || i::STRING FROM generate_series(1, 20000) AS g (i)`,
    );
    await feed.past(await clusterTimestamp(cockroach.sql));
    await feed.stop();
    assert.equal(new Set(feed.rows.map((row) => /"key": \[(\d+)\]/.exec(row)?.[1])).size, 20_000);
  });

  it('ends with 55C01 when the key is altered, resolved just before; the next one from there goes on', async () => {
    const feed = read(await clusterTimestamp(cockroach.sql));
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'before')`);
    await cockroach.sql.query(`ALTER TABLE ${table} ALTER PRIMARY KEY USING COLUMNS (v)`);
    const error = await feed.ended;
    assert.ok(error instanceof CockroachError);
    assert.equal(error.kind, 'schemaBoundary');
    const boundary = /schema change occurred at ([\d.]+)/.exec(error.message)?.[1] ?? '';
    const last = feed.resolved.at(-1) ?? '';
    assert.ok(parseHlc(last) < parseHlc(boundary), `${last} is before ${boundary}`);
    assert.ok(feed.rows.some((row) => row.includes('"before"')));
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (2, 'after')`);
    const next = read(last);
    await next.past(await clusterTimestamp(cockroach.sql));
    await next.stop();
    assert.ok(next.rows.some((row) => row.includes('"key": ["after"]')));
    assert.ok(!next.rows.some((row) => row.includes('"key": [1]')));
  });

  it('goes on over a column that comes, and sends every row with it again', async () => {
    const feed = read(await clusterTimestamp(cockroach.sql));
    await cockroach.sql.query(`INSERT INTO ${table} VALUES (1, 'a'), (2, 'b')`);
    await cockroach.sql.query(`ALTER TABLE ${table} ADD COLUMN n INT NOT NULL DEFAULT 7`);
    await feed.past(await clusterTimestamp(cockroach.sql));
    await feed.stop();
    for (const key of ['[1]', '[2]'])
      assert.ok(
        feed.rows.some((row) => row.includes(`"key": ${key}`) && row.includes('"n": 7')),
        `${key} comes with the column`,
      );
  });

  it('is refused for a cursor at which its table was not there yet, in words that are known', async () => {
    const cursor = await clusterTimestamp(cockroach.sql);
    table = cockroach.fresh('young');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY)`);
    const error = await read(cursor).ended;
    assert.ok(error instanceof CockroachError);
    assert.equal(error.kind, 'targetsUnresolved');
  });
});
