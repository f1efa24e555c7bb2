import { TargetRefusedError } from '../failures.js';
import { planBatches } from '../session/batch.js';
import { createFamilies } from '../session/families.js';
import { Objection } from '../session/objection.js';
import type { ChangeWriter, Outcome } from '../session/parts.js';
import type { ApplyMutation, ApplySessionOptions } from '../target.js';
import type { IncomingReference } from './apply-shape.js';
import { createApplyTables } from './apply-tables.js';
import type { MysqlClient } from './client.js';
import { classifyMysqlError, MysqlError } from './errors.js';
import { uncheckedThenAsked } from './foreign-keys.js';
import { replaceRows } from './replace.js';
import { keyValues } from './sql.js';
import { runBatch } from './statements.js';
import { findWays } from './ways.js';

export type ChangeWriterOptions = Pick<ApplySessionOptions, 'plan' | 'extraColumns' | 'enforcementOff' | 'flushSize'>;

/** Writes changes to MySQL or MariaDB inside the transaction of `client`, whose foreign keys are off where `enforcementOff` says so. */
export function createChangeWriter(client: MysqlClient, options: ChangeWriterOptions): ChangeWriter {
  const { plan, extraColumns, enforcementOff, flushSize } = options;
  const tables = createApplyTables(client, plan, extraColumns);
  const statements = { client, tables, flushSize };
  const referencedBy = async (table: number): Promise<readonly IncomingReference[]> =>
    (await tables.at(table, [])).shape.referencedBy;
  // The foreign keys that have to be minded; none while they are off.
  const referencesOf = async (table: number): Promise<readonly IncomingReference[]> =>
    enforcementOff ? [] : referencedBy(table);
  const familyOf = createFamilies({ referencedBy, numberOf: (name) => tables.numberOf(name) }, plan.length);
  const undoable = createUndoable(client);

  const attempt = async (work: () => Promise<void>): Promise<Exclude<Outcome, 'no way'>> => {
    const result = await undoable(work);
    return result instanceof Objection ? result : 'written';
  };

  /**
   * The set leads from one state of the source to another, both valid, so that there is a way to write it whatever the constraints:
   * 1. In batches, parents before children, then deletes the other way round.
   * 2. Where the objection is one of order: with the rows of the set taken out of their tables first, and foreign keys asked at the end.
   */
  const writeSet = async (set: readonly ApplyMutation[]): Promise<Outcome> => {
    const ways = await findWays(tables, set, referencesOf);
    let outcome: Outcome = 'no way';
    if (ways.inBatches) {
      outcome = await attempt(async () => {
        for (const batch of planBatches(set, Infinity)) await runBatch(statements, batch);
      });
      if (outcome === 'written' || !outcome.ofOrder) return outcome;
    }
    if (!ways.unchecked) return outcome;
    return attempt(() =>
      enforcementOff
        ? replaceRows(statements, set)
        : uncheckedThenAsked(statements, set, () => replaceRows(statements, set)),
    );
  };

  return {
    // Nothing is made in advance.
    prepare: () => Promise.resolve(),
    // No row but those of the set is moved, and no way can be used once only.
    writeSet: (set) => writeSet(set),
    undoable,
    mayBatch: async (changes) => (await findWays(tables, changes, referencesOf)).inBatches,
    writeBatch: (batch) => runBatch(statements, batch),
    async withoutImpossibleDeletes(changes) {
      const possible: ApplyMutation[] = [];
      for (const change of changes) {
        if (change.after !== null || hasKey(await tables.at(change.table, []), change.key)) possible.push(change);
      }
      return possible.length === changes.length ? changes : possible;
    },
    explain: (_, { named, message }) => Promise.resolve({ column: named.column ?? null, reason: message }),
    acts: async (table) => !enforcementOff && (await familyOf(table)).acts,
    forget: () => {
      tables.forget();
    },
    noWay: (names) =>
      new TargetRefusedError(
        'no-order',
        `MySQL cannot take one transaction of ${names.join(', ')}: foreign keys act (CASCADE, SET NULL) on rows by a value that is not the ` +
          'primary key, and one acts on a table outside the stream. Take that table into the stream, or switch enforcement off, or drop the actions ' +
          'until the failback is over',
        { cause: null },
      ),
  };
}

/** Whether a row of the table can have the key: a value that no column takes is in none. */
function hasKey(table: Parameters<typeof keyValues>[0], key: Uint8Array): boolean {
  try {
    keyValues(table, key);
    return true;
  } catch (error) {
    if (error instanceof Objection) return false;
    throw error;
  }
}

/**
 * Runs `work` under a savepoint. Returns the objection with which it was undone; any other error ends the transaction: after it there may be no
 * live savepoint to go back to (protocol rule 21). What `stays` says no to is undone, too.
 */
function createUndoable(client: MysqlClient): ChangeWriter['undoable'] {
  const undo = async (): Promise<void> => {
    await client.query('ROLLBACK TO SAVEPOINT part');
    await client.query('RELEASE SAVEPOINT part');
  };
  return async (work, stays = () => true) => {
    await client.query('SAVEPOINT part');
    try {
      const done = await work();
      if (stays(done)) await client.query('RELEASE SAVEPOINT part');
      else await undo();
      return { done };
    } catch (error) {
      const objection = toObjection(error);
      if (objection === null) throw error;
      await undo();
      return objection;
    }
  };
}

function toObjection(error: unknown): Objection | null {
  if (error instanceof Objection) return error;
  return classifyMysqlError(error) === 'row' ? new MysqlError(error) : null;
}
