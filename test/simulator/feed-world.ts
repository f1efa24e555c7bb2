import assert from 'node:assert/strict';
import pg from 'pg';
import { startFeedEngine, type FeedEngine } from '../../demo/simulator/feeds/engine.js';
import type { FeedTarget } from '../../demo/simulator/feeds/definition.js';
import type { Tuning } from '../../demo/simulator/feeds/faults.js';
import { compareHlc, parseHlc, type Hlc } from '../../demo/simulator/feeds/hlc.js';
import { ensureSimulatorSchema } from '../../demo/simulator/schema.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { startSinkServer, type SeenBody, type SinkServer } from './sink-server.js';

export interface JobRow {
  readonly status: string;
  readonly running_status: string | null;
  readonly error: string;
  readonly highwater: string | null;
  readonly finished: Date | null;
}

/** The simulator's changefeeds alone: its schema in a real PostgreSQL, an engine, and a sink. */
export interface FeedWorld {
  readonly postgres: Postgres;
  readonly pool: pg.Pool;
  readonly sink: SinkServer;
  engine: FeedEngine;
  sql(text: string, values?: unknown[]): Promise<pg.QueryResult>;
  /** A timestamp above every commit so far, as `cluster_logical_timestamp()` gives it. */
  now(): Promise<string>;
  targets(...tables: string[]): Promise<FeedTarget[]>;
  createJob(
    tables: readonly string[],
    options?: Record<string, string | null>,
    more?: { cursor?: string; sinkUri?: string },
  ): Promise<string>;
  job(jobId: string): Promise<JobRow>;
  fault(name: string, args?: Record<string, unknown>): Promise<void>;
  clearFaults(): Promise<void>;
  /** Waits until a resolved message above `at` came after everything before it. */
  resolvedPast(at: string): Promise<void>;
  restartEngine(): Promise<void>;
  stop(): Promise<void>;
}

/** Fast, and without the lag of closed timestamps. */
const TUNING: Partial<Tuning> = { pollMs: 10, backoffScale: 0.02, statusEveryMs: 0, closedTimestampLagMs: 0 };

export const FAST = { updated: null, resolved: '20ms', min_checkpoint_frequency: '20ms', initial_scan: 'no' };

export async function startFeedWorld(): Promise<FeedWorld> {
  const postgres = await startPostgres({ settings: { fsync: 'off' } });
  const pool = new pg.Pool({ connectionString: postgres.url(), max: 12 });
  pool.on('error', () => undefined);
  const client = await pool.connect();
  try {
    await ensureSimulatorSchema(client);
  } catch (error) {
    client.release();
    await pool.end();
    await postgres.stop();
    throw error;
  }
  client.release();
  const sink = await startSinkServer();
  let nextJob = 1;
  const start = (): FeedEngine =>
    startFeedEngine({ pool, tuning: TUNING, log: (line) => process.stderr.write(`${line}\n`) });

  const world: FeedWorld = {
    postgres,
    pool,
    sink,
    engine: start(),
    sql: (text, values) => pool.query(text, values),
    async now() {
      const { rows } = await pool.query<{ now: string }>("SELECT crdb_sim.resolve_now() || '.0000000000' AS now");
      return rows[0]?.now ?? '';
    },
    async targets(...tables) {
      const { rows } = await pool.query<{ table_id: string; name: string }>(
        "SELECT table_id::text, name FROM crdb_sim.tbl WHERE schema = 'public' AND NOT dropped AND name = ANY ($1)",
        [tables],
      );
      assert.equal(rows.length, tables.length);
      return rows.map((row) => ({ table_id: row.table_id, name: row.name, topic: row.name }));
    },
    async createJob(tables, options = FAST, { cursor, sinkUri = sink.url() } = {}) {
      const from: Hlc | null = parseHlc(cursor ?? (await world.now()));
      const jobId = String(nextJob++);
      await pool.query(
        `INSERT INTO crdb_sim.job (job_id, description, user_name, status, sink_uri, targets, options, cursor_nanos, cursor_logical)
         VALUES ($1, 'test', 'root', 'running', $2, $3, $4, $5, $6)`,
        [
          jobId,
          sinkUri,
          JSON.stringify(await world.targets(...tables)),
          JSON.stringify(options),
          from?.nanos,
          from?.logical,
        ],
      );
      return jobId;
    },
    async job(jobId) {
      const { rows } = await pool.query<JobRow>(
        `SELECT status, running_status, error, finished, highwater_nanos || '.' || lpad(highwater_logical::text, 10, '0') AS highwater
           FROM crdb_sim.job WHERE job_id = $1`,
        [jobId],
      );
      assert.ok(rows[0], 'rows[0]');
      return rows[0];
    },
    async fault(name, args = {}) {
      await pool.query(
        'INSERT INTO crdb_sim.feed_fault VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET args = excluded.args',
        [name, JSON.stringify(args)],
      );
    },
    async clearFaults() {
      await pool.query('DELETE FROM crdb_sim.feed_fault');
    },
    async resolvedPast(at) {
      await until(`a resolved message past ${at}`, () => sink.resolved().some((resolved) => after(resolved, at)));
    },
    async restartEngine() {
      await world.engine.stop();
      world.engine = start();
    },
    async stop() {
      await world.engine.stop();
      await pool.end();
      await sink.stop();
      await postgres.stop();
    },
  };
  return world;
}

export function after(a: string, b: string): boolean {
  const [first, second] = [parseHlc(a), parseHlc(b)];
  assert.ok(first && second, `${a} and ${b} are timestamps`);
  return compareHlc(first, second) > 0;
}

/**
 * What a changefeed promises, checked over everything that a sink got: a timestamp seen for the first time is not below one
 * already seen for its key and not at or below an earlier resolved timestamp; a timestamp that comes again carries the same row;
 * resolved timestamps do not go back.
 */
export function assertOrdered(bodies: readonly SeenBody[]): { rows: number; repeated: number } {
  const seen = new Map<string, string>();
  const newest = new Map<string, string>();
  let resolved = '0.0000000000';
  let [rows, repeated] = [0, 0];
  for (const body of bodies) {
    if (body.resolved !== undefined) {
      assert.ok(!after(resolved, body.resolved), `resolved goes back from ${resolved} to ${body.resolved}`);
      resolved = body.resolved;
    }
    for (const row of body.payload ?? []) {
      rows++;
      const key = `${row.topic}${JSON.stringify(row.key)}`;
      const text = JSON.stringify(row.after);
      const earlier = seen.get(`${key}@${row.updated}`);
      if (earlier !== undefined) {
        repeated++;
        assert.equal(text, earlier, `${key} at ${row.updated} changed`);
        continue;
      }
      assert.ok(after(row.updated, resolved), `${key} at ${row.updated} is new after resolved ${resolved}`);
      assert.ok(!newest.has(key) || after(row.updated, newest.get(key) ?? ''), `${key} goes back to ${row.updated}`);
      seen.set(`${key}@${row.updated}`, text);
      newest.set(key, row.updated);
    }
  }
  return { rows, repeated };
}
