import type pg from 'pg';
import { formatTableName, type StreamPlan } from '../../domain/table.js';
import { findRefused } from '../bad-row-search.js';
import { collapseMutations, splitByTime } from '../collapse.js';
import { BadRowError } from '../failures.js';
import type { AppliedFigures, ApplyMutation } from '../target.js';
import type { ApplyTables } from './apply-tables.js';
import { planBatches } from './batch.js';
import { classifyPostgresError, PostgresError } from './errors.js';
import { coversTable } from './sql.js';
import { runBatch, runTogether } from './statements.js';

export interface SpanWriterOptions {
  readonly client: pg.Client;
  readonly plan: StreamPlan;
  readonly tables: ApplyTables;
  /** Rows of one statement. */
  readonly flushSize: number;
  /** Foreign keys and triggers are off in this transaction. */
  readonly enforcementOff: boolean;
}

/**
 * Writes changes in time order inside the caller's transaction. A span is written as a set: the last change of each key, in few
 * statements. When the database objects (a unique value handed from row to row, a cycle of references, a row it will never take), the set is
 * undone and each half of the span's time written after the other, down to single timestamps: every part then ends in a state in which the
 * source was, which its constraints have allowed.
 * @throws BadRowError for the first row that is refused even so; any other error of the driver as it is
 */
export async function writeSpan(
  options: SpanWriterOptions,
  mutations: readonly ApplyMutation[],
): Promise<AppliedFigures> {
  const collapsed = collapseMutations(mutations);
  const refusal = await attempt(options, () => writeSet(options, collapsed));
  if (refusal === null) return count(collapsed);
  const halves = splitByTime(mutations);
  if (halves === null) {
    await writeTimestamp(options, collapsed);
    return { ...count(collapsed), inSourceOrder: true };
  }
  const first = await writeSpan(options, halves[0]);
  const second = await writeSpan(options, halves[1]);
  return {
    upserts: first.upserts + second.upserts,
    deletes: first.deletes + second.deletes,
    inSourceOrder: true,
  };
}

function count(mutations: readonly ApplyMutation[]): AppliedFigures {
  const upserts = mutations.filter((mutation) => mutation.after !== null).length;
  return { upserts, deletes: mutations.length - upserts, inSourceOrder: false };
}

/**
 * Runs `work` under a savepoint and checks deferred constraints at its end, so that an objection falls on the part that caused it.
 * Returns the row error with which the part was undone. Any other error ends the transaction: after it there may be no live savepoint
 * to go back to (protocol rule 21).
 */
async function attempt({ client }: SpanWriterOptions, work: () => Promise<void>): Promise<PostgresError | null> {
  await client.query('SAVEPOINT part');
  try {
    await work();
    await client.query('SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; RELEASE SAVEPOINT part');
    return null;
  } catch (error) {
    if (classifyPostgresError(error) !== 'row') throw error;
    await client.query('ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part');
    return new PostgresError(error);
  }
}

/** A small set is one statement (one round trip); a large one a statement for each batch. */
async function writeSet(
  { client, tables, flushSize }: SpanWriterOptions,
  set: readonly ApplyMutation[],
): Promise<void> {
  const batches = planBatches(set, flushSize);
  if (set.length <= flushSize) return runTogether(client, tables, batches);
  for (const batch of batches) await runBatch(client, tables, batch);
}

/** The changes of one timestamp, one for each key, after they were refused as a set. */
async function writeTimestamp(options: SpanWriterOptions, changes: readonly ApplyMutation[]): Promise<void> {
  const found = await findRefused(inBatchOrder(options, changes), (part) => writeWhole(options, part));
  if (found === null) return;
  const { item, refusal } = found;
  const table = options.plan[item.table]?.target;
  throw new BadRowError(
    table === undefined ? `table ${item.table}` : formatTableName(table),
    Buffer.from(item.key).toString('utf8').slice(0, SHOWN_KEY_LENGTH),
    refusal.code,
    refusal.message,
    { cause: refusal },
  );
}

const SHOWN_KEY_LENGTH = 500;

function inBatchOrder({ flushSize }: SpanWriterOptions, changes: readonly ApplyMutation[]): readonly ApplyMutation[] {
  return planBatches(changes, flushSize).flatMap((batch) => batch.rows);
}

/**
 * All in one statement, whatever its size: deletes before upserts, and foreign keys are checked at its end, so that cycles and re-pointed
 * children need no order. If unique values are swapped between rows, those rows are deleted and inserted again, where that takes nothing else along.
 */
async function writeWhole(options: SpanWriterOptions, part: readonly ApplyMutation[]): Promise<PostgresError | null> {
  const { client, tables, flushSize } = options;
  const batches = planBatches(part, flushSize);
  const refusal = await attempt(options, () => runTogether(client, tables, batches));
  if (refusal?.code !== UNIQUE_VIOLATION) return refusal;
  const replaced = await replaceableTables(options, part);
  if (replaced.size === 0) return refusal;
  return attempt(options, () => runTogether(client, tables, batches, replaced));
}

const UNIQUE_VIOLATION = '23505';

/** Tables whose rows may be deleted and inserted again: no column would lose its value, and no other row goes with the deleted one. */
async function replaceableTables(
  { tables, enforcementOff }: SpanWriterOptions,
  part: readonly ApplyMutation[],
): Promise<ReadonlySet<number>> {
  const refused = new Set<number>();
  const upserted = new Set<number>();
  for (const { table: number, after, columns } of part) {
    if (after === null || refused.has(number)) continue;
    upserted.add(number);
    const table = await tables.at(number, columns ?? []);
    const cascades = table.shape.deleteCascades && !enforcementOff;
    if (cascades || !coversTable(table, columns ?? [])) refused.add(number);
  }
  return new Set([...upserted].filter((number) => !refused.has(number)));
}
