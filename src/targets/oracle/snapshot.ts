import { parseHlc } from '../../domain/hlc.js';
import { formatTableName } from '../../domain/table.js';
import type { ComparedTable, RowDifferences, TargetSnapshot, TextRow } from '../snapshot.js';
import { sameJson } from '../source-json.js';
import { oracleCheckpointDialect } from './checkpoint-dialect.js';
import { connectOracle, type OracleClient, type OracleConnection, type OracleRow } from './client.js';
import { keysSql, placesOfKey, rowsSql } from './comparison-sql.js';
import {
  asSourceReads,
  comparedTypeOf,
  fromSource,
  fromTarget,
  isJson,
  lookupBind,
  type ComparedType,
} from './comparison-values.js';
import { RefusedValue, toTargetError } from './errors.js';
import { quoteTable } from './names.js';

/** Keys of one statement. A list of Oracle's ends at 1,000. */
const KEYS = 500;

/**
 * Opens one read-only transaction on a connection of its own; it ends with `close`. It needs no privilege but SELECT, and undo for as long as
 * it lasts (ORA-01555).
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function openOracleSnapshot(
  connection: OracleConnection,
  checkpointSchema: string,
): Promise<TargetSnapshot> {
  return openSnapshot(await connectOracle(connection), checkpointSchema);
}

/** ... on a connection that is the snapshot's from here on. */
export async function openSnapshot(client: OracleClient, checkpointSchema: string): Promise<TargetSnapshot> {
  const run = async (doing: string, sql: string, binds: readonly string[] = []): Promise<readonly OracleRow[]> => {
    try {
      return (await client.execute(sql, binds)).rows;
    } catch (error) {
      throw toTargetError(error, doing);
    }
  };
  try {
    await run('opening a snapshot', 'SET TRANSACTION READ ONLY');
  } catch (error) {
    await client.close();
    throw error;
  }

  /** :1 = stream */
  const APPLIED = `SELECT ${oracleCheckpointDialect.hlcText('applied')} AS applied
    FROM ${oracleCheckpointDialect.tableName(checkpointSchema, 'checkpoint')} WHERE stream = :1`;

  return {
    async applied(stream) {
      const [row] = await run('reading the checkpoint row', APPLIED, [stream]);
      return row?.applied ? parseHlc(row.applied) : null;
    },
    async compare(table, page) {
      const types = table.columns.map(comparedTypeOf);
      const keyTypes = types.slice(0, table.keyCount);
      const found = new Map<string, TextRow>();
      const keys = page.map((row) => lookup(keyTypes, row)).filter((key) => key !== null);
      for (let from = 0; from < keys.length; from += KEYS) {
        const part = keys.slice(from, from + KEYS);
        const rows = await run(`comparing ${formatTableName(table.target)}`, rowsSql(table, part.length), part.flat());
        for (const row of rows) {
          const texts = types.map((type, place) => read(type, row[`c${place + 1}`]));
          found.set(JSON.stringify(texts.slice(0, table.keyCount)), texts);
        }
      }
      return differences(table, types, page, found);
    },
    async count(table) {
      const sql = `SELECT COUNT(*) AS total FROM ${quoteTable(table.target)}`;
      const [row] = await run(`counting ${formatTableName(table.target)}`, sql);
      return Number(row?.total ?? 0);
    },
    async keys(table, after, limit) {
      const types = table.columns.slice(0, table.keyCount).map(comparedTypeOf);
      const from = after === null ? [] : (lookup(types, after) ?? []);
      const binds = from.length === 0 ? [] : placesOfKey(table.keyCount).map((place) => from[place] ?? '');
      const rows = await run(
        `listing keys of ${formatTableName(table.target)}`,
        keysSql(table, binds.length > 0, limit),
        binds,
      );
      return rows.map((row): TextRow =>
        types.map((type, place) => {
          const text = read(type, row[`c${place + 1}`]);
          return text === null ? null : asSourceReads(type, text);
        }),
      );
    },
    close: () => client.close(),
  };
}

function read(type: ComparedType, shown: string | null | undefined): string | null {
  return shown === null || shown === undefined ? null : fromTarget(type, shown);
}

/** The key's binds; null: the target can have no such row. */
function lookup(types: readonly ComparedType[], row: TextRow): readonly string[] | null {
  const binds: string[] = [];
  try {
    for (const [place, type] of types.entries()) {
      const text = row[place] ?? null;
      const bind = text === null ? null : lookupBind(type, text);
      if (bind === null) return null;
      binds.push(bind);
    }
  } catch (error) {
    if (error instanceof RefusedValue) return null;
    throw error;
  }
  return binds;
}

function differences(
  table: ComparedTable,
  types: readonly ComparedType[],
  page: readonly TextRow[],
  found: ReadonlyMap<string, TextRow>,
): RowDifferences {
  const missing: number[] = [];
  const different: { row: number; columns: number[] }[] = [];
  for (const [position, row] of page.entries()) {
    const sent = types.map((type, place) => {
      const text = row[place] ?? null;
      return text === null ? null : fromSource(type, text);
    });
    const there = found.get(JSON.stringify(sent.slice(0, table.keyCount)));
    if (there === undefined) {
      missing.push(position);
      continue;
    }
    const columns = types.flatMap((type, place) =>
      same(type, sent[place] ?? null, there[place] ?? null) ? [] : [place],
    );
    if (columns.length > 0) different.push({ row: position, columns });
  }
  return { missing, different };
}

function same(type: ComparedType, source: string | null, target: string | null): boolean {
  return isJson(type) ? sameJson(type, source, target) : source === target;
}
