import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import type { Checkpoint } from '../../domain/checkpoint.js';
import { formatHlc, parseHlc } from '../../domain/hlc.js';
import type { CheckpointRow } from '../session/parts.js';

interface CheckpointColumns {
  readonly stream: string;
  readonly applied: string;
  readonly cursor: string;
  readonly token: string | null;
  readonly stage_id: string | null;
  readonly incarnation: number;
}

const COLUMNS = 'stream, applied::text AS applied, cursor::text AS cursor, token, stage_id, incarnation';

/**
 * @param group number of the group whose row it is; null: the stream's own. What a group's row does not have is the stream's: `take` and
 *   `bind` are the stream's alone.
 */
export function createCheckpointRow(
  client: pg.Client,
  schema: string,
  stream: string,
  group: number | null = null,
): CheckpointRow {
  const own = `${escapeIdentifier(schema)}.checkpoint`;
  const table = group === null ? own : `${escapeIdentifier(schema)}.checkpoint_group`;
  const isIt = group === null ? 'stream = $1' : `stream = $1 AND group_number = ${group}`;
  const one = async (sql: string, parameters: readonly unknown[]): Promise<Checkpoint | null> => {
    const { rows } = await client.query<CheckpointColumns>(sql, [...parameters]);
    return rows[0] === undefined ? null : toCheckpoint(rows[0]);
  };
  const hits = async (sql: string, parameters: readonly unknown[]): Promise<boolean> =>
    (await client.query(sql, [...parameters])).rowCount === 1;

  const self = `holder_pid = pg_backend_pid(),
    holder_started = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())`;

  /** $1 = stream, $2 = token */
  const take = `UPDATE ${table} SET token = $2, ${self}, changed_at = now() WHERE stream = $1 RETURNING ${COLUMNS}`;

  /** $1 = stream, $2 = token */
  const record = `UPDATE ${table} SET ${self} WHERE ${isIt} AND token = $2`;

  /** $1 = stream, $2 = token. An UPDATE, as `advance` is, so that it sees what was committed while it waited (protocol rule 22). */
  const hold = `UPDATE ${table} SET changed_at = now() WHERE ${isIt} AND token = $2
    RETURNING applied::text AS applied, stop_at::text AS "stopAt"`;

  /** $1 = stream, $2 = token, $3 = stage id, $4 = incarnation */
  const bind = `UPDATE ${table} SET stage_id = $3, incarnation = $4, changed_at = now() WHERE stream = $1 AND token = $2`;

  /**
   * $1 = stream, $2 = token, $3 = applied so far, $4 = applied then. A window never passes the stop, even one planned before the stop was
   * set: both are decided under the row's lock (protocol rule 32).
   */
  const advance = `UPDATE ${table} SET applied = $4::numeric, changed_at = now()
    WHERE ${isIt} AND token = $2 AND applied = $3::numeric AND (stop_at IS NULL OR stop_at >= $4::numeric)`;

  /** $1 = stream */
  const read =
    group === null
      ? `SELECT ${COLUMNS} FROM ${table} WHERE ${isIt}`
      : `SELECT stream, g.applied::text AS applied, cursor::text AS cursor, g.token, stage_id, incarnation
    FROM ${table} AS g JOIN ${own} USING (stream) WHERE ${isIt}`;

  /** Of a group's row, not the stream's beside it. */
  const locked = group === null ? '' : 'OF g';

  /** $1 = stream. Process numbers are used again: the session's start must be the recorded one too (protocol rule 24). */
  const endHolder = `SELECT pg_terminate_backend(session.pid) FROM ${table} AS checkpoint
    JOIN pg_stat_activity AS session ON session.pid = holder_pid AND session.backend_start = holder_started
    WHERE stream = $1 AND session.pid <> pg_backend_pid()`;

  /** $1 = stream. The transaction that has locked a row writes its number into it. */
  const lockHolders = `SELECT held.pid FROM ${table} AS checkpoint
    JOIN pg_locks AS held ON held.locktype = 'transactionid' AND held.granted AND held.transactionid = checkpoint.xmax
    WHERE stream = $1 AND held.pid <> pg_backend_pid()`;

  return {
    take: (token) => one(take, [stream, token]),
    record: (token) => hits(record, [stream, token]),
    async hold(token) {
      const { rows } = await client.query<{ applied: string; stopAt: string | null }>(hold, [stream, token]);
      const held = rows[0];
      if (held === undefined) return null;
      return { applied: parseHlc(held.applied), stopAt: held.stopAt === null ? null : parseHlc(held.stopAt) };
    },
    bind: (token, stageId, incarnation) => hits(bind, [stream, token, stageId, incarnation]),
    advance: (token, previous, next) => hits(advance, [stream, token, formatHlc(previous), formatHlc(next)]),
    read: () => one(read, [stream]),
    readLocked: () => one(`${read} FOR UPDATE ${locked}`, [stream]),
    endHolder: async () => ((await client.query(endHolder, [stream])).rowCount ?? 0) > 0,
    lockHolders: async () =>
      (await client.query<{ pid: number }>(lockHolders, [stream])).rows.map(({ pid }) => String(pid)),
  };
}

function toCheckpoint(row: CheckpointColumns): Checkpoint {
  return {
    stream: row.stream,
    applied: parseHlc(row.applied),
    cursor: parseHlc(row.cursor),
    token: row.token,
    stageId: row.stage_id,
    incarnation: row.incarnation,
  };
}
