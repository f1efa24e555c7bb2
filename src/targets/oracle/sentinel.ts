import type { TableName } from '../../domain/table.js';
import type { OracleClient } from './client.js';
import { quoteTable } from './names.js';

/** Writes the sentinel row once: written again under the same id it is left alone. */
export async function writeSentinel(client: OracleClient, table: TableName, id: string): Promise<void> {
  // The time is for people who find the row; nothing decides by it (protocol rule 31). :1 = id
  await client.execute(
    `MERGE INTO ${quoteTable(table)} t USING (SELECT :1 AS id FROM DUAL) s ON (t."ID" = s.id)
     WHEN NOT MATCHED THEN INSERT ("ID", "WRITTEN_AT") VALUES (s.id, SYSTIMESTAMP)`,
    [id],
  );
  await client.commit();
}

/** @returns whether it was there */
export async function eraseSentinel(client: OracleClient, table: TableName, id: string): Promise<boolean> {
  // :1 = id
  const { rowCount } = await client.execute(`DELETE FROM ${quoteTable(table)} WHERE "ID" = :1`, [id]);
  await client.commit();
  return rowCount !== 0;
}
