import type { ExtraColumns } from '../../domain/extra-columns.js';
import type { ColumnSet } from '../../domain/mutation.js';
import { formatTableName, type StreamPlan, type TableName } from '../../domain/table.js';
import { SchemaMismatchError } from '../failures.js';
import { readApplyShape } from './apply-shape.js';
import type { OracleClient } from './client.js';
import { quoteTable } from './names.js';
import { applyTable, columnOf, mayLackColumns, type ApplyTable } from './sql.js';

/** The target's tables by their number in the plan, as the statements need them. */
export interface ApplyTables {
  /**
   * The table, read again from the catalogue when it lacks one of `columns` so far: it may have been altered meanwhile. Where it may lack
   * columns, it is read again for each of them once only. @throws SchemaMismatchError when there is no such table
   */
  at(table: number, columns: ColumnSet): Promise<ApplyTable>;
  /** Has every table read again from the catalogue: somebody may have mended one. */
  forget(): void;
  /** The number of a table of the target; null when the stream has no such table. */
  numberOf(name: TableName): number | null;
}

export function createApplyTables(client: OracleClient, plan: StreamPlan, extraColumns: ExtraColumns): ApplyTables {
  const known = new Map<number, ApplyTable>();
  const numbers = new Map(plan.map(({ target }, number) => [formatTableName(target), number]));
  /** Names that a table lacked when it was last read, by the table's number. */
  const lacking = new Map<number, ReadonlySet<string>>();
  return {
    numberOf: (name) => numbers.get(formatTableName(name)) ?? null,
    forget: () => known.clear(),
    async at(table, columns) {
      const found = known.get(table);
      const lacked = lacking.get(table) ?? NONE;
      if (found !== undefined && columns.every((name) => columnOf(found.shape, name) !== null || lacked.has(name)))
        return found;
      const read = await readTable(client, plan, table, extraColumns);
      known.set(table, read);
      if (mayLackColumns(extraColumns))
        lacking.set(table, new Set([...lacked, ...columns].filter((name) => columnOf(read.shape, name) === null)));
      return read;
    },
  };
}

const NONE: ReadonlySet<string> = new Set();

async function readTable(
  client: OracleClient,
  plan: StreamPlan,
  table: number,
  extraColumns: ExtraColumns,
): Promise<ApplyTable> {
  const planned = plan[table];
  if (planned === undefined) throw new Error(`table number ${table} is not in the plan of ${plan.length} tables`);
  const shape = await readApplyShape(client, planned.target);
  if (shape === null) {
    const name = quoteTable(planned.target);
    throw new SchemaMismatchError(
      formatTableName(planned.target),
      null,
      `CREATE TABLE ${name} as the source has it, or GRANT SELECT, INSERT, UPDATE, DELETE ON ${name} to the user (the target has no such table, ` +
        'or the user may not see it), then resume',
    );
  }
  return applyTable(
    shape,
    planned.keyColumns.map((column) => column.name),
    extraColumns,
  );
}
