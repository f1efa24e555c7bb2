import { keyOf, tableName, tableOf, type RowShape } from './rows.js';

/** Rows of one transaction of the ceiling. */
const BATCH = 20_000;

/** One way of writing rows to a table, in a transaction of its own. */
export interface Form<Text = unknown> {
  /** What the server is sent for these rows, made in advance. */
  texts(table: string, rows: readonly number[], shape: RowShape): readonly Text[];
  run(table: string, texts: readonly Text[]): Promise<unknown>;
}

/**
 * Seconds for the same final rows by a bare loop on one connection: no stage, no checkpoint, no order of time beyond a batch. To find the last row
 * of each key counts, to make the text that is sent does not.
 */
export async function bareLoop(shape: RowShape, form: Form): Promise<number> {
  const transactions: { table: string; texts: readonly unknown[] }[] = [];
  let collapsing = 0;
  for (let from = 0; from < shape.rows; from += BATCH) {
    const began = performance.now();
    const last = Array.from({ length: shape.tables }, () => new Map<number, number>());
    for (let n = from; n < Math.min(shape.rows, from + BATCH); n++) last[tableOf(n, shape)]?.set(keyOf(n, shape), n);
    collapsing += performance.now() - began;
    for (const [number, rows] of last.entries()) {
      const table = tableName(number);
      if (rows.size > 0) transactions.push({ table, texts: form.texts(table, [...rows.values()], shape) });
    }
  }
  const started = performance.now();
  for (const { table, texts } of transactions) await form.run(table, texts);
  return (collapsing + performance.now() - started) / 1000;
}
