import type pg from 'pg';

/**
 * What a changefeed can be made to do wrong, set from any client by `SELECT crdb_sim.fault('<name>', '<json>')`.
 * Every fault takes `job` (a job id, as text; all jobs without it). Those with `times` end by themselves after so many (default 1).
 *
 * | name | args | effect |
 * |---|---|---|
 * | feed_duplicate | probability (1), seed (1) | a batch is posted twice in a row |
 * | feed_reorder | seed (1) | rows of different tables change places; rows of one table do not |
 * | feed_replay | backMs (0), times | before a resolved message everything since the last one, and backMs before it, is sent again |
 * | feed_stall | | no rows, no resolved messages, no requests; the job says running |
 * | feed_hold_resolved | | rows go on, the high-water and resolved messages stand |
 * | feed_kill | afterRows (0), times | the flow ends after that many rows, before their resolved message, and restarts |
 * | feed_drop_resolved | times | the high-water is kept, its resolved message is lost |
 * | feed_slow | ms | each request waits first |
 * | feed_last_words | times | a job that was cancelled posts its last rows and one resolved message all the same |
 * | feed_tuning | any of `Tuning` | not a fault: how fast the simulator goes |
 */
export type FaultName =
  | 'feed_duplicate'
  | 'feed_reorder'
  | 'feed_replay'
  | 'feed_stall'
  | 'feed_hold_resolved'
  | 'feed_kill'
  | 'feed_drop_resolved'
  | 'feed_slow'
  | 'feed_last_words'
  | 'feed_tuning';

export type FaultArgs = Readonly<Record<string, unknown>>;

/** The faults as last read. */
export type Faults = Readonly<Partial<Record<FaultName, FaultArgs>>>;

/** The fault's arguments when it stands for this job and is not used up. */
export function standing(faults: Faults, name: FaultName, jobId: string): FaultArgs | null {
  const args = faults[name];
  if (!args) return null;
  if (args['job'] !== undefined && args['job'] !== jobId) return null;
  return Number(args['times'] ?? 1) > 0 ? args : null;
}

/** A number among the arguments. */
export function argument(args: FaultArgs, name: string, otherwise: number): number {
  const value = Number(args[name]);
  return args[name] === undefined || Number.isNaN(value) ? otherwise : value;
}

/** Counts one use of a fault down. False when another flow took the last one. */
export async function useUp(pool: pg.Pool, name: FaultName): Promise<boolean> {
  // $1 = fault name
  const { rowCount } = await pool.query(
    `UPDATE crdb_sim.feed_fault SET args = jsonb_set(args, '{times}', to_jsonb(coalesce((args ->> 'times')::int, 1) - 1))
      WHERE name = $1 AND coalesce((args ->> 'times')::int, 1) > 0`,
    [name],
  );
  return rowCount === 1;
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** How fast the simulator goes. The defaults are CockroachDB's own. */
export interface Tuning {
  /** Milliseconds between two looks at the log. */
  readonly pollMs: number;
  /** Multiplies every pause between attempts and between restarts of a flow. */
  readonly backoffScale: number;
  /** Milliseconds between two writes of `running_status`. */
  readonly statusEveryMs: number;
  /** Milliseconds by which resolved timestamps lag; null is what `kv.closed_timestamp.target_duration` says. */
  readonly closedTimestampLagMs: number | null;
  /** Concurrent connections of one sink. */
  readonly workers: number;
}

export const DEFAULT_TUNING: Tuning = {
  pollMs: 40,
  backoffScale: 1,
  statusEveryMs: 60_000,
  closedTimestampLagMs: null,
  workers: 4,
};

export function tuned(tuning: Tuning, faults: Faults): Tuning {
  return { ...tuning, ...(faults.feed_tuning as Partial<Tuning> | undefined) };
}
