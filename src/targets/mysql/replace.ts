import { planBatches } from '../session/batch.js';
import type { ApplyMutation } from '../target.js';
import type { ApplyColumn } from './apply-shape.js';
import { quoteTable } from './names.js';
import {
  createRowWriter,
  insertSql,
  keysSql,
  keyValues,
  unsentColumns,
  type ApplyTable,
  type RowWriter,
} from './sql.js';
import { deleteKeys, eachPart, MOST_KEYS, runBatch, runRows, type StatementOptions } from './statements.js';
import { readableSql, readValueSql } from './types.js';

/**
 * Writes a set with every row that it changes taken out first, in tables that have a unique key beside the primary key: then a value can pass
 * from one row of the set to another. Nothing but rows of the set is touched. Foreign keys have to be off, or to have nothing to say.
 */
export async function replaceRows(options: StatementOptions, set: readonly ApplyMutation[]): Promise<void> {
  const batches = planBatches(set, Infinity);
  // Children before parents.
  const deletes = batches.filter((batch) => batch.kind === 'delete');
  for (const batch of deletes) await runBatch(options, batch);
  const inserts: Insert[] = [];
  for (const batch of batches) {
    if (batch.kind === 'delete') continue;
    const table = await options.tables.at(batch.table, batch.columns);
    if (!table.shape.contested) continue;
    const writer = createRowWriter(table, batch.columns);
    inserts.push(...(await takeOut(options, table, writer, batch.rows)));
    await deleteKeys(
      options,
      batch.table,
      batch.rows.map(({ key }) => key),
    );
  }
  for (const batch of batches) {
    if (batch.kind === 'delete') continue;
    if (!(await options.tables.at(batch.table, batch.columns)).shape.contested) await runBatch(options, batch);
  }
  for (const { table, columns, rows } of inserts) await runRows(options, insertSql(table, columns), rows);
}

interface Insert {
  readonly table: ApplyTable;
  readonly columns: readonly ApplyColumn[];
  readonly rows: readonly (readonly string[])[];
}

/** The rows as they will come back: where one is there, with its own values of the columns that the source does not send. */
async function takeOut(
  { client }: StatementOptions,
  table: ApplyTable,
  writer: RowWriter,
  changes: readonly ApplyMutation[],
): Promise<readonly Insert[]> {
  const unsent = unsentColumns(table, writer.columns);
  const rows = changes.map(({ after, key }) => writer.values(after ?? key));
  if (unsent.length === 0) return [{ table, columns: writer.columns, rows }];
  const name = quoteTable(table.shape.name);
  const read = unsent.map(
    ({ type, name: column }, i) => `${readableSql(type, `\`${column.replaceAll('`', '``')}\``)} AS c${i}`,
  );
  const kept = new Map<number, readonly string[]>();
  const keys = changes.map(({ key }) => keyValues(table, key));
  for (const part of eachPart([...keys.entries()], KEYS_OF_A_UNION)) {
    // Whoever else writes these rows waits.
    await client.query(
      `SELECT 1 FROM ${name} WHERE ${keysSql(
        table,
        part.map(([, key]) => key),
      )} FOR UPDATE`,
    );
    const selects = part.map(
      ([i, key]) => `(SELECT ${i} AS place, ${read.join(', ')} FROM ${name} WHERE ${keysSql(table, [key])})`,
    );
    const { rows: standing } = await client.query(selects.join(' UNION ALL '));
    for (const row of standing) {
      kept.set(
        Number(row['place']),
        unsent.map(({ type }, i) => readValueSql(type, row[`c${i}`] ?? null)),
      );
    }
  }
  return [
    { table, columns: writer.columns, rows: rows.filter((_, i) => !kept.has(i)) },
    {
      table,
      columns: [...writer.columns, ...unsent],
      rows: rows.flatMap((row, i) => {
        const own = kept.get(i);
        return own === undefined ? [] : [[...row, ...own]];
      }),
    },
  ];
}

const KEYS_OF_A_UNION = Math.min(100, MOST_KEYS);
