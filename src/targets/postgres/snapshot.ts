import { escapeIdentifier } from 'pg';
import { parseHlc } from '../../domain/hlc.js';
import { formatTableName } from '../../domain/table.js';
import type { TargetSnapshot, TextRow } from '../snapshot.js';
import { connectPostgres, type PostgresConnection } from './client.js';
import { compareSql, keysSql } from './comparison-sql.js';
import { toTargetError } from './errors.js';
import { quoteTable } from './names.js';

/**
 * A page is looked up by the key's index: a hash join would read the whole table for each page. The snapshot may rest while the
 * source is read.
 */
const SESSION_SETTINGS = {
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  idle_in_transaction_session_timeout: '0',
};

/**
 * Opens one read-only REPEATABLE READ transaction on a connection of its own; it ends with `close`.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function openPostgresSnapshot(
  connection: PostgresConnection,
  checkpointSchema: string,
): Promise<TargetSnapshot> {
  const client = await connectPostgres({
    ...connection,
    sessionSettings: { ...SESSION_SETTINGS, ...connection.sessionSettings },
  });

  const run = async <Row>(doing: string, sql: string, values: readonly unknown[]): Promise<readonly Row[]> => {
    try {
      const { rows } = await client.query(sql, [...values]);
      return rows as Row[];
    } catch (error) {
      throw toTargetError(error, doing);
    }
  };
  try {
    // The snapshot is taken by the first statement in it.
    await run('opening a snapshot', 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', []);
    await run('opening a snapshot', 'SELECT 1', []);
  } catch (error) {
    await client.end();
    throw error;
  }

  /** $1 = stream */
  const APPLIED = `SELECT applied::text AS applied FROM ${escapeIdentifier(checkpointSchema)}.checkpoint WHERE stream = $1`;

  return {
    async applied(stream) {
      const [row] = await run<{ applied: string }>('reading the checkpoint row', APPLIED, [stream]);
      return row ? parseHlc(row.applied) : null;
    },
    async compare(table, page) {
      const columns = table.columns.map((_, index) => page.map((row) => row[index] ?? null));
      const rows = await run<{ row: number; missing: boolean; columns: number[] }>(
        `comparing ${formatTableName(table.target)}`,
        compareSql(table),
        columns,
      );
      return {
        missing: rows.filter(({ missing }) => missing).map(({ row }) => row - 1),
        different: rows
          .filter(({ missing }) => !missing)
          .map(({ row, columns }) => ({ row: row - 1, columns: columns.map((position) => position - 1) })),
      };
    },
    async count(table) {
      const sql = `SELECT count(*)::text AS count FROM ${quoteTable(table.target)}`;
      const [row] = await run<{ count: string }>(`counting ${formatTableName(table.target)}`, sql, []);
      return Number(row?.count ?? 0);
    },
    async keys(table, after, limit) {
      const rows = await run<Record<string, string | null>>(
        `listing keys of ${formatTableName(table.target)}`,
        keysSql(table, after !== null),
        [...(after ?? []), limit],
      );
      return rows.map((row): TextRow => Object.values(row));
    },
    close: () => client.end(),
  };
}
