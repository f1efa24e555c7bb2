import { formatHlc, minHlc, parseHlc, type Hlc } from '../../domain/hlc.js';
import type { CheckpointGroups } from '../session/parts.js';
import type { StoredGroup } from '../target.js';
import { changeWithin } from './bounded-change.js';
import type { CheckpointAccess } from './checkpoint-dialect.js';
import { othersThan, type NamedCheckpointRow } from './checkpoint-row.js';
import { inTransaction, type SqlResult } from './sql-client.js';

export function createCheckpointGroups(
  access: CheckpointAccess,
  stream: string,
  row: NamedCheckpointRow,
): CheckpointGroups {
  const { client, dialect, schema, lockTimeoutMs } = access;
  const own = dialect.tableName(schema, 'checkpoint');
  const groups = dialect.tableName(schema, 'checkpoint_group');
  const forUpdate = dialect.forUpdate(lockTimeoutMs);
  const applied = `${dialect.hlcText('applied')} AS applied`;

  /** stream */
  const LOCK_OWN = `SELECT token, ${applied} FROM ${own} WHERE stream = ? ${forUpdate}`;
  const lockOwn = async () => (await client.query(LOCK_OWN, [stream])).rows[0] ?? null;

  /** token, stream */
  const TAKE = `UPDATE ${groups} SET token = ?, changed_at = CURRENT_TIMESTAMP(6) WHERE stream = ?`;
  /** stream */
  const READ = `SELECT group_number, tables_json, ${applied} FROM ${groups} WHERE stream = ? ORDER BY group_number`;
  const read = async (): Promise<readonly StoredGroup[]> =>
    (await client.query(READ, [stream])).rows.map((found) => ({
      number: Number(found['group_number']),
      tables: JSON.parse(found['tables_json'] ?? '[]') as readonly string[],
      applied: parseHlc(found['applied'] ?? ''),
    }));
  /** stream */
  const LOCK = `SELECT ${applied} FROM ${groups} WHERE stream = ? ${forUpdate}`;
  /** at, stream */
  const SET_OWN = `UPDATE ${own} SET applied = ${dialect.hlcParameter}, changed_at = CURRENT_TIMESTAMP(6) WHERE stream = ?`;
  const setOwn = async (at: Hlc): Promise<void> => {
    await client.query(SET_OWN, [formatHlc(at), stream]);
  };
  /** stream */
  const REMOVE = `DELETE FROM ${groups} WHERE stream = ?`;
  /** number, tables, stream */
  const INSERT = `
    INSERT INTO ${groups} (stream, group_number, run, tables_json, applied, token, stop_at)
    SELECT stream, ?, run, ?, applied, token, stop_at FROM ${own} WHERE stream = ?`;

  /** stream, stream */
  const HOLDERS = `SELECT holder FROM ${own} WHERE stream = ? UNION ALL SELECT holder FROM ${groups} WHERE stream = ?`;

  return {
    async take(token) {
      // Outside of the transaction: it is not undone with it.
      await row.name();
      return inTransaction(client, async () => {
        // Held first: who regroups at this moment has then committed, and the statements after it see the rows.
        if ((await lockOwn()) === null) return null;
        const rows = { table: groups, where: 'stream = ?', parameters: [stream] };
        await changeWithin(access, rows, TAKE, [token, stream]);
        const taken = await read();
        const least = leastOf(taken);
        if (least !== null) await setOwn(least);
        const checkpoint = await row.take(token);
        return checkpoint && { ...checkpoint, groups: taken };
      });
    },
    advanceToLeast: (token) =>
      inTransaction(client, async () => {
        const found = await lockOwn();
        if (found?.['token'] !== token) return null;
        // As of some moment of now, so that none is behind it; and without waiting for any window.
        const least = leastOf(await read());
        if (least === null) return parseHlc(found['applied'] ?? '');
        await setOwn(least);
        return least;
      }),
    regroup: (token, at, layout) =>
      inTransaction(client, async () => {
        if ((await lockOwn())?.['token'] !== token) return false;
        const { rows } = await client.query(LOCK, [stream]);
        if (!areAllAt(at, rows))
          throw new Error(`stream ${stream}: its groups are not all at ${formatHlc(at)} and cannot be made anew`);
        await setOwn(at);
        await client.query(REMOVE, [stream]);
        for (const { number, tables } of layout)
          await client.query(INSERT, [String(number), JSON.stringify(tables), stream]);
        return true;
      }),
    async endHolders() {
      const { rows } = await client.query(HOLDERS, [stream, stream]);
      return dialect.sessions.end(client, [...new Set(othersThan(await row.name(), rows))]);
    },
    async lockHolders() {
      const found = [
        ...(await dialect.sessions.lockHolders(client, schema, 'checkpoint')),
        ...(await dialect.sessions.lockHolders(client, schema, 'checkpoint_group')),
      ];
      return [...new Set(found)];
    },
  };
}

function leastOf(groups: readonly StoredGroup[]): Hlc | null {
  return groups.reduce<Hlc | null>((least, group) => minHlc(least ?? group.applied, group.applied), null);
}

function areAllAt(at: Hlc, rows: SqlResult['rows']): boolean {
  return rows.every(({ applied }) => parseHlc(applied ?? '') === at);
}
