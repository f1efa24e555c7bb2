import type pg from 'pg';
import { formatTableName, type StreamPlan } from '../../domain/table.js';
import { findRefused, takeWhatCan } from '../bad-row-search.js';
import { collapseMutations, splitByTime } from '../collapse.js';
import { BadRowError, TargetRefusedError } from '../failures.js';
import type { AppliedFigures, ApplyMutation } from '../target.js';
import type { Reference } from './apply-shape.js';
import type { ApplyTables } from './apply-tables.js';
import { planBatches } from './batch.js';
import { classifyPostgresError, PostgresError } from './errors.js';
import { type Tried, withoutImpossibleDeletes } from './impossible-keys.js';
import type { FindFamily } from './families.js';
import { findContested, liftAlone, liftWithReferencing, ROWS_TOGETHER } from './lift.js';
import type { LoadTables } from './load-tables.js';
import { findRefusedColumn } from './refused-column.js';
import { isLoaded, runApart, runBatch, runTogether } from './statements.js';
import { findWays } from './ways.js';

export interface SpanWriterOptions {
  readonly client: pg.Client;
  readonly plan: StreamPlan;
  readonly tables: ApplyTables;
  /** For the first attempt at the set, and for one span of a transaction: then the temporary tables are no longer empty. Null: JSON only. */
  readonly loads: LoadTables | null;
  /** Rows of one statement that are sent as JSON. */
  readonly flushSize: number;
  /** Foreign keys and triggers are off in this transaction. */
  readonly enforcementOff: boolean;
  /** How a change that is refused even so is put aside, and everything else is written; null: the first one is thrown. */
  readonly putAside: PutAside | null;
}

export interface PutAside {
  /** Gets each of them. */
  readonly refused: RefusedChange[];
  readonly familyOf: FindFamily;
}

/** A change that the target did not take. Only `change` holds row values. */
export interface RefusedChange {
  readonly change: ApplyMutation;
  /** The target's column that cannot take its value; null where the row as a whole is refused. */
  readonly column: string | null;
  readonly code: string;
  readonly reason: string;
  /** The objection is to what other rows hold, or do not hold yet: without them, it might be taken. */
  readonly ofOrder: boolean;
}

/**
 * Writes changes in time order inside the caller's transaction. A span is written as a set: the last change of each key, in few
 * statements. When the database objects to every way of writing the set (to a row that it will never take), the set is undone and
 * each half of the span's time written after the other, down to single timestamps: every part then ends in a state in which the
 * source was, which its constraints have allowed.
 * @throws BadRowError for the first row that is refused even so, unless it is put aside; any other error of the driver as it is
 */
export async function writeSpan(
  options: SpanWriterOptions,
  mutations: readonly ApplyMutation[],
): Promise<AppliedFigures> {
  const collapsed = collapseMutations(mutations);
  const halves = splitByTime(mutations);
  const outcome = await writeSet(options, collapsed, halves === null ? Infinity : MOST_LIFTED);
  if (outcome === 'written') return count(collapsed);
  const fromJson = { ...options, loads: null };
  if (halves === null) {
    const refused = await finishTimestamp(fromJson, collapsed, outcome);
    return { ...count(collapsed.filter((change) => !refused.has(change))), inSourceOrder: true };
  }
  const first = await writeSpan(fromJson, halves[0]);
  const second = await writeSpan(fromJson, halves[1]);
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
  const { client, tables, loads, flushSize, enforcementOff } = options;
  const referencesOf = referencesIn(options);
  const ways = await findWays(tables, set, referencesOf);
  const batches = planBatches(set, flushSize, (table, columns, rows) => loads?.takes(table, columns, rows) ?? false);
  const small = ways.together && set.length <= flushSize;
  let outcome: Outcome = 'no way';
  if (small) {
    outcome = await attempt(options, () => runTogether(options, batches));
  } else if (ways.inBatches) {
    outcome = await attempt(options, async () => {
      for (const batch of batches) await runBatch(options, batch);
    });
  }
  // What is wrong with a row, the statements from JSON tell.
  const loaded = batches.some((batch) => batch.kind === 'upsert' && isLoaded(options, batch));
  if (loaded && outcome !== 'written' && !mayBeOrder(outcome)) return writeSet({ ...options, loads: null }, set, most);
  if (!mayBeOrder(outcome)) return outcome;

  const all = planBatches(set, ROWS_TOGETHER);
  const lifting = { client, tables, referencesOf };
  const found = await undoable(options, () => findContested(lifting, set));
  if (found instanceof PostgresError) return found;
  const contested = found.done;
  if (ways.mayReplace(contested.keys()) && !(small && contested.size === 0)) {
    outcome = await attempt(options, async () =>
      runTogether({ ...options, loads: null }, all, await liftAlone(lifting, set, contested)),
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
  return outcome === 'no way' || isOfOrder(outcome);
}

export function isOfOrder({ code }: { readonly code: string }): boolean {
  return ORDER_CODES.has(code);
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

/** The changes of one timestamp, one for each key, after they were refused as a set. Returns those that are put aside. */
async function finishTimestamp(
  options: SpanWriterOptions,
  changes: readonly ApplyMutation[],
  refused: Exclude<Outcome, 'written'>,
): Promise<ReadonlySet<ApplyMutation>> {
  const tried: Tried = async (sql, parameters) => {
    const result = await undoable(options, () => options.client.query(sql, [...parameters]));
    return result instanceof PostgresError ? result : null;
  };
  const possible = await withoutImpossibleDeletes(options.tables, changes, tried);
  const whole = possible === changes ? refused : await writeSet(options, possible, Infinity);
  if (whole === 'written') return NONE;
  if (whole === 'no way') throw noWay(options, possible);
  const { putAside } = options;
  if (putAside === null) {
    await searchTimestamp(options, possible, whole, tried);
    return NONE;
  }
  // No new session comes after a mend, as it does after a halt. Once that something was put aside, the tables are as they are now.
  if (putAside.refused.length === 0) options.tables.forget();
  return finishWithout(options, possible, putAside, tried);
}

const NONE: ReadonlySet<ApplyMutation> = new Set();

/**
 * Puts aside what is refused, and writes the rest. Without a row that belongs to it, a transaction is none of the source's: where a foreign key
 * acts, parts of it would change or delete rows that no change is for, and so would a later delete, by way of the old row that a refused change
 * has left. Such a family of tables is written as a whole or not at all.
 */
async function finishWithout(
  options: SpanWriterOptions,
  changes: readonly ApplyMutation[],
  { refused, familyOf }: PutAside,
  tried: Tried,
): Promise<ReadonlySet<ApplyMutation>> {
  const acting: ApplyMutation[] = [];
  const others: ApplyMutation[] = [];
  for (const change of changes) {
    const acts = !options.enforcementOff && (await familyOf(change.table)).acts;
    (acts ? acting : others).push(change);
  }
  const outcome = await writeSet(options, acting, Infinity);
  if (outcome === 'no way') throw noWay(options, acting);
  if (outcome !== 'written') await searchTimestamp(options, acting, outcome, tried, NOT_PUT_ASIDE);
  const aside = others.length === 0 ? [] : await takeWhatCan(inOrder(others), takerOf(options), mayBeOrder);
  for (const one of aside) refused.push(await describeRefused(options, one, tried));
  return new Set(aside.map(({ item }) => item));
}

const NOT_PUT_ASIDE =
  '; it is not put aside, because a foreign key with an action (CASCADE, SET NULL, SET DEFAULT) is bound up with its table and enforcement is on';

/** In the order in which they are written. */
function inOrder(changes: readonly ApplyMutation[]): readonly ApplyMutation[] {
  return planBatches(changes, ROWS_TOGETHER).flatMap((batch) => batch.rows);
}

function takerOf(options: SpanWriterOptions): (part: readonly ApplyMutation[]) => Promise<PostgresError | null> {
  return async (part) => {
    const outcome = await writeSet(options, part, Infinity);
    if (outcome === 'no way') throw noWay(options, part);
    return outcome === 'written' ? null : outcome;
  };
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
  besides = '',
): Promise<void> {
  const rows = inOrder(changes);
  const take = takerOf(options);
  const isSame = ({ code, constraint }: PostgresError): boolean =>
    code === whole.code && constraint === whole.constraint;
  const found = (await findRefused(rows, take, isSame)) ?? (await findRefused(rows, take, () => true));
  if (found === null) return;
  const { item, refusal } = found;
  const { column, code, reason } = await describeRefused(options, found, tried);
  throw new BadRowError(
    nameOf(options, item),
    Buffer.from(item.key).toString('utf8').slice(0, SHOWN_KEY_LENGTH),
    column,
    code,
    reason + besides,
    { cause: refusal },
  );
}

async function describeRefused(
  options: SpanWriterOptions,
  { item, refusal }: { readonly item: ApplyMutation; readonly refusal: PostgresError },
  tried: Tried,
): Promise<RefusedChange> {
  const table = await options.tables.at(item.table, item.columns ?? []);
  const ofOrder = mayBeOrder(refusal);
  const { column, reason } = ofOrder
    ? { column: null, reason: refusal.message }
    : await findRefusedColumn({ row: item, table, refusal, tried });
  return { change: item, column, code: refusal.code, reason, ofOrder };
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
