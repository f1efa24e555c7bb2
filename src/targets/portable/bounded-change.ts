import type { CheckpointAccess } from './checkpoint-dialect.js';
import { withinTransaction, type SqlParameter } from './sql-client.js';

/** Rows of a table by the key that its primary key begins with. */
export interface ChangedRows {
  /** Quoted. */
  readonly table: string;
  /** SQL with a `?` for each parameter. */
  readonly where: string;
  readonly parameters: readonly SqlParameter[];
}

/**
 * Runs an UPDATE or DELETE of these rows, which waits no longer for their locks than it may (protocol rule 24). What the statement finds is
 * decided by itself: the query before it only waits.
 * @returns how many rows it has found
 */
export async function changeWithin(
  { client, dialect, lockTimeoutMs }: CheckpointAccess,
  rows: ChangedRows,
  sql: string,
  parameters: readonly SqlParameter[],
): Promise<number> {
  if (!dialect.updatesWaitForever) return (await client.query(sql, parameters)).rowCount;
  return withinTransaction(client, async () => {
    const lock = `SELECT 1 FROM ${rows.table} WHERE ${rows.where} ${dialect.forUpdate(lockTimeoutMs)}`;
    await client.query(lock, rows.parameters);
    return (await client.query(sql, parameters)).rowCount;
  });
}
