import { parseHlc } from '../../domain/hlc.js';
import { formatTableName } from '../../domain/table.js';
import { sameJson } from '../source-json.js';
import type { RowDifferences, TargetSnapshot, TextRow } from '../snapshot.js';
import type { SqlResult } from '../portable/sql-client.js';
import { mysqlCheckpointDialect } from './checkpoint-dialect.js';
import { connectMysql, type MysqlConnection } from './client.js';
import { compareSql, keysSql, placesOfKey } from './comparison-sql.js';
import { asSourceReads, asTargetShows, comparedTypeOf, isJson, type ComparedType } from './comparison-values.js';
import { toTargetError } from './errors.js';
import { quoteTable } from './names.js';

/** A statement has a fourth of a packet at most for its rows: quotes double on their way. */
const PART_OF_PACKET = 4;
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Opens one read-only REPEATABLE READ transaction on a connection of its own; it ends with `close`.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function openMysqlSnapshot(
  connection: MysqlConnection,
  checkpointSchema: string,
): Promise<TargetSnapshot> {
  const client = await connectMysql(connection);
  const run = async (doing: string, sql: string, values: readonly (string | null)[]): Promise<SqlResult['rows']> => {
    try {
      return (await client.query(sql, values)).rows;
    } catch (error) {
      throw toTargetError(error, doing);
    }
  };
  try {
    await run('opening a snapshot', 'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ', []);
    await run('opening a snapshot', 'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY', []);
  } catch (error) {
    await client.close();
    throw error;
  }
  const mostBytes = Math.min(MOST_BYTES, Math.floor(client.maxAllowedPacket / PART_OF_PACKET));

  /** stream */
  const APPLIED = `SELECT ${mysqlCheckpointDialect.hlcText('applied')} AS applied
    FROM ${mysqlCheckpointDialect.tableName(checkpointSchema, 'checkpoint')} WHERE stream = ?`;

  return {
    async applied(stream) {
      const [row] = await run('reading the checkpoint row', APPLIED, [stream]);
      return row?.['applied'] ? parseHlc(row['applied']) : null;
    },
    async compare(table, page) {
      const types = table.columns.map(comparedTypeOf);
      const sql = compareSql(table);
      const parts: RowDifferences[] = [];
      for (const { from, texts } of cut(types, page, mostBytes)) {
        const rows = await run(`comparing ${formatTableName(table.target)}`, sql, [`[${texts.join(',')}]`]);
        parts.push(readDifferences(types, page, from, rows));
      }
      return {
        missing: parts.flatMap(({ missing }) => missing),
        different: parts.flatMap(({ different }) => different),
      };
    },
    async count(table) {
      const sql = `SELECT count(*) AS total FROM ${quoteTable(table.target)}`;
      const [row] = await run(`counting ${formatTableName(table.target)}`, sql, []);
      return Number(row?.['total'] ?? 0);
    },
    async keys(table, after, limit) {
      const types = table.columns.slice(0, table.keyCount).map(comparedTypeOf);
      const from = after === null ? [] : placesOfKey(table.keyCount).map((place) => shownAt(types, after, place));
      const rows = await run(
        `listing keys of ${formatTableName(table.target)}`,
        keysSql(table, after !== null, limit),
        from,
      );
      return rows.map((row): TextRow =>
        types.map((type, index) => {
          const shown = row[`k${index + 1}`] ?? null;
          return shown === null ? null : asSourceReads(type, shown);
        }),
      );
    },
    close: () => client.close(),
  };
}

function shownAt(types: readonly ComparedType[], row: TextRow, place: number): string | null {
  const [type, text] = [types[place], row[place] ?? null];
  return type === undefined || text === null ? null : asTargetShows(type, text);
}

interface Part {
  /** Position of its first row in the page. */
  readonly from: number;
  /** Each row as JSON. */
  readonly texts: readonly string[];
}

/** The page in statements that a packet holds. */
function cut(types: readonly ComparedType[], page: readonly TextRow[], mostBytes: number): readonly Part[] {
  const parts: { from: number; texts: string[]; bytes: number }[] = [];
  page.forEach((row, position) => {
    const text = JSON.stringify(types.map((_, place) => shownAt(types, row, place)));
    const bytes = Buffer.byteLength(text) + 1;
    const last = parts.at(-1);
    if (last === undefined || last.bytes + bytes > mostBytes) parts.push({ from: position, texts: [text], bytes });
    else {
      last.texts.push(text);
      last.bytes += bytes;
    }
  });
  return parts;
}

/** What the server has found of a part. Texts of JSON that differ may still mean the same. */
function readDifferences(
  types: readonly ComparedType[],
  page: readonly TextRow[],
  from: number,
  rows: SqlResult['rows'],
): RowDifferences {
  const positionOf = (row: SqlResult['rows'][number]): number => from + Number(row['place']) - 1;
  const [absent, present] = [
    rows.filter((row) => row['missing'] === '1'),
    rows.filter((row) => row['missing'] !== '1'),
  ];
  const different = present.map((row) => {
    const sent = page[positionOf(row)] ?? [];
    const places = (row['differing'] ?? '').split(',').filter(Boolean);
    const columns = places
      .map((place) => Number(place) - 1)
      .filter((place) => {
        const type = types[place];
        if (type === undefined || !isJson(type)) return true;
        return !sameJson(type, sent[place] ?? null, row[`j${place + 1}`] ?? null);
      });
    return { row: positionOf(row), columns };
  });
  return { missing: absent.map(positionOf), different: different.filter(({ columns }) => columns.length > 0) };
}
