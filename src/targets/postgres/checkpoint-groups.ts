import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import { formatHlc, parseHlc } from '../../domain/hlc.js';
import type { CheckpointGroups, CheckpointRow } from '../session/parts.js';
import type { StoredGroup } from '../target.js';
import { inTransaction } from './transaction.js';

interface GroupColumns {
  readonly number: number;
  readonly tables: readonly string[];
  readonly applied: string;
}

export function createCheckpointGroups(
  client: pg.Client,
  schema: string,
  stream: string,
  row: CheckpointRow,
): CheckpointGroups {
  const own = `${escapeIdentifier(schema)}.checkpoint`;
  const groups = `${escapeIdentifier(schema)}.checkpoint_group`;

  /** $1 = table. A schema that an earlier version has made, and no start since, has no such table. */
  const THERE = 'SELECT to_regclass($1) IS NOT NULL AS there';
  const isThere = async (): Promise<boolean> =>
    (await client.query<{ there: boolean }>(THERE, [groups])).rows[0]?.there === true;

  /** $1 = stream, $2 = token */
  const LOCK_OWN = `SELECT token FROM ${own} WHERE stream = $1 FOR UPDATE`;
  const isOurs = async (token: string): Promise<boolean> =>
    (await client.query<{ token: string | null }>(LOCK_OWN, [stream])).rows[0]?.token === token;

  /** $1 = stream, $2 = token */
  const TAKE = `
    WITH groups AS (
      UPDATE ${groups} SET token = $2, changed_at = now() WHERE stream = $1 RETURNING group_number, tables, applied
    ), own AS (
      UPDATE ${own} SET token = $2, applied = coalesce((SELECT min(applied) FROM groups), applied) WHERE stream = $1
    )
    SELECT group_number AS number, tables, applied::text AS applied FROM groups ORDER BY group_number`;

  /** $1 = stream, $2 = token. The groups are as of some moment of now, so that none is behind it. */
  const ADVANCE = `
    UPDATE ${own} SET applied = (SELECT min(g.applied) FROM ${groups} AS g WHERE g.stream = $1), changed_at = now()
    WHERE stream = $1 AND token = $2 RETURNING applied::text AS applied`;

  /** $1 = stream, $2 = at */
  const NOT_AT = `SELECT 1 FROM ${groups} WHERE stream = $1 AND applied <> $2::numeric FOR UPDATE`;
  /** $1 = stream, $2 = at */
  const SET_OWN = `UPDATE ${own} SET applied = $2::numeric, changed_at = now() WHERE stream = $1`;
  /** $1 = stream */
  const REMOVE = `DELETE FROM ${groups} WHERE stream = $1`;
  /** $1 = stream, $2 = number, $3 = tables */
  const INSERT = `
    INSERT INTO ${groups} (stream, group_number, run, tables, applied, token, stop_at)
    SELECT stream, $2, run, $3, applied, token, stop_at FROM ${own} WHERE stream = $1`;

  /** $1 = stream */
  const every = `(
    SELECT stream, holder_pid, holder_started, xmax AS locked_by FROM ${own} WHERE stream = $1
    UNION ALL SELECT stream, holder_pid, holder_started, xmax FROM ${groups} WHERE stream = $1)`;
  const END_HOLDERS = `SELECT pg_terminate_backend(session.pid) FROM ${every} AS checkpoint
    JOIN pg_stat_activity AS session ON session.pid = holder_pid AND session.backend_start = holder_started
    WHERE session.pid <> pg_backend_pid()`;
  const LOCK_HOLDERS = `SELECT DISTINCT held.pid FROM ${every} AS checkpoint
    JOIN pg_locks AS held ON held.locktype = 'transactionid' AND held.granted AND held.transactionid = checkpoint.locked_by
    WHERE held.pid <> pg_backend_pid()`;

  return {
    async take(token) {
      if (!(await isThere())) {
        const taken = await row.take(token);
        return taken && { ...taken, groups: [] };
      }
      return inTransaction(client, async () => {
        // Held first: who regroups at this moment has then committed, and the statement after it sees the rows.
        await client.query(LOCK_OWN, [stream]);
        const { rows } = await client.query<GroupColumns>(TAKE, [stream, token]);
        const taken = await row.take(token);
        return taken && { ...taken, groups: rows.map(toGroup) };
      });
    },
    async advanceToLeast(token) {
      const { rows } = await client.query<{ applied: string }>(ADVANCE, [stream, token]);
      return rows[0] === undefined ? null : parseHlc(rows[0].applied);
    },
    async regroup(token, at, layout) {
      if (layout.length === 0 && !(await isThere())) return isOurs(token);
      return inTransaction(client, async () => {
        if (!(await isOurs(token))) return false;
        const { rowCount } = await client.query(NOT_AT, [stream, formatHlc(at)]);
        if (rowCount !== 0)
          throw new Error(`stream ${stream}: its groups are not all at ${formatHlc(at)} and cannot be made anew`);
        await client.query(SET_OWN, [stream, formatHlc(at)]);
        await client.query(REMOVE, [stream]);
        for (const group of layout) await client.query(INSERT, [stream, group.number, group.tables]);
        return true;
      });
    },
    endHolders: async () =>
      (await isThere()) ? ((await client.query(END_HOLDERS, [stream])).rowCount ?? 0) > 0 : row.endHolder(),
    lockHolders: async () =>
      (await isThere())
        ? (await client.query<{ pid: number }>(LOCK_HOLDERS, [stream])).rows.map(({ pid }) => String(pid))
        : row.lockHolders(),
  };
}

function toGroup({ number, tables, applied }: GroupColumns): StoredGroup {
  return { number, tables, applied: parseHlc(applied) };
}
