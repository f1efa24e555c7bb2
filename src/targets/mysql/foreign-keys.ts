import { planBatches } from '../session/batch.js';
import { Objection } from '../session/objection.js';
import type { ApplyMutation } from '../target.js';
import { columnOf } from './sql.js';
import type { Reference } from './apply-shape.js';
import { quoteName, quoteTable } from './names.js';
import { keysSql, keyValues, type ApplyTable } from './sql.js';
import { eachPart, MOST_KEYS, type StatementOptions } from './statements.js';
import { readableSql, readValueSql } from './types.js';

/**
 * Runs `work` with foreign keys off, and asks afterwards what they would have asked at the end of the source's transaction: the servers know no
 * deferred constraints, so that rings, re-pointed children and rows that come back with their key have no order that they would let pass.
 * @throws Objection when a row that `set` has written or deleted leaves a foreign key broken
 */
export async function uncheckedThenAsked(
  options: StatementOptions,
  set: readonly ApplyMutation[],
  work: () => Promise<void>,
): Promise<void> {
  const { client } = options;
  const referenced = await readReferenced(options, set);
  await client.query('SET SESSION foreign_key_checks = 0');
  try {
    await work();
  } finally {
    // Not undone with a savepoint.
    await client.query('SET SESSION foreign_key_checks = 1');
  }
  for (const { table, reference, values } of referenced) await askChildren(options, table, reference, values);
  await askParents(options, set);
}

interface Referenced {
  readonly table: ApplyTable;
  readonly reference: Reference;
  /** SQL of what rows of the set had in the referenced columns. */
  readonly values: readonly (readonly string[])[];
}

/** What the rows of the set have now where foreign keys look: it may be gone afterwards. */
async function readReferenced(
  { client, tables }: StatementOptions,
  set: readonly ApplyMutation[],
): Promise<readonly Referenced[]> {
  const found: Referenced[] = [];
  for (const [number, changes] of byTable(set)) {
    const table = await tables.at(number, []);
    for (const reference of table.shape.referencedBy) {
      const columns = reference.referenced.flatMap((name) => columnOf(table.shape, name) ?? []);
      const read = columns.map(({ name, type }, i) => `${readableSql(type, quoteName(name))} AS c${i}`);
      const values: (readonly string[])[] = [];
      for (const part of eachPart(changes, MOST_KEYS)) {
        const keys = part.map(({ key }) => keyValues(table, key));
        const { rows } = await client.query(
          `SELECT ${read.join(', ')} FROM ${quoteTable(table.shape.name)} WHERE ${keysSql(table, keys)}`,
        );
        for (const row of rows) values.push(columns.map(({ type }, i) => readValueSql(type, row[`c${i}`] ?? null)));
      }
      found.push({ table, reference, values });
    }
  }
  return found;
}

async function askChildren(
  { client }: StatementOptions,
  table: ApplyTable,
  reference: Reference,
  values: readonly (readonly string[])[],
): Promise<void> {
  const child = reference.columns.map((name) => `child.${quoteName(name)}`);
  for (const part of eachPart(values, MOST_KEYS)) {
    const list = part.map((row) => `(${row.join(', ')})`).join(', ');
    const { rows } = await client.query(
      `SELECT 1 AS orphan FROM ${quoteTable(reference.table)} AS child WHERE (${child.join(', ')}) IN (${list})` +
        ` AND ${isOrphan(reference, quoteTable(table.shape.name))} LIMIT 1 LOCK IN SHARE MODE`,
    );
    if (rows.length > 0) throw broken('1451', quoteTable(table.shape.name), quoteTable(reference.table));
  }
}

async function askParents({ client, tables }: StatementOptions, set: readonly ApplyMutation[]): Promise<void> {
  for (const batch of planBatches(set, MOST_KEYS)) {
    if (batch.kind === 'delete') continue;
    const table = await tables.at(batch.table, batch.columns);
    const keys = batch.rows.map(({ key }) => keyValues(table, key));
    for (const reference of table.shape.references) {
      const name = quoteTable(table.shape.name);
      const { rows } = await client.query(
        `SELECT 1 AS orphan FROM ${name} AS child WHERE ${keysSql(table, keys, 'child.')}` +
          ` AND ${isOrphan(reference, quoteTable(reference.table))} LIMIT 1 LOCK IN SHARE MODE`,
      );
      if (rows.length > 0) throw broken('1452', name, quoteTable(reference.table));
    }
  }
}

/** A NULL references nothing. */
function isOrphan({ columns, referenced }: Reference, parent: string): string {
  const child = columns.map((name) => `child.${quoteName(name)}`);
  const pairs = referenced.map((name, i) => `parent.${quoteName(name)} = ${child[i] ?? ''}`);
  return `${child.map((name) => `${name} IS NOT NULL`).join(' AND ')} AND NOT EXISTS (SELECT 1 FROM ${parent} AS parent WHERE ${pairs.join(' AND ')})`;
}

function broken(code: string, from: string, to: string): Objection {
  return new Objection(`a foreign key between ${from} and ${to} would be broken`, code, true);
}

function byTable(changes: readonly ApplyMutation[]): ReadonlyMap<number, readonly ApplyMutation[]> {
  const groups = new Map<number, ApplyMutation[]>();
  for (const change of changes) {
    const group = groups.get(change.table);
    if (group === undefined) groups.set(change.table, [change]);
    else group.push(change);
  }
  return groups;
}
