import { createHash } from 'node:crypto';
import { formatHlc, parseHlc, type Hlc } from '../../domain/hlc.js';
import { formatTableName, type StreamPlan } from '../../domain/table.js';
import type { Guard } from '../session/parts.js';
import { collapseMutations } from '../collapse.js';
import type { ApplyMutation } from '../target.js';
import type { CheckpointAccess } from './checkpoint-dialect.js';
import { groupedBy, inChunks, placeholders } from './lists.js';

export function createGuard({ client, dialect, schema }: CheckpointAccess, stream: string, plan: StreamPlan): Guard {
  const guard = dialect.tableName(schema, 'guard');
  const sourceTables = plan.map((table) => formatTableName(table.source));
  const sourceTableOf = (table: number): string => sourceTables[table] ?? `table ${table}`;

  /** stream */
  const FURTHEST = `SELECT ${dialect.hlcText('MAX(hlc)')} AS hlc FROM ${guard} WHERE stream = ?`;
  /** stream, checkpoint */
  const PRUNE = `DELETE FROM ${guard} WHERE stream = ? AND hlc <= ${dialect.hlcParameter}`;
  /** stream, source table, hashes of keys */
  const OF_KEYS = 'stream = ? AND source_table = ? AND key_hash IN';
  /** source table, hash of key, HLC, stream */
  const ONE = `SELECT stream, ?, ?, ${dialect.hlcParameter}, run FROM ${dialect.tableName(schema, 'checkpoint')} WHERE stream = ?`;

  const furthest = async (): Promise<Hlc | null> => {
    const hlc = (await client.query(FURTHEST, [stream])).rows[0]?.['hlc'] ?? null;
    return hlc === null ? null : parseHlc(hlc);
  };

  /** What is applied beyond the checkpoint of the keys of these changes, by table and hash. */
  const guardsOf = async (changes: readonly HashedChange[]): Promise<ReadonlyMap<string, Hlc>> => {
    const found = new Map<string, Hlc>();
    for (const [table, ofTable] of byTable(changes)) {
      for (const hashes of inChunks([...new Set(ofTable.map(({ hash }) => hash))])) {
        const read = `SELECT key_hash, ${dialect.hlcText('hlc')} AS hlc FROM ${guard} WHERE ${OF_KEYS} (${placeholders(hashes.length)})`;
        const { rows } = await client.query(read, [stream, sourceTableOf(table), ...hashes]);
        for (const row of rows) found.set(identity(table, row['key_hash'] ?? ''), parseHlc(row['hlc'] ?? ''));
      }
    }
    return found;
  };

  const newerOf = async (changes: readonly HashedChange[]): Promise<readonly HashedChange[]> => {
    const guards = await guardsOf(changes);
    if (guards.size === 0) return changes;
    return changes.filter(({ change, hash }) => change.at > (guards.get(identity(change.table, hash)) ?? -1n));
  };

  const newer = async (changes: readonly ApplyMutation[]): Promise<readonly ApplyMutation[]> =>
    changes.length === 0 ? changes : (await newerOf(changes.map(hashed))).map(({ change }) => change);

  return {
    any: async () => (await furthest()) !== null,
    newer,
    newerParts: (parts) =>
      async function* (fromTable) {
        for await (const part of parts(fromTable)) {
          const open = await newer(part);
          if (open.length > 0) yield open;
        }
      },
    async raise(changes) {
      const raised = await newerOf(collapseMutations(changes).map(hashed));
      for (const [table, ofTable] of byTable(raised)) {
        for (const part of inChunks(ofTable, ROWS)) {
          const hashes = part.map(({ hash }) => hash);
          const remove = `DELETE FROM ${guard} WHERE ${OF_KEYS} (${placeholders(hashes.length)})`;
          await client.query(remove, [stream, sourceTableOf(table), ...hashes]);
          const insert = `INSERT INTO ${guard} (stream, source_table, key_hash, hlc, run) ${part.map(() => ONE).join(' UNION ALL ')}`;
          const values = part.flatMap(({ change, hash }) => [sourceTableOf(table), hash, formatHlc(change.at), stream]);
          await client.query(insert, values);
        }
      }
    },
    async prune(upTo) {
      await client.query(PRUNE, [stream, formatHlc(upTo)]);
    },
    furthest,
  };
}

/** Rows of one statement. */
const ROWS = 100;

interface HashedChange {
  readonly change: ApplyMutation;
  readonly hash: string;
}

function hashed(change: ApplyMutation): HashedChange {
  return { change, hash: hashOfKey(change.key) };
}

/** A key may be longer than an index takes, and it is a row's value. */
export function hashOfKey(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex');
}

function identity(table: number, hash: string): string {
  return `${table} ${hash}`;
}

function byTable(changes: readonly HashedChange[]): ReadonlyMap<number, readonly HashedChange[]> {
  return groupedBy(changes, ({ change }) => change.table);
}
