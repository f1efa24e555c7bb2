import type pg from 'pg';
import { createFamilies } from '../session/families.js';
import type { ChangeWriter, Outcome, SetOptions } from '../session/parts.js';
import { planBatches } from '../session/batch.js';
import { TargetRefusedError } from '../failures.js';
import type { ApplyMutation, ApplySessionOptions } from '../target.js';
import type { Reference } from './apply-shape.js';
import { createApplyTables, type ApplyTables } from './apply-tables.js';
import { classifyPostgresError, PostgresError } from './errors.js';
import { withoutImpossibleDeletes, type Tried } from './impossible-keys.js';
import { findContested, liftAlone, liftWithReferencing, ROWS_TOGETHER } from './lift.js';
import { createLoadTables, type LoadTables } from './load-tables.js';
import { findRefusedColumn } from './refused-column.js';
import { isLoaded, runApart, runBatch, runTogether } from './statements.js';
import { findWays } from './ways.js';

export interface ChangeWriterOptions extends Pick<
  ApplySessionOptions,
  'plan' | 'extraColumns' | 'enforcementOff' | 'flushSize'
> {
  /** Rows of one table and column set from which on they go by COPY. */
  readonly copyFrom?: number;
}

interface Writing {
  readonly client: pg.Client;
  readonly tables: ApplyTables;
  /** Null: JSON only. */
  readonly loads: LoadTables | null;
  readonly flushSize: number;
  readonly enforcementOff: boolean;
  readonly referencesOf: (table: number) => Promise<readonly Reference[]>;
}

/** Writes changes to PostgreSQL inside the transaction of `client`. */
export function createChangeWriter(client: pg.Client, options: ChangeWriterOptions): ChangeWriter {
  const { plan, extraColumns, enforcementOff, flushSize } = options;
  const tables = createApplyTables(client, plan, extraColumns);
  const loads = createLoadTables(client, tables, options.copyFrom);
  const referencedBy = async (table: number): Promise<readonly Reference[]> =>
    (await tables.at(table, [])).shape.referencedBy;
  // The foreign keys that have to be minded; none while they are off.
  const referencesOf = async (table: number): Promise<readonly Reference[]> =>
    enforcementOff ? [] : referencedBy(table);
  const familyOf = createFamilies({ referencedBy, numberOf: (name) => tables.numberOf(name) }, plan.length);
  const writing: Writing = { client, tables, loads: null, flushSize, enforcementOff, referencesOf };
  const tried: Tried = async (sql, parameters) => {
    const result = await undoable(client, () => client.query(sql, [...parameters]));
    return result instanceof PostgresError ? result : null;
  };
  return {
    prepare: (mutations) => loads.prepare(mutations),
    // A temporary table is filled once in a transaction.
    writeSet: (set, { most, bulk }) => writeSet(bulk ? { ...writing, loads } : writing, set, most),
    undoable: (work, stays) => undoable(client, work, stays),
    mayBatch: async (changes) => (await findWays(tables, changes, referencesOf)).inBatches,
    writeBatch: (batch) => runBatch(writing, batch),
    withoutImpossibleDeletes: (changes) => withoutImpossibleDeletes(tables, changes, tried),
    async explain(change, objection) {
      const table = await tables.at(change.table, change.columns ?? []);
      return findRefusedColumn({ row: change, table, refusal: objection, tried });
    },
    acts: async (table) => !enforcementOff && (await familyOf(table)).acts,
    forget: () => {
      tables.forget();
    },
    noWay: (names) =>
      new TargetRefusedError(
        'no-order',
        `PostgreSQL cannot take one transaction of ${names.join(', ')}: a foreign key acts on rows by a value that is not the primary key, and a table ` +
          'outside the stream references these rows too. Add that table to the stream, or let the role switch enforcement off ' +
          '(GRANT SET ON PARAMETER session_replication_role)',
        { cause: null },
      ),
  };
}

/**
 * The set leads from one state of the source to another, both valid, so that there is a way to write it whatever the constraints. They are
 * tried from the cheapest on, as long as the objection is one of order:
 * 1. In batches; a small set in one statement, deletes before upserts.
 * 2. In one statement, whatever the size: foreign keys are checked at its end, so that rings and re-pointed children need no order. Rows
 *    whose unique values change are deleted in it and inserted again, where nothing happens to the rows that reference them.
 * 3. In two statements: first all those rows are deleted with all that reference them, then all is inserted.
 */
async function writeSet(options: Writing, set: readonly ApplyMutation[], most: SetOptions['most']): Promise<Outcome> {
  const { client, tables, loads, flushSize, enforcementOff, referencesOf } = options;
  const ways = await findWays(tables, set, referencesOf);
  const batches = planBatches(set, flushSize, (table, columns, rows) => loads?.takes(table, columns, rows) ?? false);
  const small = ways.together && set.length <= flushSize;
  let outcome: Outcome = 'no way';
  if (small) {
    outcome = await attempt(client, () => runTogether(options, batches));
  } else if (ways.inBatches) {
    outcome = await attempt(client, async () => {
      for (const batch of batches) await runBatch(options, batch);
    });
  }
  // What is wrong with a row, the statements from JSON tell.
  const loaded = batches.some((batch) => batch.kind === 'upsert' && isLoaded(options, batch));
  if (loaded && outcome !== 'written' && !mayBeOrder(outcome)) return writeSet({ ...options, loads: null }, set, most);
  if (!mayBeOrder(outcome)) return outcome;

  const all = planBatches(set, ROWS_TOGETHER);
  const lifting = { client, tables, referencesOf };
  const found = await undoable(client, () => findContested(lifting, set));
  if (found instanceof PostgresError) return found;
  const contested = found.done;
  if (ways.mayReplace(contested.keys()) && !(small && contested.size === 0)) {
    outcome = await attempt(client, async () =>
      runTogether({ ...options, loads: null }, all, await liftAlone(lifting, set, contested)),
    );
    if (!mayBeOrder(outcome)) return outcome;
  }
  if (enforcementOff) return outcome;
  const looked = await undoable(client, () => liftWithReferencing(lifting, set, contested, most));
  if (looked instanceof PostgresError) return looked;
  const lifted = looked.done;
  return lifted === null ? outcome : attempt(client, () => runApart(client, tables, all, lifted));
}

/** True for objections to what other rows hold at the moment, or do not hold yet: of foreign keys, unique and exclusion constraints. */
function mayBeOrder(outcome: Outcome): boolean {
  if (outcome === 'written') return false;
  return outcome === 'no way' || outcome.ofOrder;
}

/** Runs `work` as `undoable` does. */
async function attempt(client: pg.Client, work: () => Promise<void>): Promise<Exclude<Outcome, 'no way'>> {
  const result = await undoable(client, work);
  return result instanceof PostgresError ? result : 'written';
}

/**
 * Runs `work` under a savepoint and checks deferred constraints at its end, so that an objection falls on the part that caused it.
 * Returns the row error with which the part was undone. Any other error ends the transaction: after it there may be no live savepoint
 * to go back to (protocol rule 21). What `stays` says no to is undone, too.
 */
async function undoable<T>(
  client: pg.Client,
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
