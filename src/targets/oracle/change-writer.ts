import { TargetRefusedError } from '../failures.js';
import { createRowReader, readKey } from '../row-reader.js';
import { planBatches, type Batch, type UpsertBatch } from '../session/batch.js';
import { createFamilies } from '../session/families.js';
import type { Objection } from '../session/objection.js';
import type { ChangeWriter, Outcome } from '../session/parts.js';
import type { ApplyMutation, ApplySessionOptions } from '../target.js';
import type { Reference } from './apply-shape.js';
import { createApplyTables } from './apply-tables.js';
import type { OracleClient } from './client.js';
import { classifyOracleError, OracleError, RefusedValue } from './errors.js';
import { park, planHandOver, putBack, readKept, remove, type Kept } from './hand-over.js';
import { columnOf, columnStatement, deleteStatement } from './sql.js';
import { runBatch, type RefusedRow, type Statements } from './statements.js';
import { bindKindOf, bindOf } from './types.js';

export type ChangeWriterOptions = Pick<ApplySessionOptions, 'plan' | 'extraColumns' | 'flushSize'>;

interface Writing extends Statements {
  readonly flushSize: number;
  readonly undoable: ChangeWriter['undoable'];
}

/** Writes changes to Oracle inside the transaction of `client`, whose deferrable constraints are deferred. */
export function createChangeWriter(
  client: OracleClient,
  { plan, extraColumns, flushSize }: ChangeWriterOptions,
): ChangeWriter {
  const tables = createApplyTables(client, plan, extraColumns);
  const referencedBy = async (table: number): Promise<readonly Reference[]> =>
    (await tables.at(table, [])).shape.referencedBy;
  const familyOf = createFamilies({ referencedBy, numberOf: (name) => tables.numberOf(name) }, plan.length);
  const undoable = createUndoable(client);
  const writing: Writing = { client, tables, flushSize, undoable };

  /**
   * A delete's action (CASCADE, SET NULL) finds its victims by the value that is referenced. One that is no primary key may have passed to another
   * row by then, and so would take rows along that rightly reference that one, unless they come later.
   */
  const mayBatch = async (changes: readonly ApplyMutation[]): Promise<boolean> => {
    for (const table of new Set(changes.map((change) => change.table))) {
      for (const { acts, byValue, table: child } of await referencedBy(table)) {
        const number = tables.numberOf(child);
        if (acts && byValue && number !== null && number <= table) return false;
      }
    }
    return true;
  };

  return {
    prepare: () => Promise.resolve(),
    async writeSet(set) {
      if (!(await mayBatch(set))) return 'no way';
      const plain = await attempt(writing, () => writePlainly(writing, set));
      if (plain === 'written' || !plain.ofOrder) return plain;
      const handedOver = await attempt(writing, () => writeHandingOver(writing, set));
      return handedOver;
    },
    undoable,
    mayBatch,
    async writeBatch(batch) {
      const [first] = await runBatch(writing, batch);
      if (first !== undefined) throw first.error;
    },
    async withoutImpossibleDeletes(changes) {
      const possible: ApplyMutation[] = [];
      for (const change of changes)
        if (change.after !== null || (await mayBeThere(writing, change))) possible.push(change);
      return possible.length === changes.length ? changes : possible;
    },
    explain: (change, objection) => explain(writing, change, objection),
    acts: async (table) => (await familyOf(table)).acts,
    forget: () => {
      tables.forget();
    },
    noWay: (names) =>
      new TargetRefusedError(
        'no-order',
        `Oracle cannot take one transaction of ${names.join(', ')}: a foreign key with ON DELETE CASCADE or SET NULL references another unique key ` +
          'than the primary key, and its table comes before the one that it references. Let it reference the primary key, or disable it ' +
          '(ALTER TABLE ... DISABLE CONSTRAINT ...) as long as Failback writes',
        { cause: null },
      ),
  };
}

/** Runs `work` as `undoable` does. */
async function attempt({ undoable }: Writing, work: () => Promise<void>): Promise<Exclude<Outcome, 'no way'>> {
  const result = await undoable(work);
  return 'done' in result ? 'written' : result;
}

/**
 * A statement that fails undoes itself alone. Deferred constraints are checked at the end, so that an objection falls on the part that caused it.
 * Oracle has no word to give a savepoint up: the next one of its name takes its place, and so the names count the parts within parts.
 */
function createUndoable(client: OracleClient): ChangeWriter['undoable'] {
  let depth = 0;
  return async (work, stays = () => true) => {
    const name = `part${++depth}`;
    try {
      await client.execute(`SAVEPOINT ${name}`);
      try {
        const done = await work();
        if (stays(done)) {
          await client.execute('SET CONSTRAINTS ALL IMMEDIATE');
          await client.execute('SET CONSTRAINTS ALL DEFERRED');
        } else await client.execute(`ROLLBACK TO SAVEPOINT ${name}`);
        return { done };
      } catch (error) {
        const objection = error instanceof OracleError ? error : null;
        if (objection === null && classifyOracleError(error) !== 'row') throw error;
        await client.execute(`ROLLBACK TO SAVEPOINT ${name}`);
        return objection ?? new OracleError(error);
      }
    } finally {
      depth--;
    }
  };
}

/** In batches: upserts, parents before children, then deletes, children before parents. */
async function writePlainly(writing: Writing, set: readonly ApplyMutation[]): Promise<void> {
  const refused: RefusedRow[] = [];
  for (const batch of planBatches(set, writing.flushSize)) refused.push(...onlyOfOrder(await runBatch(writing, batch)));
  await tryAgain(writing, refused, set.length);
}

/** As `writePlainly`, after the rows of the set have given their unique values up. */
async function writeHandingOver(writing: Writing, set: readonly ApplyMutation[]): Promise<void> {
  const { tables, flushSize } = writing;
  const refused: RefusedRow[] = [];
  const lifted: { readonly batch: UpsertBatch; readonly found: Kept }[] = [];
  const gone: Batch[] = [];
  const batches = planBatches(set, flushSize);
  const lifting = new Set<number>();
  for (const batch of batches) {
    if (batch.kind === 'delete') continue;
    const table = await tables.at(batch.table, batch.columns);
    const way = planHandOver(table, batch.columns);
    if (way === null) continue;
    if (way.kind === 'park') {
      const leaving = batches.flatMap((other) =>
        other.kind === 'delete' && other.table === batch.table ? other.rows : [],
      );
      await park(writing, table, way.columns, [...batch.rows, ...leaving]);
      continue;
    }
    lifting.add(batch.table);
    lifted.push({ batch, found: await readKept(writing, table, way.kept, batch.rows) });
  }
  // Children before parents, as the deletes of the set are.
  for (const { batch, found } of [...lifted].reverse())
    refused.push(...onlyOfOrder(await remove(writing, await tables.at(batch.table, []), [...found.keys()])));
  for (const batch of batches) {
    if (batch.kind === 'upsert' || !lifting.has(batch.table)) continue;
    refused.push(...onlyOfOrder(await runBatch(writing, batch)));
    gone.push(batch);
  }
  const [stuck] = refused;
  if (stuck !== undefined && lifted.some(({ found }) => found.has(stuck.row))) throw stuck.error;
  for (const batch of batches) {
    if (gone.includes(batch)) continue;
    const found = lifted.find((one) => one.batch === batch)?.found;
    if (batch.kind === 'upsert' && found !== undefined) {
      const table = await tables.at(batch.table, batch.columns);
      const way = planHandOver(table, batch.columns);
      const kept = way?.kind === 'lift' ? way.kept : [];
      refused.push(...onlyOfOrder(await putBack(writing, table, batch.columns, kept, found)));
      const rows = batch.rows.filter((row) => !found.has(row));
      if (rows.length > 0) refused.push(...onlyOfOrder(await runBatch(writing, { ...batch, rows })));
    } else refused.push(...onlyOfOrder(await runBatch(writing, batch)));
  }
  await tryAgain(writing, refused, set.length);
}

/** @throws OracleError of a row that is refused for what it holds itself */
function onlyOfOrder(refused: readonly RefusedRow[]): readonly RefusedRow[] {
  const own = refused.find(({ error }) => !error.ofOrder);
  if (own !== undefined) throw own.error;
  return refused;
}

/** How often each row of a set may be sent again on average, and how often a small one. */
const SENT_AGAIN = 20;
const SENT_AGAIN_AT_LEAST = 1_000;

/**
 * Rows that were refused because of others are tried again, as long as some of them are taken: a parent may stand behind its child in the same
 * table, and a unique value may be free by now. @throws OracleError when none is taken any more
 */
async function tryAgain(writing: Writing, refused: readonly RefusedRow[], size: number): Promise<void> {
  let left = Math.max(SENT_AGAIN * size, SENT_AGAIN_AT_LEAST);
  for (let waiting = refused; waiting.length > 0;) {
    left -= waiting.length;
    const again: RefusedRow[] = [];
    const rows = waiting.map(({ row }) => row);
    for (const batch of planBatches(rows, writing.flushSize))
      again.push(...onlyOfOrder(await runBatch(writing, batch)));
    const [first] = again;
    if (first !== undefined && (again.length === waiting.length || left < 0)) throw first.error;
    waiting = again;
  }
}

/** False for a key that no row of the target can have: its row was refused when it came, and what mends that at the source sends its delete. */
async function mayBeThere({ tables }: Writing, change: ApplyMutation): Promise<boolean> {
  try {
    deleteStatement(await tables.at(change.table, [])).bind(readKey(change.key));
    return true;
  } catch (error) {
    if (error instanceof RefusedValue) return false;
    throw error;
  }
}

/** Oracle names the column of a NULL and of a text that is too long, and of no other value: so the values are read one by one. */
async function explain(
  { client, tables, undoable }: Writing,
  change: ApplyMutation,
  objection: Objection,
): Promise<{ readonly column: string | null; readonly reason: string }> {
  const { column, constraint } = objection.named;
  if (column !== undefined) return { column, reason: objection.message };
  if (change.after === null || constraint !== undefined) return { column: null, reason: objection.message };
  const columns = change.columns ?? [];
  const table = await tables.at(change.table, columns);
  const fields = createRowReader(columns)(change.after);
  for (const [place, name] of columns.entries()) {
    const found = columnOf(table.shape, name);
    const field = fields[place];
    const sql = found === null || found.generated ? null : columnStatement(found);
    if (found === null || field === undefined || sql === null) continue;
    const read = await undoable(() => client.execute(sql, [bindOf(found, field)], [bindKindOf(found.type)]));
    if (!('done' in read)) return { column: found.name, reason: read.message };
  }
  return { column: null, reason: objection.message };
}
