import type pg from 'pg';
import type { ApplyMutation } from '../target.js';
import type { ApplyTables } from './apply-tables.js';
import { batchDocument, type Batch, type UpsertBatch } from './batch.js';
import { keysDocument, type Lifted } from './lift.js';
import { mergeSql, putBackSql } from './lift-sql.js';
import { deleteSql, upsertSql } from './sql.js';

/** Runs one batch as a statement of its own. $1 = the JSON array of its rows or keys. */
export async function runBatch(client: pg.Client, tables: ApplyTables, batch: Batch): Promise<void> {
  const table = await tables.at(batch.table, batch.kind === 'upsert' ? batch.columns : []);
  const sql = batch.kind === 'upsert' ? upsertSql(table, batch.columns, '$1::json', []) : deleteSql(table, '$1::json');
  await client.query(sql, [batchDocument(batch)]);
}

/** Runs all batches as one statement: deletes and lifted rows first, then upserts; PostgreSQL checks foreign keys at its end. */
export async function runTogether(
  client: pg.Client,
  tables: ApplyTables,
  batches: readonly Batch[],
  lifted: Lifted = NOTHING_LIFTED,
): Promise<void> {
  const [only] = batches;
  if (only === undefined) return;
  if (batches.length === 1 && lifted.keys.size === 0) return runBatch(client, tables, only);
  const statement = createStatement();
  const gone = await addDeletes(statement, tables, batches, lifted);
  await addUpserts(statement, tables, batches, lifted, gone);
  await statement.run(client);
}

/**
 * Runs all batches as two statements: deletes and lifted rows, then upserts and what comes back. What the deletes set in motion (a cascade,
 * a value emptied) is over before the rows come that would be its victims.
 */
export async function runApart(
  client: pg.Client,
  tables: ApplyTables,
  batches: readonly Batch[],
  lifted: Lifted,
): Promise<void> {
  const deletes = createStatement();
  await addDeletes(deletes, tables, batches, lifted);
  await deletes.run(client);
  const upserts = createStatement();
  await addUpserts(upserts, tables, batches, lifted, []);
  await upserts.run(client);
}

const NOTHING_LIFTED: Lifted = { keys: new Map(), kept: new Map(), was: new Map() };

/** One statement of several, as common table expressions. $n = a JSON array or an array of whole rows. */
interface Statement {
  parameter(value: Buffer | string | readonly string[]): string;
  /** Adds a part and returns its name. */
  add(sql: string): string;
  run(client: pg.Client): Promise<void>;
}

function createStatement(): Statement {
  const parameters: (Buffer | string | readonly string[])[] = [];
  const parts: string[] = [];
  return {
    parameter: (value) => `$${parameters.push(value)}`,
    add: (sql) => `part${parts.push(`part${parts.length} AS (${sql} RETURNING 1)`) - 1}`,
    async run(client) {
      if (parts.length > 0) await client.query(`WITH ${parts.join(', ')} SELECT`, parameters);
    },
  };
}

async function addDeletes(
  statement: Statement,
  tables: ApplyTables,
  batches: readonly Batch[],
  lifted: Lifted,
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const batch of batches) {
    if (batch.kind !== 'delete') continue;
    const document = `${statement.parameter(batchDocument(batch))}::json`;
    names.push(statement.add(deleteSql(await tables.at(batch.table, []), document)));
  }
  for (const [number, keys] of lifted.keys) {
    const document = `${statement.parameter(keysDocument(keys))}::json`;
    names.push(statement.add(deleteSql(await tables.at(number, []), document)));
  }
  return names;
}

async function addUpserts(
  statement: Statement,
  tables: ApplyTables,
  batches: readonly Batch[],
  lifted: Lifted,
  after: readonly string[],
): Promise<void> {
  for (const batch of batches) {
    if (batch.kind !== 'upsert') continue;
    const table = await tables.at(batch.table, batch.columns);
    const document = (rows: readonly ApplyMutation[]): string =>
      `${statement.parameter(batchDocument({ ...batch, rows } satisfies UpsertBatch))}::json`;
    const merged = batch.rows.filter((row) => lifted.was.has(row));
    const whole = merged.length === 0 ? batch.rows : batch.rows.filter((row) => !lifted.was.has(row));
    if (whole.length > 0) statement.add(upsertSql(table, batch.columns, document(whole), after));
    if (merged.length > 0) {
      const was = merged.map((row) => lifted.was.get(row) ?? '');
      statement.add(mergeSql(table, batch.columns, document(merged), statement.parameter(was), after));
    }
  }
  for (const [number, rows] of lifted.kept) {
    if (rows.length > 0) statement.add(putBackSql(await tables.at(number, []), statement.parameter(rows), after));
  }
}
