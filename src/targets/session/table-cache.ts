import type { ColumnSet } from '../../domain/mutation.js';
import { formatTableName, type StreamPlan, type StreamTable, type TableName } from '../../domain/table.js';
import { SchemaMismatchError } from '../failures.js';

/** The target's tables by their number in the plan, as the statements need them. */
export interface TableCache<Table> {
  /**
   * The table, read again from the catalogue when it lacks one of `columns` so far: it may have been altered meanwhile. Where it may lack
   * columns, it is read again for each of them once only.
   * Call inside a transaction. @throws SchemaMismatchError when there is no such table
   */
  at(table: number, columns: ColumnSet): Promise<Table>;
  /** Has every table read again from the catalogue: somebody may have mended one. */
  forget(): void;
  /** The number of a table of the target; null when the stream has no such table. */
  numberOf(name: TableName): number | null;
}

/** How a dialect reads a table. */
export interface TableReading<Table> {
  /** Null: there is no such table. @throws SchemaMismatchError */
  read(planned: StreamTable): Promise<Table | null>;
  hasColumn(table: Table, name: string): boolean;
  /** What a person does about a table that is not there. */
  whenMissing(name: TableName): string;
  /** What the target lacks is left out or collected. */
  readonly mayLackColumns: boolean;
}

export function createTableCache<Table>(plan: StreamPlan, reading: TableReading<Table>): TableCache<Table> {
  const known = new Map<number, Table>();
  const numbers = new Map(plan.map(({ target }, number) => [formatTableName(target), number]));
  /** Names that a table lacked when it was last read, by the table's number. */
  const lacking = new Map<number, ReadonlySet<string>>();
  return {
    numberOf: (name) => numbers.get(formatTableName(name)) ?? null,
    forget: () => known.clear(),
    async at(table, columns) {
      const found = known.get(table);
      const lacked = lacking.get(table) ?? NONE;
      if (found !== undefined && columns.every((name) => reading.hasColumn(found, name) || lacked.has(name)))
        return found;
      const read = await readPlanned(plan, table, reading);
      known.set(table, read);
      if (reading.mayLackColumns)
        lacking.set(table, new Set([...lacked, ...columns].filter((name) => !reading.hasColumn(read, name))));
      return read;
    },
  };
}

const NONE: ReadonlySet<string> = new Set();

async function readPlanned<Table>(plan: StreamPlan, table: number, reading: TableReading<Table>): Promise<Table> {
  const planned = plan[table];
  if (planned === undefined) throw new Error(`table number ${table} is not in the plan of ${plan.length} tables`);
  const read = await reading.read(planned);
  if (read !== null) return read;
  const { target } = planned;
  throw new SchemaMismatchError(formatTableName(target), null, reading.whenMissing(target));
}
