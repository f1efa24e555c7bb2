import { Objection } from '../session/objection.js';
import type { Batch } from '../session/batch.js';
import type { ApplyMutation } from '../target.js';
import type { ApplyTables } from './apply-tables.js';
import type { MysqlClient } from './client.js';
import { createRowWriter, deleteSql, keyValues, upsertSql, type AroundRows, type RowWriter } from './sql.js';

export interface StatementOptions {
  readonly client: MysqlClient;
  readonly tables: ApplyTables;
  /** Rows of one statement, at most. */
  readonly flushSize: number;
}

/** Runs one batch, in as few statements as their rows and bytes allow. */
export async function runBatch(options: StatementOptions, batch: Batch): Promise<void> {
  if (batch.kind === 'delete') {
    await deleteKeys(
      options,
      batch.table,
      batch.rows.map(({ key }) => key),
    );
    return;
  }
  const table = await options.tables.at(batch.table, batch.columns);
  const writer = createRowWriter(table, batch.columns);
  await runRows(options, upsertSql(table, writer.columns), valuesOf(writer, batch.rows));
}

function* valuesOf(writer: RowWriter, rows: readonly ApplyMutation[]): Iterable<readonly string[]> {
  for (const { after, key } of rows) yield writer.values(after ?? key);
}

export async function deleteKeys(
  options: StatementOptions,
  number: number,
  keys: readonly Uint8Array[],
): Promise<void> {
  const table = await options.tables.at(number, []);
  for (const part of eachPart(keys, Math.min(options.flushSize, MOST_KEYS)))
    await options.client.query(
      deleteSql(
        table,
        part.map((key) => keyValues(table, key)),
      ),
    );
}

/** Keys of one statement: beyond some thousands, a server may give the index up and read the table. */
export const MOST_KEYS = 1_000;

export function eachPart<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** Runs the statement around these rows, each the SQL of its values. While the server works on some, the next ones are made. */
export async function runRows(
  { client, flushSize }: StatementOptions,
  { before, behind }: AroundRows,
  rows: Iterable<readonly string[]>,
): Promise<void> {
  const most = client.maxAllowedPacket - Buffer.byteLength(before) - Buffer.byteLength(behind) - PACKET_MARGIN;
  let texts: string[] = [];
  let mostRows = Math.min(flushSize, FIRST_ROWS);
  /** At most; they are counted only where that is too many. */
  let bytes = 0;
  let running: Promise<unknown> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await running;
    running = texts.length === 0 ? Promise.resolve() : client.query(`${before}${texts.join(',')}${behind}`);
    texts = [];
    bytes = 0;
    mostRows = Math.min(flushSize, 2 * mostRows);
  };
  try {
    for (const values of rows) {
      const text = `(${values.join(',')})`;
      let size = 3 * text.length + 1;
      if (bytes + size > most) {
        size = Buffer.byteLength(text) + 1;
        if (size > most) throw tooLarge(size, client.maxAllowedPacket);
        bytes = texts.reduce((sum, one) => sum + Buffer.byteLength(one) + 1, 0);
      }
      if (bytes + size > most || texts.length === mostRows) await flush();
      texts.push(text);
      bytes += size;
    }
    await flush();
  } finally {
    await running;
  }
}

const PACKET_MARGIN = 1_024;
/** Each statement may have twice as many rows as the one before: the server waits for the first one. */
const FIRST_ROWS = 500;

/** The server would end the session. */
function tooLarge(size: number, most: number): Objection {
  return new Objection(
    `the row takes ${size} bytes in a statement, more than max_allowed_packet (${most}) lets pass; raise max_allowed_packet on the target`,
    '1153',
    false,
  );
}
