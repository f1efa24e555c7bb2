import type { ApplyMutation } from '../target.js';
import type { Reference } from './apply-shape.js';
import type { ApplyTables } from './apply-tables.js';

/** The ways in which a set may be written without an action of a foreign key on a row that has its last value already. */
export interface Ways {
  /** In batches: upserts, parents before children, then deletes. */
  readonly inBatches: boolean;
  /** All in one statement. */
  readonly together: boolean;
  /** All in one statement, in which rows of these tables are deleted and inserted again. */
  mayReplace(tables: Iterable<number>): boolean;
}

/**
 * An action (CASCADE, SET NULL, SET DEFAULT) follows at the end of the statement that sets it off. It finds its victims by the value that was
 * referenced. Of a primary key that is gone, no row of the result references the value. Any other value may have passed to another row, and
 * rows that rightly reference that one would be changed or deleted, if they were written in the same statement or before.
 */
export async function findWays(
  tables: ApplyTables,
  set: readonly ApplyMutation[],
  referencesOf: (table: number) => Promise<readonly Reference[]>,
): Promise<Ways> {
  const acting = new Set<number>();
  let together = true;
  let inBatches = true;
  for (const table of new Set(set.map((change) => change.table))) {
    for (const reference of (await referencesOf(table)).filter(({ acts }) => acts)) {
      acting.add(table);
      const child = tables.numberOf(reference.table);
      if (!reference.byValue || child === null) continue;
      together = false;
      if (child <= table) inBatches = false;
    }
  }
  return {
    inBatches,
    together,
    mayReplace: (replaced) => together && ![...replaced].some((table) => acting.has(table)),
  };
}
