import type { ApplyMutation } from '../target.js';
import type { Objection } from '../session/objection.js';
import type { Tried } from './impossible-keys.js';
import { columnOf, columnValueSql, type ApplyTable } from './sql.js';
import { unstorable } from './unstorable.js';

/** The column to which the target objects, and why. Holds no value. */
export interface RefusedColumn {
  /** The target's name of it; null: the row as a whole is refused, or nobody can tell. */
  readonly column: string | null;
  readonly reason: string;
}

export interface RefusedRow {
  readonly row: ApplyMutation;
  readonly table: ApplyTable;
  readonly refusal: Objection;
  readonly tried: Tried;
}

/**
 * PostgreSQL names the column of a NULL that is refused, and of no other value: its readers know only the text before them. So the columns of
 * the row are read one by one.
 */
export async function findRefusedColumn(refused: RefusedRow): Promise<RefusedColumn> {
  const { refusal } = refused;
  if (refusal.named.column !== undefined) return { column: refusal.named.column, reason: refusal.message };
  return unstorableColumn(refused) ?? (await unreadableColumn(refused)) ?? { column: null, reason: refusal.message };
}

/** What no text can hold spoils the reading of the whole row, whichever column is asked for. */
function unstorableColumn({ row, table, refusal }: RefusedRow): RefusedColumn | null {
  if (!UNREADABLE_TEXT.includes(refusal.code)) return null;
  const parsed = JSON.parse(Buffer.from(row.after ?? row.key).toString('utf8')) as Record<string, unknown> | unknown[];
  const values = Array.isArray(parsed)
    ? parsed.map((value, i) => [table.key[i]?.name ?? '', value] as const)
    : Object.entries(parsed);
  for (const [name, value] of values) {
    const reason = unstorable(value);
    if (reason !== null) return { column: columnOf(table.shape, name)?.name ?? name, reason };
  }
  return null;
}

/** Untranslatable character, invalid text. */
const UNREADABLE_TEXT: readonly string[] = ['22P05', '22P02'];

async function unreadableColumn({ row, table, tried }: RefusedRow): Promise<RefusedColumn | null> {
  if (row.after === null) return null;
  const document = Buffer.concat([Buffer.from('['), row.after, Buffer.from(']')]);
  for (const name of row.columns ?? []) {
    const column = columnOf(table.shape, name);
    if (column === null || column.generated) continue;
    const refusal = await tried(columnValueSql(column, name, '$1::json'), [document]);
    if (refusal !== null) return { column: column.name, reason: refusal.message };
  }
  return null;
}
