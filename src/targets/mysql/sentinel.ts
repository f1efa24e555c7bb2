import type { TableName } from '../../domain/table.js';
import type { Asking } from './introspection.js';
import { quoteTable } from './names.js';

/** Writes the sentinel row once: written again under the same id it is left alone. */
export async function writeSentinel(client: Asking, table: TableName, id: string): Promise<void> {
  // The time is for people who find the row; nothing decides by it (protocol rule 31). Not IGNORE, which lets other errors pass. ? = id
  await client.query(
    `INSERT INTO ${quoteTable(table)} (id, written_at) VALUES (?, NOW(6)) ON DUPLICATE KEY UPDATE id = id`,
    [id],
  );
}

/** @returns whether it was there */
export async function eraseSentinel(client: Asking, table: TableName, id: string): Promise<boolean> {
  // ? = id
  const { rowCount } = await client.query(`DELETE FROM ${quoteTable(table)} WHERE id = ?`, [id]);
  return rowCount !== 0;
}
