import type { ApplyMutation } from '../target.js';
import type { ApplyTables } from './apply-tables.js';
import { planBatches } from '../session/batch.js';
import { batchDocument } from './batch-document.js';
import type { Objection } from '../session/objection.js';
import { ROWS_TOGETHER } from './lift.js';
import { readKeysSql } from './sql.js';
import { unstorable } from './unstorable.js';

/** Runs a statement and undoes it if it is refused; returns the refusal. */
export type Tried = (sql: string, parameters: readonly Buffer[]) => Promise<Objection | null>;

/**
 * The changes without the deletes whose key no row of the target can have: PostgreSQL could not have kept it. Such a row was refused when it
 * came, and what mends that, changing its key at the source, sends this delete.
 */
export async function withoutImpossibleDeletes(
  tables: ApplyTables,
  changes: readonly ApplyMutation[],
  tried: Tried,
): Promise<readonly ApplyMutation[]> {
  const impossible = new Set<ApplyMutation>();
  for (const batch of planBatches(changes, ROWS_TOGETHER)) {
    if (batch.kind === 'upsert') continue;
    const sql = readKeysSql(await tables.at(batch.table, []), '$1::json');
    const read = (rows: readonly ApplyMutation[]) => tried(sql, [batchDocument({ ...batch, rows })]);
    for (const row of await findImpossible(batch.rows, read)) impossible.add(row);
  }
  return impossible.size === 0 ? changes : changes.filter((change) => !impossible.has(change));
}

async function findImpossible(
  rows: readonly ApplyMutation[],
  read: (rows: readonly ApplyMutation[]) => Promise<Objection | null>,
): Promise<readonly ApplyMutation[]> {
  const refusal = await read(rows);
  if (refusal === null) return [];
  if (rows.length === 1) return rows.filter((row) => isImpossible(row, refusal));
  const middle = rows.length >> 1;
  const first = await findImpossible(rows.slice(0, middle), read);
  return [...first, ...(await findImpossible(rows.slice(middle), read))];
}

/** A key that cannot be read for another reason may be that of a row that is there. */
function isImpossible(row: ApplyMutation, refusal: Objection): boolean {
  return refusal.code === OUT_OF_RANGE || unstorable(JSON.parse(Buffer.from(row.key).toString('utf8'))) !== null;
}

const OUT_OF_RANGE = '22003';
