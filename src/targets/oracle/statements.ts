import { createRowReader, readKey } from '../row-reader.js';
import type { Batch } from '../session/batch.js';
import type { ApplyMutation } from '../target.js';
import type { ApplyTables } from './apply-tables.js';
import type { Bind, OracleClient } from './client.js';
import { classifyOracleError, OracleError, RefusedValue } from './errors.js';
import { deleteStatement, upsertStatement, type RowStatement } from './sql.js';

export interface Statements {
  readonly client: OracleClient;
  readonly tables: ApplyTables;
}

/** A row that a statement was refused for, while all others of it were written. */
export interface RefusedRow {
  readonly row: ApplyMutation;
  readonly error: OracleError;
}

/** Writes a batch in one round trip. Returns the rows that are refused. @throws any error that is none of a row's */
export async function runBatch({ client, tables }: Statements, batch: Batch): Promise<readonly RefusedRow[]> {
  if (batch.kind === 'delete') {
    const statement = deleteStatement(await tables.at(batch.table, []));
    return runRows(client, statement, batch.rows, ({ key }) => statement.bind(readKey(key)));
  }
  const statement = upsertStatement(await tables.at(batch.table, batch.columns), batch.columns);
  const read = createRowReader(batch.columns);
  return runRows(client, statement, batch.rows, ({ after, key }) => statement.bind(read(after ?? key)));
}

/** Runs a statement once for each row. */
export async function runRows(
  client: OracleClient,
  { sql, kinds }: RowStatement,
  rows: readonly ApplyMutation[],
  bind: (row: ApplyMutation) => readonly Bind[],
): Promise<readonly RefusedRow[]> {
  const refused: RefusedRow[] = [];
  const sent: ApplyMutation[] = [];
  const binds: (readonly Bind[])[] = [];
  for (const row of rows) {
    try {
      binds.push(bind(row));
      sent.push(row);
    } catch (error) {
      if (!(error instanceof RefusedValue)) throw error;
      refused.push({ row, error: new OracleError(error) });
    }
  }
  if (sent.length === 0) return refused;
  for (const { offset, error } of await client.executeMany(sql, binds, kinds)) {
    const row = sent[offset];
    // A deadlock, or a column that is gone, is told of a row, too.
    if (row === undefined || classifyOracleError(error) !== 'row') throw error;
    refused.push({ row, error: new OracleError(error) });
  }
  return refused;
}
