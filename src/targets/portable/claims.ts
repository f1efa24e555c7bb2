import { formatTableName, type TableName } from '../../domain/table.js';
import type { CheckpointAccess } from './checkpoint-dialect.js';
import { inChunks, placeholders } from './lists.js';
import { inTransaction } from './sql-client.js';

export interface OtherClaim {
  readonly table: TableName;
  readonly run: string;
}

/**
 * Claims each table for the run, or none: the claims of other runs that are in the way are returned (protocol rule 33). Two runs at
 * once: one waits for the other and then sees its claims.
 */
export async function claimTables(
  access: CheckpointAccess,
  run: string,
  tables: readonly TableName[],
): Promise<readonly OtherClaim[]> {
  const { client, dialect, schema } = access;
  /** table, run */
  const insert = `INSERT INTO ${dialect.tableName(schema, 'claim')} (table_name, run) VALUES (?, ?)`;
  try {
    await inTransaction(client, async () => {
      // In one order, so that two runs do not wait for each other.
      for (const name of tables.map(formatTableName).sort()) {
        try {
          await client.query(insert, [name, run]);
        } catch (error) {
          if (!dialect.errors.isDuplicate(error)) throw error;
        }
      }
      const others = await readOtherClaims(access, run, tables);
      if (others.length > 0) throw new ClaimedByOthers(others);
    });
    return [];
  } catch (error) {
    if (error instanceof ClaimedByOthers) return error.claims;
    throw error;
  }
}

/** The claims of other runs on these tables. */
export async function readOtherClaims(
  { client, dialect, schema }: CheckpointAccess,
  run: string,
  tables: readonly TableName[],
): Promise<readonly OtherClaim[]> {
  const runOf = new Map<string, string>();
  for (const names of inChunks(tables.map(formatTableName))) {
    /** tables */
    const read = `SELECT table_name, run FROM ${dialect.tableName(schema, 'claim')} WHERE table_name IN (${placeholders(names.length)})`;
    for (const claim of (await client.query(read, names)).rows)
      runOf.set(claim['table_name'] ?? '', claim['run'] ?? '');
  }
  return tables.flatMap((table) => {
    const holder = runOf.get(formatTableName(table));
    return holder === undefined || holder === run ? [] : [{ table, run: holder }];
  });
}

/** Ends the transaction that has met others' claims. */
class ClaimedByOthers extends Error {
  constructor(readonly claims: readonly OtherClaim[]) {
    super('claimed by other runs');
  }
}
