import { randomUUID } from 'node:crypto';
import type { Checkpoint } from '../../domain/checkpoint.js';
import { formatHlc, parseHlc } from '../../domain/hlc.js';
import type { CheckpointRow } from '../session/parts.js';
import { changeWithin } from './bounded-change.js';
import type { CheckpointAccess } from './checkpoint-dialect.js';
import { withinTransaction, type SqlParameter, type SqlResult } from './sql-client.js';

/** A checkpoint row, and the name of the session that reads and writes it. */
export interface NamedCheckpointRow extends CheckpointRow {
  /** Names the session, once, and returns its name. */
  name(): Promise<string>;
}

/**
 * @param group number of the group whose row it is; null: the stream's own. What a group's row does not have is the stream's: `take` and
 *   `bind` are the stream's alone.
 */
export function createCheckpointRow(
  access: CheckpointAccess,
  stream: string,
  group: number | null = null,
): NamedCheckpointRow {
  const { client, dialect, schema, lockTimeoutMs } = access;
  const own = dialect.tableName(schema, 'checkpoint');
  const table = dialect.tableName(schema, group === null ? 'checkpoint' : 'checkpoint_group');
  const isIt = group === null ? 'stream = ?' : `stream = ? AND group_number = ${group}`;
  const hits = async (sql: string, parameters: readonly SqlParameter[]): Promise<boolean> =>
    (await changeWithin(access, { table, where: isIt, parameters: [stream] }, sql, parameters)) === 1;

  const session = `failback-${randomUUID()}`;
  let named = false;
  const name = async (): Promise<string> => {
    if (!named) await dialect.sessions.nameSession(client, session);
    named = true;
    return session;
  };

  const hlc = dialect.hlcParameter;
  /** token, holder, stream */
  const TAKE = `UPDATE ${table} SET token = ?, holder = ?, ${NOW} WHERE ${isIt}`;
  /** holder, stream, token */
  const RECORD = `UPDATE ${table} SET holder = ? WHERE ${isIt} AND token = ?`;
  /** stream, token. An UPDATE, as `advance` is, so that it sees what was committed while it waited (protocol rule 22). */
  const HOLD = `UPDATE ${table} SET ${NOW} WHERE ${isIt} AND token = ?`;
  /** stream */
  const READ_HELD = `SELECT ${dialect.hlcText('applied')} AS applied, ${dialect.hlcText('stop_at')} AS stop_at FROM ${table} WHERE ${isIt}`;
  /** stage id, incarnation, stream, token */
  const BIND = `UPDATE ${table} SET stage_id = ?, incarnation = ?, ${NOW} WHERE ${isIt} AND token = ?`;
  /**
   * applied then, stream, token, applied so far, applied then. A window never passes the stop, even one planned before the stop was set: both are
   * decided under the row's lock (protocol rule 32).
   */
  const ADVANCE = `UPDATE ${table} SET applied = ${hlc}, ${NOW}
    WHERE ${isIt} AND token = ? AND applied = ${hlc} AND (stop_at IS NULL OR stop_at >= ${hlc})`;

  const columns = (of: string): string =>
    `${of}.stream AS stream, ${dialect.hlcText(`${of}.applied`)} AS applied, ${of}.token AS token`;
  const rest = (of: string): string =>
    `${dialect.hlcText(`${of}.cursor_at`)} AS cursor_at, ${of}.stage_id AS stage_id, ${of}.incarnation AS incarnation`;
  /** stream */
  const READ =
    group === null
      ? `SELECT ${columns('c')}, ${rest('c')} FROM ${own} c WHERE c.stream = ?`
      : `SELECT ${columns('g')}, ${rest('c')} FROM ${table} g JOIN ${own} c ON c.stream = g.stream
         WHERE g.stream = ? AND g.group_number = ${group}`;
  const read = async (): Promise<Checkpoint | null> => toCheckpoint(await client.query(READ, [stream]));
  /** stream. Of a group's row, not the stream's beside it. */
  const LOCK = `SELECT stream FROM ${table} WHERE ${isIt} ${dialect.forUpdate(lockTimeoutMs)}`;
  /** stream */
  const HOLDER = `SELECT holder FROM ${table} WHERE ${isIt}`;

  return {
    name,
    async take(token) {
      const holder = await name();
      return withinTransaction(client, async () => ((await hits(TAKE, [token, holder, stream])) ? read() : null));
    },
    record: async (token) => hits(RECORD, [await name(), stream, token]),
    async hold(token) {
      if (!(await hits(HOLD, [stream, token]))) return null;
      const { rows } = await client.query(READ_HELD, [stream]);
      const stopAt = rows[0]?.['stop_at'] ?? null;
      return { applied: parseHlc(rows[0]?.['applied'] ?? ''), stopAt: stopAt === null ? null : parseHlc(stopAt) };
    },
    bind: (token, stageId, incarnation) => hits(BIND, [stageId, String(incarnation), stream, token]),
    advance: (token, previous, next) =>
      hits(ADVANCE, [formatHlc(next), stream, token, formatHlc(previous), formatHlc(next)]),
    read,
    readLocked: () =>
      withinTransaction(client, async () => {
        await client.query(LOCK, [stream]);
        return read();
      }),
    async endHolder() {
      const { rows } = await client.query(HOLDER, [stream]);
      return dialect.sessions.end(client, othersThan(session, rows));
    },
    lockHolders: () => dialect.sessions.lockHolders(client, schema, group === null ? 'checkpoint' : 'checkpoint_group'),
  };
}

const NOW = 'changed_at = CURRENT_TIMESTAMP(6)';

/** The recorded holders, without this session. */
export function othersThan(session: string, rows: SqlResult['rows']): readonly string[] {
  return rows.flatMap(({ holder = null }) => (holder === null || holder === session ? [] : [holder]));
}

function toCheckpoint({ rows }: SqlResult): Checkpoint | null {
  const row = rows[0];
  if (row === undefined) return null;
  return {
    stream: row['stream'] ?? '',
    applied: parseHlc(row['applied'] ?? ''),
    cursor: parseHlc(row['cursor_at'] ?? ''),
    token: row['token'] ?? null,
    stageId: row['stage_id'] ?? null,
    incarnation: Number(row['incarnation']),
  };
}
