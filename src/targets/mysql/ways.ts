import type { ApplyMutation } from '../target.js';
import type { IncomingReference } from './apply-shape.js';
import type { ApplyTables } from './apply-tables.js';

/** The ways in which a set may be written without an action of a foreign key on a row that has its last value already. */
export interface Ways {
  /** In batches: upserts, parents before children, then deletes. */
  readonly inBatches: boolean;
  /** With foreign keys off, and asked for afterwards: no action is due that the set does not say itself. */
  readonly unchecked: boolean;
}

/**
 * An action (CASCADE, SET NULL) follows its row at once. It finds its victims by the value that was referenced. Of a primary key that is gone, no
 * row of the result references the value. Any other value may have passed to another row, and rows that rightly reference that one would be
 * changed or deleted, if they were written before.
 */
export async function findWays(
  tables: ApplyTables,
  set: readonly ApplyMutation[],
  referencesOf: (table: number) => Promise<readonly IncomingReference[]>,
): Promise<Ways> {
  let inBatches = true;
  let unchecked = true;
  const deleting = new Set(set.filter(({ after }) => after === null).map(({ table }) => table));
  for (const table of new Set(set.map((change) => change.table))) {
    for (const reference of (await referencesOf(table)).filter(({ acts }) => acts)) {
      const child = tables.numberOf(reference.table);
      if (reference.byValue && child !== null && child <= table) inBatches = false;
      // What an action has done to a table of the stream, the stream says itself. A row whose primary key stays sets nothing off.
      if (child === null && (reference.byValue || deleting.has(table))) unchecked = false;
    }
  }
  return { inBatches, unchecked };
}
