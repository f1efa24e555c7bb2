import type pg from 'pg';
import type { TableName } from '../../domain/table.js';
import { quoteTable } from './names.js';

/** Writes the sentinel row once: written again under the same id it is left alone. */
export async function writeSentinel(client: pg.Client, table: TableName, id: string): Promise<void> {
  // The time is for people who find the row; nothing decides by it (protocol rule 31). $1 = id
  await client.query(
    `INSERT INTO ${quoteTable(table)} (id, written_at) VALUES ($1, now()) ON CONFLICT (id) DO NOTHING`,
    [id],
  );
}

/** @returns whether it was there */
export async function eraseSentinel(client: pg.Client, table: TableName, id: string): Promise<boolean> {
  // $1 = id
  const { rowCount } = await client.query(`DELETE FROM ${quoteTable(table)} WHERE id = $1`, [id]);
  return rowCount !== 0;
}
