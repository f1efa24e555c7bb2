import type pg from 'pg';
import type { ColumnSet } from '../../domain/mutation.js';
import type { ApplyMutation } from '../target.js';
import type { Reference } from './apply-shape.js';
import type { ApplyTables } from './apply-tables.js';
import { planBatches } from '../session/batch.js';
import { batchDocument } from './batch-document.js';
import { contestedSql, referencingSql, standingSql, wholeRowsSql } from './lift-sql.js';
import { unsentColumns } from './sql.js';

/**
 * Rows that are taken out of their tables before the upserts and inserted again with them, so that a value can pass from one to another,
 * whatever the constraint: who holds it is gone when the other comes. By number of their table.
 */
export interface Lifted {
  /** Keys of all that are taken out beside the deletes, each the text of a JSON array. */
  readonly keys: ReadonlyMap<number, readonly string[]>;
  /** Whole rows that no change is for: they come back as they were. */
  readonly kept: ReadonlyMap<number, readonly string[]>;
  /** The row that was there, of upserts that do not give all of its columns. */
  readonly was: ReadonlyMap<ApplyMutation, string>;
}

export interface LiftOptions {
  readonly client: pg.Client;
  readonly tables: ApplyTables;
  /** Foreign keys that the target will look at. */
  referencesOf(table: number): Promise<readonly Reference[]>;
}

/** Keys of the rows of upserts whose contested columns are to change: nobody else can be in the way of a row. */
export async function findContested(options: LiftOptions, set: readonly ApplyMutation[]): Promise<KeySets> {
  const found: KeySets = new Map();
  for (const batch of planBatches(set, ROWS_TOGETHER)) {
    if (batch.kind === 'delete') continue;
    const sql = contestedSql(await options.tables.at(batch.table, batch.columns), batch.columns);
    if (sql === null) continue;
    const { rows } = await options.client.query<{ key: string }>(sql, [batchDocument(batch)]);
    for (const { key } of rows) add(found, batch.table, key);
  }
  return found;
}

/** Rows of one document. */
export const ROWS_TOGETHER = 100_000;

export type KeySets = Map<number, Set<string>>;

/** Lifts these rows and nothing else: only where nothing happens to the rows that reference them. */
export async function liftAlone(
  options: LiftOptions,
  set: readonly ApplyMutation[],
  contested: KeySets,
): Promise<Lifted> {
  return describeLifted(options, set, contested);
}

/**
 * Lifts these rows and those of the deletes, and all that reference them, on and on: then no foreign key has anything to do when
 * they are taken out. Null when a table outside the stream references one of them, or when more than `most` would be lifted.
 */
export async function liftWithReferencing(
  options: LiftOptions,
  set: readonly ApplyMutation[],
  contested: KeySets,
  most: number,
): Promise<Lifted | null> {
  const lifted: KeySets = new Map();
  let frontier: KeySets = new Map([...contested].map(([table, keys]) => [table, new Set(keys)]));
  for (const [table, changes] of byTable(set.filter(({ after }) => after === null))) {
    for (const key of (await findStanding(options, table, changes)).keys()) add(frontier, table, key);
  }
  for (let count = 0; frontier.size > 0;) {
    const next: KeySets = new Map();
    for (const [table, keys] of frontier) {
      for (const key of keys) add(lifted, table, key);
      count += keys.size;
    }
    if (count > most) return null;
    for (const [table, keys] of frontier) {
      for (const reference of await options.referencesOf(table)) {
        if (reference.deferred) continue;
        const child = options.tables.numberOf(reference.table);
        if (child === null) return null;
        for (const key of await findReferencing(options, table, child, reference, keys)) {
          if (!lifted.get(child)?.has(key)) add(next, child, key);
        }
      }
    }
    frontier = next;
  }
  return describeLifted(options, set, lifted);
}

/** Whom the lifted keys belong to: to a delete, to an upsert, or to no change of the set. */
async function describeLifted(options: LiftOptions, set: readonly ApplyMutation[], lifted: KeySets): Promise<Lifted> {
  const changesOf = byTable(set);
  const keys = new Map<number, readonly string[]>();
  const kept = new Map<number, readonly string[]>();
  const was = new Map<ApplyMutation, string>();
  for (const [table, found] of lifted) {
    const standing = await findStanding(options, table, changesOf.get(table) ?? []);
    const beside = [...found].filter((key) => standing.get(key)?.after !== null);
    keys.set(table, beside);
    const partial = new Map<string, ApplyMutation>();
    const unchanged = new Set<string>();
    for (const key of beside) {
      const change = standing.get(key);
      if (change === undefined) unchanged.add(key);
      else if (await leavesColumns(options, table, change.columns ?? [])) partial.set(key, change);
    }
    const wholeRows = await readWholeRows(options, table, [...unchanged, ...partial.keys()]);
    for (const [key, row] of wholeRows) {
      const change = partial.get(key);
      if (change !== undefined) was.set(change, row);
    }
    kept.set(
      table,
      [...wholeRows].filter(([key]) => unchanged.has(key)).map(([, row]) => row),
    );
  }
  return { keys, kept, was };
}

async function leavesColumns({ tables }: LiftOptions, table: number, columns: ColumnSet): Promise<boolean> {
  return unsentColumns(await tables.at(table, columns), columns).length > 0;
}

/** The changes whose rows are there, by the rows' key. */
async function findStanding(
  { client, tables }: LiftOptions,
  table: number,
  changes: readonly ApplyMutation[],
): Promise<Map<string, ApplyMutation>> {
  if (changes.length === 0) return new Map();
  const document = batchDocument({ kind: 'delete', table, rows: changes });
  const sql = standingSql(await tables.at(table, []));
  const { rows } = await client.query<{ place: number; key: string }>(sql, [document]);
  return new Map(
    rows.flatMap(({ place, key }) => {
      const change = changes[place - 1];
      return change === undefined ? [] : [[key, change] as const];
    }),
  );
}

async function findReferencing(
  { client, tables }: LiftOptions,
  parent: number,
  child: number,
  reference: Reference,
  keys: ReadonlySet<string>,
): Promise<readonly string[]> {
  const sql = referencingSql(await tables.at(parent, []), await tables.at(child, []), reference);
  const { rows } = await client.query<{ key: string }>(sql, [keysDocument([...keys])]);
  return rows.map(({ key }) => key);
}

async function readWholeRows(
  { client, tables }: LiftOptions,
  table: number,
  keys: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (keys.length === 0) return new Map();
  const sql = wholeRowsSql(await tables.at(table, []));
  const { rows } = await client.query<{ key: string; row: string }>(sql, [keysDocument(keys)]);
  return new Map(rows.map(({ key, row }) => [key, row]));
}

/** Keys that are texts of JSON arrays, as one JSON array. */
export function keysDocument(keys: readonly string[]): string {
  return `[${keys.join(',')}]`;
}

function byTable(changes: readonly ApplyMutation[]): Map<number, ApplyMutation[]> {
  const groups = new Map<number, ApplyMutation[]>();
  for (const change of changes) {
    const group = groups.get(change.table);
    if (group === undefined) groups.set(change.table, [change]);
    else group.push(change);
  }
  return groups;
}

function add(sets: KeySets, table: number, key: string): void {
  const set = sets.get(table);
  if (set === undefined) sets.set(table, new Set([key]));
  else set.add(key);
}
