import { createRowReader, readKey } from '../row-reader.js';
import type { ColumnSet } from '../../domain/mutation.js';
import type { ApplyMutation } from '../target.js';
import type { ApplyColumn } from './apply-shape.js';
import type { Bind } from './client.js';
import { columnOf, deleteStatement, insertStatement, keptStatement, parkStatement, unsentColumns } from './sql.js';
import type { ApplyTable } from './sql.js';
import { runRows, type RefusedRow, type Statements } from './statements.js';
import { keptBind } from './types.js';

/**
 * How values of unique keys pass from row to row within one set, where Oracle checks them row by row:
 * - `park`: every row of the set gives its values up first (they become NULL), and gets its new ones with all others. Nothing that
 *   references the row is touched.
 * - `lift`: where a column takes no NULL, every row is deleted first and inserted again, with the columns that the source does not send.
 */
export type HandOver =
  | { readonly kind: 'park'; readonly columns: readonly ApplyColumn[] }
  | { readonly kind: 'lift'; readonly kept: readonly ApplyColumn[] };

/** How the rows of one column set can hand their unique values over; null: the set has none to pass on, or there is no way. */
export function planHandOver(table: ApplyTable, columns: ColumnSet): HandOver | null {
  const sent = new Set(columns.map((name) => columnOf(table.shape, name)));
  const keys = table.shape.uniqueKeys
    .filter(({ deferred }) => !deferred)
    .map((key) => key.columns.map((name) => table.shape.columns.find((column) => column.name === name) ?? null))
    .filter((key) => key.some((column) => column === null || sent.has(column)));
  if (keys.length === 0) return null;
  const parked = new Set<ApplyColumn>();
  let parkable = true;
  for (const column of keys.flat()) {
    // An index of expressions has columns of Oracle's own.
    if (column === null || column.type.notNull || column.generated || !sent.has(column)) parkable = false;
    else parked.add(column);
  }
  if (parkable) return { kind: 'park', columns: [...parked] };
  // What an action does to the rows that reference a deleted one, no insert undoes.
  if (table.shape.referencedBy.some(({ acts }) => acts)) return null;
  const kept = unsentColumns(table, columns);
  return keptStatement(table, kept) === null ? null : { kind: 'lift', kept };
}

/** Rows that cannot be parked keep what they have: it may yet turn out that nobody wants it. */
export async function park(
  { client }: Statements,
  table: ApplyTable,
  columns: readonly ApplyColumn[],
  rows: readonly ApplyMutation[],
): Promise<void> {
  const statement = parkStatement(table, columns);
  await runRows(client, statement, rows, ({ key }) => statement.bind(readKey(key)));
}

/** What the source does not send of rows that are there; rows that are not are left out. Read before `remove`. */
export type Kept = ReadonlyMap<ApplyMutation, readonly Bind[]>;

export async function readKept(
  { client }: Statements,
  table: ApplyTable,
  kept: readonly ApplyColumn[],
  rows: readonly ApplyMutation[],
): Promise<Kept> {
  const found = new Map<ApplyMutation, readonly Bind[]>();
  const statement = keptStatement(table, kept);
  if (statement === null) return found;
  for (const row of rows) {
    const { rows: texts } = await client.execute(statement.sql, statement.bind(readKey(row.key)), statement.kinds);
    const [text] = texts;
    if (text !== undefined)
      found.set(
        row,
        kept.map(({ type }, i) => keptBind(type, text[`k${i + 1}`] ?? null)),
      );
  }
  return found;
}

export async function remove(
  { client }: Statements,
  table: ApplyTable,
  rows: readonly ApplyMutation[],
): Promise<readonly RefusedRow[]> {
  const statement = deleteStatement(table);
  return runRows(client, statement, rows, ({ key }) => statement.bind(readKey(key)));
}

/** Inserts rows again that `remove` has deleted. */
export async function putBack(
  { client }: Statements,
  table: ApplyTable,
  columns: ColumnSet,
  kept: readonly ApplyColumn[],
  found: Kept,
): Promise<readonly RefusedRow[]> {
  const statement = insertStatement(table, columns, kept);
  const read = createRowReader(columns);
  return runRows(client, statement, [...found.keys()], (row) => [
    ...statement.bind(read(row.after ?? row.key)),
    ...(found.get(row) ?? []),
  ]);
}
