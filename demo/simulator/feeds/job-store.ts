import type pg from 'pg';
import type { FeedDefinition, FeedOptions, FeedTarget } from './definition.js';
import type { Hlc } from './hlc.js';

export interface StoredJob {
  readonly jobId: string;
  readonly definition: FeedDefinition;
  readonly sinkUri: string;
  readonly highWater: Hlc | null;
}

/** Every statement on crdb_sim.job that the engine makes. */
export interface JobStore {
  /** Jobs that are running or wait for the engine to do what was asked. */
  pending(): Promise<{ jobId: string; status: string }[]>;
  load(jobId: string): Promise<StoredJob>;
  /** Keeps the high-water. False when the job is no longer running: whoever keeps it must stop. */
  keepHighWater(jobId: string, highWater: Hlc): Promise<boolean>;
  setRunningStatus(jobId: string, text: string): Promise<void>;
  /** Moves a job from one status to another; false when it had left the first. */
  move(
    jobId: string,
    from: string,
    to: string,
    set?: { error?: string; runningStatus?: string; finished?: boolean },
  ): Promise<boolean>;
}

export function createJobStore(pool: pg.Pool): JobStore {
  return {
    async pending() {
      const { rows } = await pool.query<{ jobId: string; status: string }>(
        `SELECT job_id::text AS "jobId", status FROM crdb_sim.job
          WHERE job_type = 'CHANGEFEED' AND status IN ('running', 'pause-requested', 'cancel-requested', 'reverting')`,
      );
      return rows;
    },

    async load(jobId) {
      // $1 = job id
      const { rows } = await pool.query<{
        targets: FeedTarget[];
        options: FeedOptions;
        sink_uri: string;
        highwater: string | null;
        highwater_logical: number | null;
        cursor: string | null;
        cursor_logical: number | null;
      }>(
        `SELECT targets, options, sink_uri, highwater_nanos::text AS highwater, highwater_logical::int,
                cursor_nanos::text AS cursor, cursor_logical::int
           FROM crdb_sim.job WHERE job_id = $1`,
        [jobId],
      );
      const row = rows[0];
      if (!row) throw new Error(`job with ID ${jobId} does not exist`);
      const hlc = (nanos: string | null, logical: number | null): Hlc | null =>
        nanos === null ? null : { nanos: BigInt(nanos), logical: logical ?? 0 };
      return {
        jobId,
        definition: { targets: row.targets, options: row.options, cursor: hlc(row.cursor, row.cursor_logical) },
        sinkUri: row.sink_uri,
        highWater: hlc(row.highwater, row.highwater_logical),
      };
    },

    async keepHighWater(jobId, { nanos, logical }) {
      // $1 = job id, $2 = nanos, $3 = logical
      const { rowCount } = await pool.query(
        `UPDATE crdb_sim.job SET highwater_nanos = $2, highwater_logical = $3, modified = clock_timestamp()
          WHERE job_id = $1 AND status = 'running'`,
        [jobId, nanos, logical],
      );
      return rowCount === 1;
    },

    async setRunningStatus(jobId, text) {
      // $1 = job id, $2 = running status
      await pool.query(
        `UPDATE crdb_sim.job SET running_status = $2, started = coalesce(started, clock_timestamp()), modified = clock_timestamp()
          WHERE job_id = $1 AND status = 'running'`,
        [jobId, text],
      );
    },

    async move(jobId, from, to, { error, runningStatus, finished } = {}) {
      // $1 = job id, $2 = status it must have, $3 = its new status, $4 = error or null, $5 = running status or null, $6 = has it ended
      const { rowCount } = await pool.query(
        `UPDATE crdb_sim.job
            SET status = $3, error = coalesce($4, error), running_status = coalesce($5, running_status),
                finished = CASE WHEN $6 THEN clock_timestamp() ELSE finished END, modified = clock_timestamp()
          WHERE job_id = $1 AND status = $2`,
        [jobId, from, to, error ?? null, runningStatus ?? null, finished ?? false],
      );
      return rowCount === 1;
    },
  };
}
