import type pg from 'pg';
import type { ApplyTables } from './apply-tables.js';
import { batchDocument, type Batch, type UpsertBatch } from './batch.js';
import { deleteSql, upsertSql } from './sql.js';

/** Runs one batch as a statement of its own. $1 = the JSON array of its rows or keys. */
export async function runBatch(client: pg.Client, tables: ApplyTables, batch: Batch): Promise<void> {
  const table = await tables.at(batch.table, batch.kind === 'upsert' ? batch.columns : []);
  const sql = batch.kind === 'upsert' ? upsertSql(table, batch.columns, '$1::json', []) : deleteSql(table, '$1::json');
  await client.query(sql, [batchDocument(batch)]);
}

/**
 * Runs all batches as one statement: deletes first, then upserts; PostgreSQL checks foreign keys at its end. Rows of the tables in
 * `replaced` are deleted before they are inserted. $n = the JSON array of the n-th batch.
 */
export async function runTogether(
  client: pg.Client,
  tables: ApplyTables,
  batches: readonly Batch[],
  replaced: ReadonlySet<number> = new Set(),
): Promise<void> {
  const [only] = batches;
  if (only === undefined) return;
  if (batches.length === 1 && replaced.size === 0) return runBatch(client, tables, only);
  const parameters: Buffer[] = [];
  const addParameter = (document: Buffer): string => `$${parameters.push(document)}::json`;
  const deletes: string[] = [];
  for (const batch of batches) {
    if (batch.kind === 'upsert' && !replaced.has(batch.table)) continue;
    const table = await tables.at(batch.table, []);
    const keys = addParameter(batchDocument({ kind: 'delete', table: batch.table, rows: batch.rows }));
    deletes.push(`gone${deletes.length} AS (${deleteSql(table, keys)} RETURNING 1)`);
  }
  const after = deletes.map((_, i) => `gone${i}`);
  const upserts: string[] = [];
  for (const batch of batches.filter((candidate): candidate is UpsertBatch => candidate.kind === 'upsert')) {
    const table = await tables.at(batch.table, batch.columns);
    const rows = addParameter(batchDocument(batch));
    upserts.push(`kept${upserts.length} AS (${upsertSql(table, batch.columns, rows, after)})`);
  }
  await client.query(`WITH ${[...deletes, ...upserts].join(', ')} SELECT`, parameters);
}
