import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import type { DeadLetters } from '../../domain/dead-letters.js';
import { formatHlc, parseHlc, type Hlc } from '../../domain/hlc.js';
import type { SourceOrigin } from '../../domain/source-identity.js';
import type { CheckpointStore, RunRecord, StoredCheckpoint, StreamHold } from '../target.js';

interface CheckpointRow {
  readonly stream: string;
  readonly run: string;
  readonly applied: string;
  readonly cursor: string;
  readonly token: string | null;
  readonly stageId: string | null;
  readonly incarnation: number;
  readonly feedWanted: boolean;
  readonly origin: SourceOrigin;
}

/** The statements of the checkpoint store. None begins or ends a transaction. */
export function createCheckpointRecords(client: pg.Client, schemaName: string) {
  const schema = escapeIdentifier(schemaName);

  /** $1 = stream, $2 = run, $3 = cursor, $4 = origin. A row that is there is never given a later cursor (protocol rule 1). */
  const INSERT_ONCE = `
    INSERT INTO ${schema}.checkpoint (stream, run, applied, cursor, origin) VALUES ($1, $2, $3, $3, $4)
    ON CONFLICT (stream) DO NOTHING`;
  const insert = async (row: Parameters<CheckpointStore['insertOnce']>[0]): Promise<void> => {
    await client.query(INSERT_ONCE, [row.stream, row.run, formatHlc(row.cursor), JSON.stringify(row.origin)]);
  };

  /** $1 = stream */
  const READ = `
    SELECT stream, run, applied::text AS applied, cursor::text AS cursor, token, stage_id AS "stageId", incarnation,
      feed_wanted AS "feedWanted", origin
    FROM ${schema}.checkpoint WHERE stream = $1`;
  const read = async (stream: string): Promise<StoredCheckpoint | null> => {
    const row = (await client.query<CheckpointRow>(READ, [stream])).rows[0];
    return row ? { ...row, applied: parseHlc(row.applied), cursor: parseHlc(row.cursor) } : null;
  };

  /** $1 = stream, $2 = wanted */
  const SET_FEED_WANTED = `UPDATE ${schema}.checkpoint SET feed_wanted = $2, changed_at = now() WHERE stream = $1`;
  const setFeedWanted = async (stream: string, wanted: boolean): Promise<void> => {
    await client.query(SET_FEED_WANTED, [stream, wanted]);
  };

  /** $1 = stream */
  const LOCK = `SELECT FROM ${schema}.checkpoint WHERE stream = $1 FOR UPDATE`;
  /** $1 = the table. A schema that an earlier release has made lacks it. */
  const HAS_GUARD = 'SELECT to_regclass($1) IS NOT NULL AS there';
  /** $1 = stream, $2 = stop */
  const OUTRUN = `SELECT EXISTS (SELECT FROM ${schema}.guard WHERE stream = $1 AND hlc > $2::numeric) AS outrun`;
  /** Whether changes after the stop are applied at once already. Holds the row's lock from then on, so that it stays so (protocol rule 32). */
  const isOutrun = async (stream: string, stopAt: Hlc): Promise<boolean> => {
    await client.query(LOCK, [stream]);
    const { rows: found } = await client.query<{ there: boolean }>(HAS_GUARD, [`${schema}.guard`]);
    if (found[0]?.there !== true) return false;
    return (await client.query<{ outrun: boolean }>(OUTRUN, [stream, formatHlc(stopAt)])).rows[0]?.outrun === true;
  };

  /** $1 = stream, $2 = stop. A stop that has been passed is none. What was seen at another stop says nothing of this one. */
  const SET_STOP_AT = `
    UPDATE ${schema}.checkpoint SET stop_at = $2::numeric, changed_at = now(),
      hold = CASE WHEN stop_at = $2::numeric THEN hold END
    WHERE stream = $1 AND ($2::numeric IS NULL OR applied <= $2::numeric)`;
  const setStopAt = async (stream: string, stopAt: Hlc | null): Promise<boolean> => {
    const { rowCount } = await client.query(SET_STOP_AT, [stream, stopAt === null ? null : formatHlc(stopAt)]);
    return rowCount === 1;
  };

  /**
   * $1 = stream, $2 = stop. Each window is held against the stop in its own group's row, under that row's lock: one that has been passed by any
   * group is none (protocol rule 32).
   */
  const SET_GROUPS_STOP_AT = `
    UPDATE ${schema}.checkpoint_group SET stop_at = $2::numeric, changed_at = now() WHERE stream = $1
    RETURNING $2::numeric IS NULL OR applied <= $2::numeric AS ahead`;
  /** @returns whether it is ahead of every group; where it is not, the caller rolls back */
  const setGroupsStopAt = async (stream: string, stopAt: Hlc | null): Promise<boolean> => {
    const stop = stopAt === null ? null : formatHlc(stopAt);
    const { rows } = await client.query<{ ahead: boolean }>(SET_GROUPS_STOP_AT, [stream, stop]);
    return rows.every(({ ahead }) => ahead);
  };

  /** $1 = stream, $2 = token, $3 = hold. An attempt that has been taken over changes nothing. */
  const WRITE_HOLD = `UPDATE ${schema}.checkpoint SET hold = $3, changed_at = now() WHERE stream = $1 AND token = $2`;
  const writeHold = async (stream: string, token: string, hold: StreamHold): Promise<void> => {
    const stored: HoldColumn = {
      token,
      at: formatHlc(hold.at),
      seenUpTo: formatHlc(hold.seenUpTo),
      newerChanges: hold.newerChanges,
    };
    await client.query(WRITE_HOLD, [stream, token, JSON.stringify(stored)]);
  };

  /** $1 = stream. What an earlier attempt saw is not what its successor sees. */
  const READ_HOLD = `
    SELECT applied::text AS applied, stop_at::text AS "stopAt", feed_wanted AS "feedWanted", CASE WHEN hold ->> 'token' = token THEN hold END AS hold
    FROM ${schema}.checkpoint WHERE stream = $1`;
  const readHold = async (stream: string): ReturnType<CheckpointStore['readHold']> => {
    const row = (await client.query<HoldRow>(READ_HOLD, [stream])).rows[0];
    if (!row) return null;
    return {
      applied: parseHlc(row.applied),
      stopAt: row.stopAt === null ? null : parseHlc(row.stopAt),
      feedWanted: row.feedWanted,
      hold: row.hold === null ? null : toHold(row.hold),
    };
  };

  /** $1 = run */
  const READ_RUN = `SELECT run, phase, state FROM ${schema}.run WHERE run = $1`;
  const readRun = async (run: string): Promise<RunRecord | null> =>
    (await client.query<RunRecord>(READ_RUN, [run])).rows[0] ?? null;

  /** $1 = run, $2 = phase, $3 = state */
  const WRITE_RUN = `
    INSERT INTO ${schema}.run AS r (run, phase, state) VALUES ($1, $2, $3)
    ON CONFLICT (run) DO UPDATE SET phase = excluded.phase, state = excluded.state, changed_at = now()`;
  const writeRun = async (record: RunRecord): Promise<void> => {
    await client.query(WRITE_RUN, [record.run, record.phase, JSON.stringify(record.state)]);
  };

  /** $1 = stream. What an earlier run of the same name has left is at or before the cursor, and none of this one's. */
  const LETTERS_OF = `letter.stream = $1 AND letter.hlc > (SELECT cursor FROM ${schema}.checkpoint WHERE stream = $1)`;

  /** $1 = stream */
  const COUNT_DEAD_LETTERS = `
    SELECT source_table AS "table", count(*)::int AS count FROM ${schema}.dead_letters AS letter
    WHERE ${LETTERS_OF} GROUP BY source_table ORDER BY count(*) DESC, source_table`;
  const countDeadLetters = (stream: string): Promise<DeadLetters> => countByTable(COUNT_DEAD_LETTERS, stream);

  /** $1 = run. Those of earlier runs of the same name too: they lie there as well. */
  const COUNT_LEFT = `
    SELECT source_table AS "table", count(*)::int AS count FROM ${schema}.dead_letters
    WHERE run = $1 GROUP BY source_table ORDER BY count(*) DESC, source_table`;
  const countLettersLeft = (run: string): Promise<DeadLetters> => countByTable(COUNT_LEFT, run);

  const countByTable = async (sql: string, name: string): Promise<DeadLetters> => {
    const { rows: tables } = await client.query<DeadLetters['tables'][number]>(sql, [name]);
    return { count: tables.reduce((sum, one) => sum + one.count, 0), tables };
  };

  /** $1 = stream */
  const ASK_REPLAY = `UPDATE ${schema}.dead_letters AS letter SET replay = true WHERE ${LETTERS_OF}`;
  const askReplay = async (stream: string): Promise<number> => (await client.query(ASK_REPLAY, [stream])).rowCount ?? 0;

  /** $1 = run */
  const removeRun = async (table: string, run: string): Promise<void> => {
    await client.query(`DELETE FROM ${schema}.${table} WHERE run = $1`, [run]);
  };

  return {
    insert,
    read,
    setFeedWanted,
    isOutrun,
    setStopAt,
    setGroupsStopAt,
    writeHold,
    readHold,
    readRun,
    writeRun,
    countDeadLetters,
    countLettersLeft,
    askReplay,
    removeRun,
  };
}

interface HoldColumn {
  readonly token: string;
  readonly at: string;
  readonly seenUpTo: string;
  readonly newerChanges: number;
}

interface HoldRow {
  readonly applied: string;
  readonly stopAt: string | null;
  readonly feedWanted: boolean;
  readonly hold: HoldColumn | null;
}

function toHold({ at, seenUpTo, newerChanges }: HoldColumn): StreamHold {
  return { at: parseHlc(at), seenUpTo: parseHlc(seenUpTo), newerChanges };
}
