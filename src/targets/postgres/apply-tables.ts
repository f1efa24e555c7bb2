import type pg from 'pg';
import type { ColumnSet } from '../../domain/mutation.js';
import { formatTableName, type StreamPlan, type TableName } from '../../domain/table.js';
import { SchemaMismatchError } from '../failures.js';
import { readApplyShape } from './apply-shape.js';
import { matchName, quoteTable } from './names.js';
import { applyTable, type ApplyTable } from './sql.js';

/** The target's tables by their number in the plan, as the statements need them. */
export interface ApplyTables {
  /**
   * The table, read again from the catalogue when it lacks one of `columns` so far: it may have been altered meanwhile.
   * Call inside a transaction. @throws SchemaMismatchError when there is no such table
   */
  at(table: number, columns: ColumnSet): Promise<ApplyTable>;
  /** The number of a table of the target; null when the stream has no such table. */
  numberOf(name: TableName): number | null;
}

export function createApplyTables(client: pg.Client, plan: StreamPlan): ApplyTables {
  const known = new Map<number, ApplyTable>();
  const numbers = new Map(plan.map(({ target }, number) => [formatTableName(target), number]));
  return {
    numberOf: (name) => numbers.get(formatTableName(name)) ?? null,
    async at(table, columns) {
      const found = known.get(table);
      if (found !== undefined && hasColumns(found, columns)) return found;
      const read = await readTable(client, plan, table);
      known.set(table, read);
      return read;
    },
  };
}

function hasColumns(table: ApplyTable, columns: ColumnSet): boolean {
  return columns.every((name) => matchName(name, table.shape.columns, (column) => column.name) !== null);
}

async function readTable(client: pg.Client, plan: StreamPlan, table: number): Promise<ApplyTable> {
  const planned = plan[table];
  if (planned === undefined) throw new Error(`table number ${table} is not in the plan of ${plan.length} tables`);
  const shape = await readApplyShape(client, planned.target);
  if (shape === null) {
    throw new SchemaMismatchError(
      formatTableName(planned.target),
      null,
      `CREATE TABLE ${quoteTable(planned.target)} as the source has it (the target has no such table), then resume`,
    );
  }
  return applyTable(
    shape,
    planned.keyColumns.map((column) => column.name),
  );
}
