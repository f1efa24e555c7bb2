import type pg from 'pg';
import { parseArrayLiteral } from './array-literal.js';
import type { Column, RowShape, RowText } from './encode.js';
import type { Hlc } from './hlc.js';

/** The shape and the name of a table at one version. */
export interface TableVersion {
  readonly tableId: string;
  readonly version: number;
  readonly name: string;
  readonly shape: RowShape;
  /** Places of the key columns in a row, in key order. */
  readonly keyAt: readonly number[];
}

export interface SchemaChange {
  readonly tableId: string;
  readonly version: number;
  readonly change: string;
  readonly at: Hlc;
}

export interface LoggedRow {
  readonly tableId: string;
  readonly version: number;
  readonly op: 'i' | 'u' | 'd' | 't';
  /** The canonical key as PostgreSQL's array text: the same for equal keys. */
  readonly keyText: string;
  readonly before: string | null;
  readonly after: string | null;
  readonly at: Hlc;
}

interface Fetched {
  readonly nanos: string;
  readonly logical: string;
  readonly table_id: string;
  readonly version: string;
  readonly op: string;
  readonly key: string | null;
  readonly before: string | null;
  readonly after: string | null;
}

interface StoredColumn extends Column {
  readonly pk_ordinal: number | null;
  readonly generated: string | null;
}

/** Reads the committed changes of tables out of the backing database's log. */
export interface LogReader {
  /** Changes with from < timestamp <= to in commit order, in the order of their statements within a transaction. */
  changes(tableIds: readonly string[], from: Hlc, to: Hlc): AsyncGenerator<LoggedRow>;
  /** The rows of a table as of a timestamp. */
  scan(tableId: string, at: Hlc): AsyncGenerator<LoggedRow>;
  schemaChanges(tableIds: readonly string[], from: Hlc, to: Hlc): Promise<SchemaChange[]>;
  version(tableId: string, version: number): Promise<TableVersion>;
  /** The number of the version that a table had at a timestamp; null when it was not there. */
  versionAt(tableId: string, at: Hlc): Promise<number | null>;
  /** The greatest GC threshold of the tables with the table that has it; null when nothing was collected. */
  gcThreshold(tableIds: readonly string[]): Promise<{ tableId: string; nanos: bigint } | null>;
}

const FETCH_ROWS = 5_000;
const AS_TEXT = { getTypeParser: () => (value: string) => value };

export function createLogReader(pool: pg.Pool): LogReader {
  const versions = new Map<string, TableVersion>();

  /** Streams a query of any size in constant memory. The client is given back however the reading ends. */
  async function* stream(sql: string, values: readonly unknown[]): AsyncGenerator<LoggedRow> {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN READ ONLY; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off');
      await client.query(`DECLARE changes NO SCROLL CURSOR FOR ${sql}`, [...values]);
      for (;;) {
        const { rows } = await client.query<Fetched>({ text: `FETCH ${FETCH_ROWS} FROM changes`, types: AS_TEXT });
        for (const row of rows) yield logged(row);
        if (rows.length < FETCH_ROWS) return;
      }
    } catch (error) {
      broken = error as Error;
      throw error;
    } finally {
      if (!broken) await client.query('ROLLBACK').catch((error: Error) => (broken = error));
      client.release(broken);
    }
  }

  return {
    // $1 = table ids, $2, $3 = after this nanos and logical, $4, $5 = up to these.
    // The shape leaves the planner nothing but the index on xid, transaction by transaction: a log that grew since it was last
    // analysed would be read whole for each of them.
    changes: (tableIds, from, to) =>
      stream(
        `SELECT t.hlc_nanos AS nanos, t.hlc_logical AS logical, l.table_id, l.version, l.op, l.key, l.before, l.after
           FROM crdb_sim.txn t
           CROSS JOIN LATERAL (SELECT * FROM crdb_sim.log WHERE xid = t.xid AND table_id + 0 = ANY ($1::bigint[]) AND op <> 'b' OFFSET 0) l
          WHERE (t.hlc_nanos, t.hlc_logical) > ($2::bigint, $3::int) AND (t.hlc_nanos, t.hlc_logical) <= ($4::bigint, $5::int)
          ORDER BY t.hlc_nanos, t.hlc_logical, l.id`,
        [tableIds, from.nanos, from.logical, to.nanos, to.logical],
      ),

    // $1 = table id, $2, $3 = as of these nanos and logical. Rows before the last TRUNCATE are gone.
    scan: (tableId, at) =>
      stream(
        `SELECT nanos, logical, table_id, version, op, key, before, after FROM (
           SELECT DISTINCT ON (l.key) t.hlc_nanos AS nanos, t.hlc_logical AS logical, l.*
             FROM crdb_sim.log l JOIN crdb_sim.txn t ON t.xid = l.xid
            WHERE l.table_id = $1 AND (t.hlc_nanos, t.hlc_logical) <= ($2::bigint, $3::int) AND l.op <> 't'
              AND l.id > coalesce((SELECT max(g.id) FROM crdb_sim.log g JOIN crdb_sim.txn u ON u.xid = g.xid
                                    WHERE g.table_id = $1 AND g.op = 't' AND (u.hlc_nanos, u.hlc_logical) <= ($2::bigint, $3::int)), 0)
            ORDER BY l.key, t.hlc_nanos DESC, t.hlc_logical DESC, l.id DESC) last
          WHERE after IS NOT NULL ORDER BY key`,
        [tableId, at.nanos, at.logical],
      ),

    async schemaChanges(tableIds, from, to) {
      // $1 = table ids, $2, $3 = after this nanos and logical, $4, $5 = up to these
      const { rows } = await pool.query<{
        table_id: string;
        version: number;
        change: string;
        nanos: string;
        logical: number;
      }>(
        `SELECT v.table_id::text, v.version, v.change, t.hlc_nanos::text AS nanos, t.hlc_logical AS logical
           FROM crdb_sim.tbl_version v JOIN crdb_sim.txn t ON t.xid = v.xid
          WHERE v.table_id = ANY ($1::bigint[])
            AND (t.hlc_nanos, t.hlc_logical) > ($2::bigint, $3::int) AND (t.hlc_nanos, t.hlc_logical) <= ($4::bigint, $5::int)
          ORDER BY t.hlc_nanos, t.hlc_logical, v.version`,
        [tableIds, from.nanos, from.logical, to.nanos, to.logical],
      );
      return rows.map((row) => ({
        tableId: row.table_id,
        version: row.version,
        change: row.change,
        at: { nanos: BigInt(row.nanos), logical: row.logical },
      }));
    },

    async version(tableId, version) {
      const known = versions.get(`${tableId}/${version}`);
      if (known) return known;
      // $1 = table id, $2 = version
      const { rows } = await pool.query<{ name: string; columns: StoredColumn[] }>(
        'SELECT name, columns FROM crdb_sim.tbl_version WHERE table_id = $1 AND version = $2',
        [tableId, version],
      );
      const row = rows[0];
      if (!row) throw new Error(`table ${tableId} has no version ${version} in crdb_sim.tbl_version`);
      const loaded = tableVersion(tableId, version, row.name, row.columns);
      versions.set(`${tableId}/${version}`, loaded);
      return loaded;
    },

    async versionAt(tableId, at) {
      // $1 = table id, $2, $3 = as of these nanos and logical
      const { rows } = await pool.query<{ version: number }>(
        `SELECT v.version FROM crdb_sim.tbl_version v JOIN crdb_sim.txn t ON t.xid = v.xid
          WHERE v.table_id = $1 AND (t.hlc_nanos, t.hlc_logical) <= ($2::bigint, $3::int)
          ORDER BY v.version DESC LIMIT 1`,
        [tableId, at.nanos, at.logical],
      );
      return rows[0]?.version ?? null;
    },

    async gcThreshold(tableIds) {
      // $1 = table ids
      const { rows } = await pool.query<{ table_id: string; nanos: string }>(
        `SELECT table_id::text, threshold_nanos::text AS nanos FROM crdb_sim.gc
          WHERE table_id = ANY ($1::bigint[]) ORDER BY threshold_nanos DESC LIMIT 1`,
        [tableIds],
      );
      return rows[0] ? { tableId: rows[0].table_id, nanos: BigInt(rows[0].nanos) } : null;
    },
  };
}

function tableVersion(tableId: string, version: number, name: string, stored: readonly StoredColumn[]): TableVersion {
  const columns = stored.map(({ name, type, generated }) => ({ name, type, virtual: generated === 'virtual' }));
  const keyAt = stored
    .flatMap((column, index) => (column.pk_ordinal === null ? [] : [{ index, ordinal: column.pk_ordinal }]))
    .sort((a, b) => a.ordinal - b.ordinal)
    .map(({ index }) => index);
  return {
    tableId,
    version,
    name,
    keyAt,
    shape: { columns, keyColumns: keyAt.flatMap((index) => columns[index] ?? []) },
  };
}

function logged(row: Fetched): LoggedRow {
  return {
    tableId: row.table_id,
    version: Number(row.version),
    op: row.op as LoggedRow['op'],
    keyText: row.key ?? '',
    before: row.before,
    after: row.after,
    at: { nanos: BigInt(row.nanos), logical: Number(row.logical) },
  };
}

/** The values of a logged array; null stays null. */
export function rowText(literal: string | null): RowText | null {
  return literal === null ? null : parseArrayLiteral(literal);
}
