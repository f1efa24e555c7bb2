import type pg from 'pg';
import { formatTableName, type StreamPlan } from '../../domain/table.js';
import { findRefused } from '../bad-row-search.js';
import { collapseMutations, splitByTime } from '../collapse.js';
import { BadRowError, TargetRefusedError } from '../failures.js';
import type { AppliedFigures, ApplyMutation } from '../target.js';
import type { Reference } from './apply-shape.js';
import type { ApplyTables } from './apply-tables.js';
import { planBatches } from './batch.js';
import { classifyPostgresError, PostgresError } from './errors.js';
import { type Tried, withoutImpossibleDeletes } from './impossible-keys.js';
import { findContested, liftAlone, liftWithReferencing, ROWS_TOGETHER } from './lift.js';
import { findRefusedColumn } from './refused-column.js';
import { runApart, runBatch, runTogether } from './statements.js';
import { findWays } from './ways.js';

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
 * statements. When the database objects to every way of writing the set (to a row that it will never take), the set is undone and
 * each half of the span's time written after the other, down to single timestamps: every part then ends in a state in which the
 * source was, which its constraints have allowed.
 * @throws BadRowError for the first row that is refused even so; any other error of the driver as it is
 */
export async function writeSpan(
  options: SpanWriterOptions,
  mutations: readonly ApplyMutation[],
): Promise<AppliedFigures> {
  const collapsed = collapseMutations(mutations);
  const halves = splitByTime(mutations);
  const outcome = await writeSet(options, collapsed, halves === null ? Infinity : MOST_LIFTED);
  if (outcome === 'written') return count(collapsed);
  if (halves === null) {
    await finishTimestamp(options, collapsed, outcome);
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

/** Beyond so many rows to be lifted with all that reference them, half of the time is tried: the values may pass one after the other. */
const MOST_LIFTED = 10_000;

function count(mutations: readonly ApplyMutation[]): AppliedFigures {
  const upserts = mutations.filter((mutation) => mutation.after !== null).length;
  return { upserts, deletes: mutations.length - upserts, inSourceOrder: false };
}

/** What became of a set: written, or undone because of an error that concerns its rows; `no way` where none was tried. */
type Outcome = 'written' | PostgresError | 'no way';

/**
 * The set leads from one state of the source to another, both valid, so that there is a way to write it whatever the constraints. They are
 * tried from the cheapest on, as long as the objection is one of order:
 * 1. In batches; a small set in one statement, deletes before upserts.
 * 2. In one statement, whatever the size: foreign keys are checked at its end, so that rings and re-pointed children need no order. Rows
 *    whose unique values change are deleted in it and inserted again, where nothing happens to the rows that reference them.
 * 3. In two statements: first all those rows are deleted with all that reference them, then all is inserted.
 */
async function writeSet(options: SpanWriterOptions, set: readonly ApplyMutation[], most: number): Promise<Outcome> {
  const { client, tables, flushSize, enforcementOff } = options;
  const referencesOf = referencesIn(options);
  const ways = await findWays(tables, set, referencesOf);
  const batches = planBatches(set, flushSize);
  const small = ways.together && set.length <= flushSize;
  let outcome: Outcome = 'no way';
  if (small) {
    outcome = await attempt(options, () => runTogether(client, tables, batches));
  } else if (ways.inBatches) {
    outcome = await attempt(options, async () => {
      for (const batch of batches) await runBatch(client, tables, batch);
    });
  }
  if (!mayBeOrder(outcome)) return outcome;

  const all = planBatches(set, ROWS_TOGETHER);
  const lifting = { client, tables, referencesOf };
  const found = await undoable(options, () => findContested(lifting, set));
  if (found instanceof PostgresError) return found;
  const contested = found.done;
  if (ways.mayReplace(contested.keys()) && !(small && contested.size === 0)) {
    outcome = await attempt(options, async () =>
      runTogether(client, tables, all, await liftAlone(lifting, set, contested)),
    );
    if (!mayBeOrder(outcome)) return outcome;
  }
  if (enforcementOff) return outcome;
  const looked = await undoable(options, () => liftWithReferencing(lifting, set, contested, most));
  if (looked instanceof PostgresError) return looked;
  const lifted = looked.done;
  return lifted === null ? outcome : attempt(options, () => runApart(client, tables, all, lifted));
}

/** The foreign keys that have to be minded; none while they are off. */
export function referencesIn({
  tables,
  enforcementOff,
}: SpanWriterOptions): (table: number) => Promise<readonly Reference[]> {
  return async (table) => (enforcementOff ? [] : (await tables.at(table, [])).shape.referencedBy);
}

/** True for objections to what other rows hold at the moment, or do not hold yet: of foreign keys, unique and exclusion constraints. */
function mayBeOrder(outcome: Outcome): boolean {
  if (outcome === 'written') return false;
  return outcome === 'no way' || ORDER_CODES.has(outcome.code);
}

const ORDER_CODES: ReadonlySet<string> = new Set([
  '23001', // RESTRICT
  '23503', // foreign key
  '23505', // unique
  '23P01', // exclusion
]);

/** Runs `work` as `undoable` does. */
async function attempt(options: SpanWriterOptions, work: () => Promise<void>): Promise<Exclude<Outcome, 'no way'>> {
  const result = await undoable(options, work);
  return result instanceof PostgresError ? result : 'written';
}

/**
 * Runs `work` under a savepoint and checks deferred constraints at its end, so that an objection falls on the part that caused it.
 * Returns the row error with which the part was undone. Any other error ends the transaction: after it there may be no live savepoint
 * to go back to (protocol rule 21). What `stays` says no to is undone, too.
 */
export async function undoable<T>(
  { client }: SpanWriterOptions,
  work: () => Promise<T>,
  stays: (done: T) => boolean = () => true,
): Promise<{ readonly done: T } | PostgresError> {
  await client.query('SAVEPOINT part');
  try {
    const done = await work();
    if (!stays(done)) {
      await client.query('ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part');
      return { done };
    }
    await client.query('SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; RELEASE SAVEPOINT part');
    return { done };
  } catch (error) {
    if (classifyPostgresError(error) !== 'row') throw error;
    await client.query('ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part');
    return new PostgresError(error);
  }
}

/** The changes of one timestamp, one for each key, after they were refused as a set. */
async function finishTimestamp(
  options: SpanWriterOptions,
  changes: readonly ApplyMutation[],
  refused: Exclude<Outcome, 'written'>,
): Promise<void> {
  const tried: Tried = async (sql, parameters) => {
    const result = await undoable(options, () => options.client.query(sql, [...parameters]));
    return result instanceof PostgresError ? result : null;
  };
  const possible = await withoutImpossibleDeletes(options.tables, changes, tried);
  const whole = possible === changes ? refused : await writeSet(options, possible, Infinity);
  if (whole === 'written') return;
  if (whole === 'no way') throw noWay(options, possible);
  await searchTimestamp(options, possible, whole, tried);
}

/**
 * Names the row that is refused among the changes of one timestamp, one for each key. A part of them may be refused only because the rest is
 * missing, so a refusal counts when it is the one that the whole met with; if there is none, any counts.
 */
async function searchTimestamp(
  options: SpanWriterOptions,
  changes: readonly ApplyMutation[],
  whole: PostgresError,
  tried: Tried,
): Promise<void> {
  const rows = planBatches(changes, ROWS_TOGETHER).flatMap((batch) => batch.rows);
  const take = async (part: readonly ApplyMutation[]): Promise<PostgresError | null> => {
    const outcome = await writeSet(options, part, Infinity);
    if (outcome === 'no way') throw noWay(options, part);
    return outcome === 'written' ? null : outcome;
  };
  const isSame = ({ code, constraint }: PostgresError): boolean =>
    code === whole.code && constraint === whole.constraint;
  const found = (await findRefused(rows, take, isSame)) ?? (await findRefused(rows, take, () => true));
  if (found === null) return;
  const { item, refusal } = found;
  const table = await options.tables.at(item.table, item.columns ?? []);
  const { column, reason } = await findRefusedColumn({ row: item, table, refusal, tried });
  throw new BadRowError(
    nameOf(options, item),
    Buffer.from(item.key).toString('utf8').slice(0, SHOWN_KEY_LENGTH),
    column,
    refusal.code,
    reason,
    { cause: refusal },
  );
}

const SHOWN_KEY_LENGTH = 500;

function nameOf({ plan }: SpanWriterOptions, { table }: ApplyMutation): string {
  const planned = plan[table]?.target;
  return planned === undefined ? `table ${table}` : formatTableName(planned);
}

function noWay(options: SpanWriterOptions, changes: readonly ApplyMutation[]): TargetRefusedError {
  const names = [...new Set(changes.map((change) => nameOf(options, change)))].join(', ');
  return new TargetRefusedError(
    'no-order',
    `PostgreSQL cannot take one transaction of ${names}: a foreign key acts on rows by a value that is not the primary key, and a table ` +
      'outside the stream references these rows too. Add that table to the stream, or let the role switch enforcement off ' +
      '(GRANT SET ON PARAMETER session_replication_role)',
    { cause: null },
  );
}
