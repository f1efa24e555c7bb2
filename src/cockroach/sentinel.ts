import type { TableName } from '../domain/table.js';
import type { Cockroach } from './client.js';
import { quoteTable } from './quoting.js';

/** Whether the sentinel row has come, or is still there. @throws CockroachError */
export async function hasSentinel(
  cockroach: Cockroach,
  table: TableName,
  id: string,
  signal?: AbortSignal,
): Promise<boolean> {
  // $1 = id
  const sql = `SELECT 1 AS here FROM ${quoteTable(table)} WHERE id = $1`;
  return (await cockroach.query(sql, [id], signal ? { signal } : {})).length > 0;
}

/** For the undo: forward replication is no longer there to bring the deletion. @throws CockroachError */
export async function eraseSentinel(cockroach: Cockroach, table: TableName, id: string): Promise<void> {
  // $1 = id
  await cockroach.query(`DELETE FROM ${quoteTable(table)} WHERE id = $1`, [id]);
}
