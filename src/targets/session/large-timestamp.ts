import type { AppliedFigures, ApplyMutation, TimestampParts } from '../target.js';
import { planBatches } from './batch.js';
import { Objection } from './objection.js';
import type { SpanWriterOptions } from './span-writer.js';

/**
 * Writes one timestamp that is too large to be held, part by part, inside the caller's transaction: first the upserts, parents before children,
 * as the parts come, then the deletes, children before parents, for which each table is read again. Returns null, with all of it undone, where
 * foreign keys allow no batches or the database objects to a row: only the whole set tells whether it is one of order, and which row is bad.
 */
export async function writeInParts(options: SpanWriterOptions, parts: TimestampParts): Promise<AppliedFigures | null> {
  const written = await options.writer.undoable(
    () => write(options, parts),
    (figures) => figures !== null,
  );
  return written instanceof Objection ? null : written.done;
}

async function write(options: SpanWriterOptions, parts: TimestampParts): Promise<AppliedFigures | null> {
  const upserts = await writeUpserts(options, parts);
  if (upserts === null) return null;
  let deletes = 0;
  for (const table of [...upserts.tablesWithDeletes].sort((a, b) => b - a))
    deletes += await writeDeletes(options, parts, table);
  return { upserts: upserts.rows, deletes, inSourceOrder: false };
}

/** All of the timestamp at once, as large as it is. */
export async function readAll(parts: TimestampParts): Promise<readonly ApplyMutation[]> {
  const all: ApplyMutation[] = [];
  for await (const part of parts(0)) for (const mutation of part) all.push(mutation);
  return all;
}

interface WrittenUpserts {
  readonly rows: number;
  readonly tablesWithDeletes: ReadonlySet<number>;
}

async function writeUpserts(options: SpanWriterOptions, parts: TimestampParts): Promise<WrittenUpserts | null> {
  const tablesWithDeletes = new Set<number>();
  let rows = 0;
  for await (const part of parts(0)) {
    if (!(await options.writer.mayBatch(part))) return null;
    const upserts = part.filter(({ after }) => after !== null);
    for (const { table, after } of part) if (after === null) tablesWithDeletes.add(table);
    await writeBatches(options, upserts);
    rows += upserts.length;
  }
  return { rows, tablesWithDeletes };
}

async function writeDeletes(options: SpanWriterOptions, parts: TimestampParts, table: number): Promise<number> {
  let rows = 0;
  for await (const part of parts(table)) {
    const mine = part.filter((mutation) => mutation.table === table && mutation.after === null);
    await writeBatches(options, mine);
    rows += mine.length;
    if (part.at(-1)?.table !== table) break;
  }
  return rows;
}

async function writeBatches(options: SpanWriterOptions, mutations: readonly ApplyMutation[]): Promise<void> {
  for (const batch of planBatches(mutations, options.flushSize)) await options.writer.writeBatch(batch);
}
