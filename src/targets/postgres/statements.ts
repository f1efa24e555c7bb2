import type pg from 'pg';
import type { ApplyMutation } from '../target.js';
import type { ApplyTables } from './apply-tables.js';
import { cutBatch, type Batch, type UpsertBatch } from '../session/batch.js';
import { batchDocument } from './batch-document.js';
import { keysDocument, type Lifted } from './lift.js';
import { mergeSql, putBackSql } from './lift-sql.js';
import type { LoadedRows, LoadTables } from './load-tables.js';
import { deleteSql, jsonRows, upsertSql } from './sql.js';

/**
 * Runs one batch as a statement of its own: from a temporary table where it fills one, else from JSON, in parts of `flushSize` rows.
 * $1 = the JSON array of rows or keys.
 */
export async function runBatch(options: BatchOptions, batch: Batch): Promise<void> {
  const { client, tables, flushSize } = options;
  if (batch.kind === 'delete') {
    await client.query(deleteSql(await tables.at(batch.table, []), '$1::json'), [batchDocument(batch)]);
    return;
  }
  const loaded = await fill(options, batch);
  if (loaded !== null) {
    await client.query(upsertSql(loaded.table, batch.columns, loaded.rows, []));
    return;
  }
  const table = await tables.at(batch.table, batch.columns);
  const sql = upsertSql(table, batch.columns, jsonRows('$1::json'), []);
  for (const part of cutBatch(batch, flushSize)) await client.query(sql, [batchDocument(part)]);
}

export interface BatchOptions {
  readonly client: pg.Client;
  readonly tables: ApplyTables;
  /** Null: every row goes as JSON. */
  readonly loads: LoadTables | null;
  readonly flushSize: number;
}

/** Whether the rows of a batch are to go through a temporary table. */
export function isLoaded({ loads }: BatchOptions, { table, columns, rows }: UpsertBatch): boolean {
  return loads?.takes(table, columns, rows.length) ?? false;
}

async function fill(options: BatchOptions, batch: UpsertBatch): Promise<LoadedRows | null> {
  return isLoaded(options, batch) ? (options.loads?.fill(batch) ?? null) : null;
}

/** Runs all batches as one statement: deletes and lifted rows first, then upserts; PostgreSQL checks foreign keys at its end. */
export async function runTogether(
  options: BatchOptions,
  batches: readonly Batch[],
  lifted: Lifted = NOTHING_LIFTED,
): Promise<void> {
  const { client, tables } = options;
  const [only] = batches;
  if (only === undefined) return;
  if (batches.length === 1 && lifted.keys.size === 0) return runBatch(options, only);
  const loaded = new Map<Batch, LoadedRows | null>();
  for (const batch of batches) if (batch.kind === 'upsert') loaded.set(batch, await fill(options, batch));
  const statement = createStatement();
  const gone = await addDeletes(statement, tables, batches, lifted);
  await addUpserts(statement, tables, batches, lifted, gone, loaded);
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
  loaded: ReadonlyMap<Batch, LoadedRows | null> = new Map(),
): Promise<void> {
  for (const batch of batches) {
    if (batch.kind !== 'upsert') continue;
    const filled = loaded.get(batch) ?? null;
    if (filled !== null) {
      statement.add(upsertSql(filled.table, batch.columns, filled.rows, after));
      continue;
    }
    const table = await tables.at(batch.table, batch.columns);
    const document = (rows: readonly ApplyMutation[]): string =>
      `${statement.parameter(batchDocument({ ...batch, rows } satisfies UpsertBatch))}::json`;
    const merged = batch.rows.filter((row) => lifted.was.has(row));
    const whole = merged.length === 0 ? batch.rows : batch.rows.filter((row) => !lifted.was.has(row));
    if (whole.length > 0) statement.add(upsertSql(table, batch.columns, jsonRows(document(whole)), after));
    if (merged.length > 0) {
      const was = merged.map((row) => lifted.was.get(row) ?? '');
      statement.add(mergeSql(table, batch.columns, document(merged), statement.parameter(was), after));
    }
  }
  for (const [number, rows] of lifted.kept) {
    if (rows.length > 0) statement.add(putBackSql(await tables.at(number, []), statement.parameter(rows), after));
  }
}
