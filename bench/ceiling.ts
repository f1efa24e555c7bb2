import type pg from 'pg';
import { COLUMN_NAMES, COLUMN_TYPES, documentOf, keyOf, tableName, tableOf, valuesOf, type RowShape } from './rows.js';

/** Rows of one statement of the ceiling. */
const BATCH = 20_000;
const NAMES = COLUMN_NAMES.join();
const UPDATED = COLUMN_NAMES.filter((name) => name !== 'id').map((name) => `${name} = excluded.${name}`);
const ON_CONFLICT = `ON CONFLICT (id) DO UPDATE SET ${UPDATED.join()}`;

interface Form {
  /** The rows of one statement, as the server is sent them. */
  readonly text: (rows: readonly number[], shape: RowShape) => Buffer;
  readonly run: (client: pg.Client, table: string, text: Buffer) => Promise<unknown>;
}

/** The set-based statements that may be the best on this server. */
export const FORMS: Readonly<Record<string, Form>> = {
  json_to_recordset: {
    text: (rows, shape) => Buffer.from(`[${rows.map((n) => documentOf(valuesOf(n, shape))).join()}]`),
    run: (client, table, text) =>
      client.query(
        `INSERT INTO ${table} (${NAMES}) SELECT ${NAMES} FROM json_to_recordset($1::json) AS r(${COLUMN_TYPES}) ${ON_CONFLICT}`,
        [text],
      ),
  },
  'COPY and merge': {
    text: (rows, shape) => Buffer.from(`${rows.map((n) => valuesOf(n, shape).join('\t')).join('\n')}\n`),
    async run(client, table, text) {
      await client.query('BEGIN');
      await copyIn(client, `COPY pg_temp.bench_in (${NAMES}) FROM STDIN`, text);
      await client.query(
        `INSERT INTO ${table} (${NAMES}) SELECT ${NAMES} FROM pg_temp.bench_in ${ON_CONFLICT}; COMMIT`,
      );
    },
  },
};

/**
 * Seconds for the same final rows by a bare loop on one connection: no stage, no checkpoint, no order of time beyond a batch. To find the last row
 * of each key counts, to make the text that is sent does not.
 */
export async function bareLoop(client: pg.Client, shape: RowShape, form: Form): Promise<number> {
  await client.query(`CREATE TEMP TABLE IF NOT EXISTS bench_in (${COLUMN_TYPES}) ON COMMIT DELETE ROWS`);
  const statements: { table: string; text: Buffer }[] = [];
  let collapsing = 0;
  for (let from = 0; from < shape.rows; from += BATCH) {
    const began = performance.now();
    const last = Array.from({ length: shape.tables }, () => new Map<number, number>());
    for (let n = from; n < Math.min(shape.rows, from + BATCH); n++) last[tableOf(n, shape)]?.set(keyOf(n, shape), n);
    collapsing += performance.now() - began;
    for (const [table, rows] of last.entries())
      if (rows.size > 0) statements.push({ table: tableName(table), text: form.text([...rows.values()], shape) });
  }
  const started = performance.now();
  for (const { table, text } of statements) await form.run(client, table, text);
  return (collapsing + performance.now() - started) / 1000;
}

/** The protocol's COPY of one block of text. */
async function copyIn(client: pg.Client, sql: string, data: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const nothing = (): void => undefined;
    const submitted = {
      submit: (connection: { query(text: string): void }) => connection.query(sql),
      handleError: reject,
      handleCopyInResponse(connection: { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void }) {
        connection.sendCopyFromChunk(data);
        connection.endCopyFrom();
      },
      handleReadyForQuery: () => resolve(),
      handleCommandComplete: nothing,
      handleRowDescription: nothing,
      handleDataRow: nothing,
      handlePortalSuspended: nothing,
      handleEmptyQuery: nothing,
      handleCopyData: nothing,
    };
    client.query(submitted as unknown as pg.Submittable);
  });
}
