import { NO_DEAD_LETTERS, type DeadLetters } from '../../domain/dead-letters.js';
import { formatHlc, parseHlc, type Hlc } from '../../domain/hlc.js';
import type { SourceOrigin } from '../../domain/source-identity.js';
import type { CheckpointStore, RunRecord, StoredCheckpoint, StreamHold } from '../target.js';
import { changeWithin } from './bounded-change.js';
import type { CheckpointTable } from './checkpoint-ddl.js';
import type { CheckpointAccess } from './checkpoint-dialect.js';
import type { SqlParameter } from './sql-client.js';

/** The statements of the checkpoint store. None begins or ends a transaction but where it says so. */
export function createCheckpointRecords(access: CheckpointAccess) {
  const { client, dialect, schema, lockTimeoutMs } = access;
  const checkpoint = dialect.tableName(schema, 'checkpoint');
  const groups = dialect.tableName(schema, 'checkpoint_group');
  const runs = dialect.tableName(schema, 'run');
  const letters = dialect.tableName(schema, 'dead_letters');
  const hlc = dialect.hlcParameter;
  const forUpdate = dialect.forUpdate(lockTimeoutMs);

  const one = async (sql: string, parameters: readonly SqlParameter[]) =>
    (await client.query(sql, parameters)).rows[0] ?? null;
  const changeOwn = (stream: string, sql: string, parameters: readonly SqlParameter[]): Promise<number> =>
    changeWithin(access, { table: checkpoint, where: 'stream = ?', parameters: [stream] }, sql, parameters);

  /** Does nothing where a row of this key is there. */
  const insertUnlessThere = async (sql: string, parameters: readonly SqlParameter[]): Promise<boolean> => {
    try {
      await client.query(sql, parameters);
      return true;
    } catch (error) {
      if (!dialect.errors.isDuplicate(error)) throw error;
      return false;
    }
  };

  /** stream, run, applied, cursor, origin. A row that is there is never given a later cursor (protocol rule 1). */
  const INSERT = `INSERT INTO ${checkpoint} (stream, run, applied, cursor_at, origin_json) VALUES (?, ?, ${hlc}, ${hlc}, ?)`;
  const insertOnce = async (row: Parameters<CheckpointStore['insertOnce']>[0]): Promise<void> => {
    const cursor = formatHlc(row.cursor);
    await insertUnlessThere(INSERT, [row.stream, row.run, cursor, cursor, JSON.stringify(row.origin)]);
  };

  /** stream */
  const READ = `
    SELECT stream, run, ${dialect.hlcText('applied')} AS applied, ${dialect.hlcText('cursor_at')} AS cursor_at, token, stage_id,
      incarnation, feed_wanted, origin_json
    FROM ${checkpoint} WHERE stream = ?`;
  const read = async (stream: string): Promise<StoredCheckpoint | null> => {
    const row = await one(READ, [stream]);
    return (
      row && {
        stream: row['stream'] ?? '',
        run: row['run'] ?? '',
        applied: parseHlc(row['applied'] ?? ''),
        cursor: parseHlc(row['cursor_at'] ?? ''),
        token: row['token'] ?? null,
        stageId: row['stage_id'] ?? null,
        incarnation: Number(row['incarnation']),
        feedWanted: row['feed_wanted'] === '1',
        origin: JSON.parse(row['origin_json'] ?? '') as SourceOrigin,
      }
    );
  };

  /** wanted, stream */
  const SET_FEED_WANTED = `UPDATE ${checkpoint} SET feed_wanted = ?, ${NOW} WHERE stream = ?`;
  const setFeedWanted = async (stream: string, wanted: boolean): Promise<void> => {
    await changeOwn(stream, SET_FEED_WANTED, [wanted ? '1' : '0', stream]);
  };

  /** stream */
  const LOCK = `SELECT ${dialect.hlcText('applied')} AS applied, ${dialect.hlcText('stop_at')} AS stop_at FROM ${checkpoint} WHERE stream = ? ${forUpdate}`;
  /** stream */
  const FURTHEST = `SELECT ${dialect.hlcText('MAX(hlc)')} AS hlc FROM ${dialect.tableName(schema, 'guard')} WHERE stream = ?`;
  /** stream */
  const LOCK_GROUPS = `SELECT ${dialect.hlcText('applied')} AS applied FROM ${groups} WHERE stream = ? ${forUpdate}`;
  /** stop, stream */
  const SET_GROUPS_STOP = `UPDATE ${groups} SET stop_at = ${hlc}, ${NOW} WHERE stream = ?`;
  /** stop, stream */
  const SET_STOP = `UPDATE ${checkpoint} SET stop_at = ${hlc}, ${NOW} WHERE stream = ?`;
  /** stop, stream. What was seen at another stop says nothing of this one. */
  const SET_OTHER_STOP = `UPDATE ${checkpoint} SET stop_at = ${hlc}, hold_json = NULL, ${NOW} WHERE stream = ?`;
  /**
   * In a transaction. Each window is held against the stop in its own group's row, under that row's lock: a stop that the stream, any group, or
   * what is applied at once has passed is none (protocol rule 32). The stream's row first, as whoever changes several of its rows does.
   */
  const setStopAt = async (stream: string, stopAt: Hlc | null): Promise<boolean> => {
    const row = await one(LOCK, [stream]);
    if (row === null) return false;
    const passes = (at: string | null = null): boolean => stopAt !== null && at !== null && parseHlc(at) > stopAt;
    if (passes(row['applied']) || passes((await one(FURTHEST, [stream]))?.['hlc'])) return false;
    const { rows: stopped } = await client.query(LOCK_GROUPS, [stream]);
    if (stopped.some(({ applied }) => passes(applied))) return false;
    const stop = stopAt === null ? null : formatHlc(stopAt);
    const before = row['stop_at'] ?? null;
    const isSame = before !== null && stopAt !== null && parseHlc(before) === stopAt;
    await client.query(isSame ? SET_STOP : SET_OTHER_STOP, [stop, stream]);
    await client.query(SET_GROUPS_STOP, [stop, stream]);
    return true;
  };

  /** hold, stream, token. An attempt that has been taken over changes nothing. */
  const WRITE_HOLD = `UPDATE ${checkpoint} SET hold_json = ?, ${NOW} WHERE stream = ? AND token = ?`;
  const writeHold = async (stream: string, token: string, hold: StreamHold): Promise<void> => {
    const stored: HoldColumn = {
      token,
      at: formatHlc(hold.at),
      seenUpTo: formatHlc(hold.seenUpTo),
      newerChanges: hold.newerChanges,
    };
    await changeOwn(stream, WRITE_HOLD, [JSON.stringify(stored), stream, token]);
  };

  /** stream */
  const READ_HOLD = `
    SELECT ${dialect.hlcText('applied')} AS applied, ${dialect.hlcText('stop_at')} AS stop_at, feed_wanted, token, hold_json
    FROM ${checkpoint} WHERE stream = ?`;
  const readHold = async (stream: string): ReturnType<CheckpointStore['readHold']> => {
    const row = await one(READ_HOLD, [stream]);
    if (row === null) return null;
    const stopAt = row['stop_at'] ?? null;
    const json = row['hold_json'] ?? null;
    const hold = json === null ? null : (JSON.parse(json) as HoldColumn);
    return {
      applied: parseHlc(row['applied'] ?? ''),
      stopAt: stopAt === null ? null : parseHlc(stopAt),
      feedWanted: row['feed_wanted'] === '1',
      // What an earlier attempt saw is not what its successor sees.
      hold: hold === null || hold.token !== row['token'] ? null : toHold(hold),
    };
  };

  /** run */
  const READ_RUN = `SELECT run, phase, state_json FROM ${runs} WHERE run = ?`;
  const readRun = async (run: string): Promise<RunRecord | null> => {
    const row = await one(READ_RUN, [run]);
    return (
      row && {
        run: row['run'] ?? '',
        phase: row['phase'] ?? '',
        state: JSON.parse(row['state_json'] ?? '') as RunRecord['state'],
      }
    );
  };

  /** phase, state, run */
  const UPDATE_RUN = `UPDATE ${runs} SET phase = ?, state_json = ?, ${NOW} WHERE run = ?`;
  /** run, phase, state */
  const INSERT_RUN = `INSERT INTO ${runs} (run, phase, state_json) VALUES (?, ?, ?)`;
  const writeRun = async ({ run, phase, state }: RunRecord): Promise<void> => {
    const json = JSON.stringify(state);
    const rows = { table: runs, where: 'run = ?', parameters: [run] };
    const update = () => changeWithin(access, rows, UPDATE_RUN, [phase, json, run]);
    if ((await update()) === 1 || (await insertUnlessThere(INSERT_RUN, [run, phase, json]))) return;
    await update();
  };

  /** stream */
  const CURSOR = `SELECT ${dialect.hlcText('cursor_at')} AS cursor_at FROM ${checkpoint} WHERE stream = ?`;
  /** What an earlier run of the same name has left is at or before the cursor, and none of this one's. Null: there is no row. */
  const cursorOf = async (stream: string): Promise<string | null> =>
    (await one(CURSOR, [stream]))?.['cursor_at'] ?? null;

  /** stream, cursor */
  const COUNT = `SELECT source_table, COUNT(*) AS letters FROM ${letters} WHERE stream = ? AND hlc > ${hlc} GROUP BY source_table`;
  const countDeadLetters = async (stream: string): Promise<DeadLetters> => {
    const cursor = await cursorOf(stream);
    return cursor === null ? NO_DEAD_LETTERS : countByTable(COUNT, [stream, cursor]);
  };

  /** run. Those of earlier runs of the same name too: they lie there as well. */
  const COUNT_LEFT = `SELECT source_table, COUNT(*) AS letters FROM ${letters} WHERE run = ? GROUP BY source_table`;
  const countLettersLeft = (run: string): Promise<DeadLetters> => countByTable(COUNT_LEFT, [run]);

  const countByTable = async (sql: string, parameters: readonly SqlParameter[]): Promise<DeadLetters> => {
    const { rows } = await client.query(sql, parameters);
    const tables = rows
      .map((row) => ({ table: row['source_table'] ?? '', count: Number(row['letters']) }))
      .sort((a, b) => b.count - a.count || (a.table < b.table ? -1 : 1));
    return { count: tables.reduce((sum, each) => sum + each.count, 0), tables };
  };

  /** stream, cursor */
  const OF_STREAM = `stream = ? AND hlc > ${hlc}`;
  const ASK_REPLAY = `UPDATE ${letters} SET replay = 1 WHERE ${OF_STREAM}`;
  const askReplay = async (stream: string): Promise<number> => {
    const cursor = await cursorOf(stream);
    if (cursor === null) return 0;
    const parameters = [stream, cursor];
    return changeWithin(access, { table: letters, where: OF_STREAM, parameters }, ASK_REPLAY, parameters);
  };

  /** By the key, so that no row of another run is waited for. */
  const removeRun = async (table: Exclude<CheckpointTable, 'dead_letters'>, run: string): Promise<void> => {
    const name = dialect.tableName(schema, table);
    const key = KEYS[table];
    const { rows } = await client.query(`SELECT DISTINCT ${key} AS found FROM ${name} WHERE run = ?`, [run]);
    for (const { found = null } of rows) {
      const where = `${key} = ? AND run = ?`;
      const parameters = [found, run];
      await changeWithin(access, { table: name, where, parameters }, `DELETE FROM ${name} WHERE ${where}`, parameters);
    }
  };

  return {
    insertOnce,
    read,
    setFeedWanted,
    setStopAt,
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

const NOW = 'changed_at = CURRENT_TIMESTAMP(6)';

/** What the primary key begins with. */
const KEYS: Readonly<Record<Exclude<CheckpointTable, 'dead_letters'>, string>> = {
  checkpoint: 'stream',
  run: 'run',
  claim: 'table_name',
  checkpoint_group: 'stream',
  guard: 'stream',
};

interface HoldColumn {
  readonly token: string;
  readonly at: string;
  readonly seenUpTo: string;
  readonly newerChanges: number;
}

function toHold({ at, seenUpTo, newerChanges }: HoldColumn): StreamHold {
  return { at: parseHlc(at), seenUpTo: parseHlc(seenUpTo), newerChanges };
}
