import { createHash } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import { formatHlc, parseHlc } from '../../domain/hlc.js';
import { formatTableName, type StreamPlan } from '../../domain/table.js';
import type { Guard } from '../session/parts.js';
import type { ApplyMutation } from '../target.js';

export function createGuard(client: pg.Client, schema: string, stream: string, plan: StreamPlan): Guard {
  const guard = `${escapeIdentifier(schema)}.guard`;
  const sourceTables = plan.map((table) => formatTableName(table.source));
  const tableNames = (changes: readonly ApplyMutation[]): string[] =>
    changes.map(({ table }) => sourceTables[table] ?? `table ${table}`);

  /** $1 = the table. A schema that an earlier release has made lacks it. */
  const THERE = 'SELECT to_regclass($1) IS NOT NULL AS there';
  /** $1 = stream */
  const ANY = `SELECT EXISTS (SELECT FROM ${guard} WHERE stream = $1) AS any`;

  /** $1 = stream, $2 = source tables, $3 = hashes of keys, $4 = HLCs. Counted from 1. */
  const PASSED = `
    SELECT change.place::int AS place
    FROM unnest($2::text[], $3::bytea[], $4::numeric[]) WITH ORDINALITY AS change(source_table, key_hash, hlc, place)
    JOIN ${guard} AS guard ON guard.stream = $1 AND guard.source_table = change.source_table AND guard.key_hash = change.key_hash
    WHERE guard.hlc >= change.hlc`;

  /** $1 = stream, $2 = source tables, $3 = hashes of keys, $4 = HLCs; each key once. */
  const RAISE = `
    INSERT INTO ${guard} AS guard (stream, source_table, key_hash, hlc, run)
    SELECT stream, change.*, run
    FROM ${escapeIdentifier(schema)}.checkpoint, unnest($2::text[], $3::bytea[], $4::numeric[]) AS change
    WHERE stream = $1
    ON CONFLICT (stream, source_table, key_hash) DO UPDATE SET hlc = excluded.hlc WHERE guard.hlc < excluded.hlc`;

  /** $1 = stream, $2 = checkpoint */
  const PRUNE = `DELETE FROM ${guard} WHERE stream = $1 AND hlc <= $2::numeric`;
  /** $1 = stream */
  const FURTHEST = `SELECT max(hlc)::text AS hlc FROM ${guard} WHERE stream = $1`;

  const parametersOf = (changes: readonly ApplyMutation[]) => [
    stream,
    tableNames(changes),
    changes.map(({ key }) => hashOf(key)),
    changes.map(({ at }) => formatHlc(at)),
  ];

  const newer = async (changes: readonly ApplyMutation[]): Promise<readonly ApplyMutation[]> => {
    if (changes.length === 0) return changes;
    const { rows } = await client.query<{ place: number }>(PASSED, parametersOf(changes));
    if (rows.length === 0) return changes;
    const passed = new Set(rows.map(({ place }) => place - 1));
    return changes.filter((_, i) => !passed.has(i));
  };

  return {
    async any() {
      const { rows: found } = await client.query<{ there: boolean }>(THERE, [guard]);
      if (found[0]?.there !== true) return false;
      return (await client.query<{ any: boolean }>(ANY, [stream])).rows[0]?.any === true;
    },
    newer,
    newerParts: (parts) =>
      async function* (fromTable) {
        for await (const part of parts(fromTable)) {
          const open = await newer(part);
          if (open.length > 0) yield open;
        }
      },
    async raise(changes) {
      if (changes.length > 0) await client.query(RAISE, parametersOf(changes));
    },
    async prune(upTo) {
      await client.query(PRUNE, [stream, formatHlc(upTo)]);
    },
    async furthest() {
      const { rows } = await client.query<{ hlc: string | null }>(FURTHEST, [stream]);
      const hlc = rows[0]?.hlc ?? null;
      return hlc === null ? null : parseHlc(hlc);
    },
  };
}

/** A key may be longer than an index takes, and it is a row's value. */
function hashOf(key: Uint8Array): Buffer {
  return createHash('sha256').update(key).digest();
}
