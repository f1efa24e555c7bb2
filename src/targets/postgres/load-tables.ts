import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import type { ColumnSet } from '../../domain/mutation.js';
import type { ApplyMutation } from '../target.js';
import type { ApplyTables } from './apply-tables.js';
import type { UpsertBatch } from '../session/batch.js';
import { copyIn } from './copy-in.js';
import { createCopyWriter, type CopyWriter } from './copy-text.js';
import { classifyPostgresError } from './errors.js';
import { loadedRows, recordColumns, type ApplyTable, type RowSource } from './sql.js';
import { inTransaction, sqlState } from './transaction.js';

/**
 * Temporary tables of the session into which rows go by COPY, one for each table and column set that has come in large numbers. They are made
 * before a window's transaction, never in it (protocol rule 21). What earlier transactions have left in them is told apart by a column, and thrown
 * away once in a while. What cannot be made is done without.
 */
export interface LoadTables {
  /** Makes what the changes of the next transaction can use. Call outside of a transaction. */
  prepare(mutations: readonly ApplyMutation[]): Promise<void>;
  /** True when so many rows of the table and column set should be filled in at once. */
  takes(table: number, columns: ColumnSet, rows: number): boolean;
  /** Sends the rows of a batch; at most once in a transaction for a table and column set. Null: they must go as JSON. */
  fill(batch: UpsertBatch): Promise<LoadedRows | null>;
}

export interface LoadedRows {
  /** The target's table as the rows were loaded for it. It may be read again before they are written. */
  readonly table: ApplyTable;
  readonly rows: RowSource;
}

/** Below, the rows are written as quickly from JSON (docs/decisions.md). */
const FEWEST_ROWS = 2_000;
/** Each is some ten rows of the catalogue, which go with the session. */
const MOST_TABLES = 64;
/** Rows that transactions may leave in a table: reading past them costs less than to empty it each time. */
const MOST_LEFT = 10_000;
const CHUNK_BYTES = 262_144;

interface LoadTable {
  /** What the target's table was like. */
  readonly of: ApplyTable;
  readonly name: string;
  readonly copy: string;
  readonly writer: CopyWriter;
  /** Rows sent since it was empty. */
  left: number;
}

export function createLoadTables(client: pg.Client, tables: ApplyTables, fewestRows = FEWEST_ROWS): LoadTables {
  /** By the table's number. Null: none can be made. */
  const known = new Map<number, Map<ColumnSet, LoadTable | null>>();
  let made = 0;

  const find = (table: number, columns: ColumnSet): LoadTable | null | undefined => known.get(table)?.get(columns);
  const keep = (table: number, columns: ColumnSet, load: LoadTable | null): void => {
    const ofTable = known.get(table);
    if (ofTable === undefined) known.set(table, new Map([[columns, load]]));
    else ofTable.set(columns, load);
  };

  async function make(table: number, columns: ColumnSet): Promise<void> {
    const of = await tables.at(table, columns);
    const plan = planLoad(of, columns);
    if (plan === null) return keep(table, columns, null);
    const name = `pg_temp.failback_load_${++made}`;
    await client.query(
      `CREATE TEMPORARY TABLE ${name} (${plan.definition}, ${FILLED_BY} bigint DEFAULT txid_current())`,
    );
    keep(table, columns, {
      of,
      name,
      copy: `COPY ${name} (${plan.columns}) FROM STDIN (FORMAT text, ENCODING 'UTF8')`,
      writer: plan.writer,
      left: 0,
    });
  }

  /** Outside of a transaction: each gets a new file with the commit. */
  async function emptyFull(): Promise<void> {
    const full = [...known.values()].flatMap((ofTable) => [...ofTable.values()]).filter((load) => isFull(load));
    if (full.length === 0) return;
    await client.query(`TRUNCATE ${full.map(({ name }) => name).join(', ')}`);
    for (const load of full) load.left = 0;
  }

  return {
    async prepare(mutations) {
      await emptyFull();
      for (const [table, columns] of large(mutations, fewestRows)) {
        if (made >= MOST_TABLES || find(table, columns) !== undefined) continue;
        try {
          await inTransaction(client, () => make(table, columns));
        } catch (error) {
          if (classifyPostgresError(error) === 'transient') throw error;
          // The role may make none here, or the target has no such table: the window's own statements tell what matters.
          keep(table, columns, null);
          if (sqlState(error) === NO_PRIVILEGE) made = MOST_TABLES;
        }
      }
    },
    takes: (table, columns, rows) => rows >= fewestRows && Boolean(find(table, columns)),
    async fill({ table, columns, rows }) {
      const load = find(table, columns);
      if (!load) return null;
      if (load.of !== (await tables.at(table, columns))) {
        // The target's table has been altered: a new one is made before the next transaction.
        known.get(table)?.delete(columns);
        return null;
      }
      load.left += rows.length;
      let whole = true;
      const chunks = copyChunks(load.writer, rows, () => (whole = false));
      await copyIn(client, load.copy, () => {
        const chunk = chunks.next();
        return chunk.done === true ? null : chunk.value;
      });
      return whole ? { table: load.of, rows: loadedRows(ofThisTransaction(load.name)) } : null;
    },
  };
}

const NO_PRIVILEGE = '42501';
/** Which transaction has filled a row in; a row of one that was rolled back is not there. */
const FILLED_BY = 'failback_filled_by';

function isFull(load: LoadTable | null): load is LoadTable {
  return load !== null && load.left >= MOST_LEFT;
}

function ofThisTransaction(name: string): string {
  return `(SELECT * FROM ${name} WHERE ${FILLED_BY} = txid_current())`;
}

/** The tables and column sets of which there are so many upserts. */
function large(mutations: readonly ApplyMutation[], fewest: number): readonly (readonly [number, ColumnSet])[] {
  if (mutations.length < fewest) return [];
  const counts = new Map<number, Map<ColumnSet, number>>();
  for (const { table, columns } of mutations) {
    if (columns === null) continue;
    let ofTable = counts.get(table);
    if (ofTable === undefined) counts.set(table, (ofTable = new Map<ColumnSet, number>()));
    ofTable.set(columns, (ofTable.get(columns) ?? 0) + 1);
  }
  return [...counts].flatMap(([table, ofTable]) =>
    [...ofTable].filter(([, count]) => count >= fewest).map(([columns]) => [table, columns] as const),
  );
}

interface LoadPlan {
  readonly definition: string;
  /** In the order of the rows' JSON. */
  readonly columns: string;
  readonly writer: CopyWriter;
}

/** Null: a column's type is not one that COPY's text is simple for. */
function planLoad(table: ApplyTable, columns: ColumnSet): LoadPlan | null {
  const types = new Map(recordColumns(table, columns).map(({ name, type }) => [name, type]));
  if ([...types.values()].some((type) => !isSimple(type))) return null;
  const given = columns.filter((name) => types.has(name));
  const quoted = given.map((name) => escapeIdentifier(name));
  return {
    definition: given.map((name, i) => `${quoted[i]} ${types.get(name)}`).join(', '),
    columns: quoted.join(', '),
    writer: createCopyWriter(
      columns,
      columns.map((name) => {
        const type = types.get(name);
        if (type === undefined) return 'left out';
        return type === 'json' || type === 'jsonb' ? 'json' : 'text';
      }),
    ),
  };
}

/**
 * PostgreSQL's own types but for arrays, whose text is not JSON's. A type of somebody's would depend on the temporary table, and could not be
 * dropped or altered as long as the session lives.
 */
function isSimple(type: string): boolean {
  return !/[.[]/.test(type);
}

function* copyChunks(
  writer: CopyWriter,
  rows: readonly ApplyMutation[],
  giveUp: () => void,
): Generator<Uint8Array, void> {
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let end = 0;
  for (const { after } of rows) {
    if (after === null) continue;
    const most = writer.mostBytes(after);
    if (end + most > chunk.length) {
      if (end > 0) yield chunk.subarray(0, end);
      chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, most));
      end = 0;
    }
    const next = writer.write(after, chunk, end);
    if (next < 0) return giveUp();
    end = next;
  }
  if (end > 0) yield chunk.subarray(0, end);
}
