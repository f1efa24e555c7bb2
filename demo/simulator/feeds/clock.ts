import type pg from 'pg';
import { parseGoDuration } from './go-duration.js';
import type { Faults } from './faults.js';
import type { Hlc } from './hlc.js';

/** One look at the backing database. */
export interface Moment {
  /** Every commit at or below it is visible; every later one will be above it. */
  readonly now: Hlc;
  readonly faults: Faults;
  /** `kv.closed_timestamp.target_duration` in milliseconds. */
  readonly closedTimestampMs: number;
}

const DEFAULT_CLOSED_TIMESTAMP = '3s';

/** Takes a timestamp that closes the past, and the faults that stand. */
export async function readMoment(pool: pg.Pool): Promise<Moment> {
  const { rows } = await pool.query<{ nanos: string; faults: Faults | null; closed: string | null }>(
    `SELECT crdb_sim.resolve_now()::text AS nanos,
            (SELECT jsonb_object_agg(name, args) FROM crdb_sim.feed_fault) AS faults,
            (SELECT value FROM crdb_sim.setting WHERE name = 'kv.closed_timestamp.target_duration') AS closed`,
  );
  const row = rows[0];
  if (!row) throw new Error('crdb_sim.resolve_now() answered no row');
  return {
    now: { nanos: BigInt(row.nanos), logical: 0 },
    faults: row.faults ?? {},
    closedTimestampMs: settingMs(row.closed ?? DEFAULT_CLOSED_TIMESTAMP),
  };
}

/** A duration setting reads `3s` as set and `00:00:03` as shown. */
function settingMs(value: string): number {
  const shown = /^(\d+):(\d+):(\d+(?:\.\d+)?)$/.exec(value);
  if (!shown) return parseGoDuration(value);
  return (Number(shown[1]) * 3600 + Number(shown[2]) * 60 + Number(shown[3])) * 1000;
}
