import type { ExtraColumns } from '../../domain/extra-columns.js';
import type { ColumnSet } from '../../domain/mutation.js';
import { formatTableName } from '../../domain/table.js';
import { SchemaMismatchError } from '../failures.js';
import { createRowReader, readKey, type Field } from '../row-reader.js';
import { Objection } from '../session/objection.js';
import type { ApplyColumn, ApplyShape } from './apply-shape.js';
import { quoteName, quoteTable } from './names.js';
import { foldsWhenCompared, UnfitValueError } from './types.js';

/** A target table and the columns of the stream's key, in the order of the changefeed's keys. */
export interface ApplyTable {
  readonly shape: ApplyShape;
  readonly key: readonly ApplyColumn[];
  /** What becomes of the source's columns that it lacks. */
  readonly extraColumns: ExtraColumns;
}

/**
 * The target's table for statements.
 * @throws SchemaMismatchError when a key column is missing
 */
export function applyTable(shape: ApplyShape, keyColumns: readonly string[], extraColumns: ExtraColumns): ApplyTable {
  const keyColumn = (name: string): ApplyColumn => {
    const column = columnOf(shape, name);
    if (column === null) throw lackingColumn(shape, name);
    return column;
  };
  return { shape, key: keyColumns.map(keyColumn), extraColumns };
}

/** The target's column for a name of the source's; null when it lacks it. Two columns never differ in case alone. */
export function columnOf(shape: ApplyShape, name: string): ApplyColumn | null {
  return shape.columns.find((column) => column.name.toLowerCase() === name.toLowerCase()) ?? null;
}

/** Writes rows of one exact column set. */
export interface RowWriter {
  /** The columns that are written: those that the row gives and the target does not compute itself. */
  readonly columns: readonly ApplyColumn[];
  /** SQL of each of their values. @throws Objection */
  values(row: Uint8Array): readonly string[];
}

/** @throws SchemaMismatchError when the target lacks a column */
export function createRowWriter(table: ApplyTable, columns: ColumnSet): RowWriter {
  const { given, lacking } = splitColumns(table, columns);
  const collecting = collectingColumn(table, given, lacking);
  const read = createRowReader(columns);
  const written = given.flatMap(({ column }, place) =>
    column === null || column.generated ? [] : [{ column, place }],
  );
  return {
    columns: [...written.map(({ column }) => column), ...(collecting === null ? [] : [collecting])],
    values(row) {
      const fields = read(row);
      const values = written.map(({ column, place }) => valueSql(column, fields[place]));
      if (collecting !== null) {
        const lacked = given.flatMap(({ name, column }, place) =>
          column === null ? [[name, fields[place]] as const] : [],
        );
        values.push(valueSql(collecting, objectOf(lacked)));
      }
      return values;
    },
  };
}

/** In place of a number of the server's: it has not been asked. */
const UNFIT = 'unfit-value';

function valueSql(column: ApplyColumn, field: Field | undefined): string {
  if (field === undefined) throw new Error(`a row or key has no value for column "${column.name}"`);
  try {
    return column.write(field);
  } catch (error) {
    throw error instanceof UnfitValueError
      ? new Objection(error.message, UNFIT, false, { column: column.name })
      : error;
  }
}

/** SQL of the values of a key. @throws Objection where no row of the table can have this key */
export function keyValues({ key }: ApplyTable, text: Uint8Array): readonly string[] {
  const fields = readKey(text);
  return key.map((column, i) => valueSql(column, fields[i]));
}

/** The statement around rows, each in parentheses, that are inserted. */
export interface AroundRows {
  readonly before: string;
  readonly behind: string;
}

export function insertSql({ shape }: ApplyTable, columns: readonly ApplyColumn[]): AroundRows {
  return {
    before: `INSERT INTO ${quoteTable(shape.name)} (${columns.map(({ name }) => quoteName(name)).join(', ')}) VALUES `,
    behind: '',
  };
}

/**
 * INSERT ... ON DUPLICATE KEY UPDATE, which fires on any unique key, even on one that was added after we looked. A row that has another key
 * than the one it meets must not become that row's update (invariant 9): then an addition overflows, and the statement is undone.
 */
export function upsertSql(table: ApplyTable, columns: readonly ApplyColumn[]): AroundRows {
  const updated = columns.filter((column) => !table.key.includes(column));
  const bearer = table.key.find((column) => !column.generated) ?? updated[0];
  if (bearer === undefined) return insertSql(table, columns);
  const name = quoteName(bearer.name);
  const own = table.key.map((column) => isSameSql(column, quoteName(column.name), `VALUES(${quoteName(column.name)})`));
  const kept = table.shape.columns.filter((column) => column.changesItself && !columns.includes(column));
  const assignments = [
    // Of an OR, what follows a true part is not computed; and what depends on a column is not computed in advance.
    `${name} = IF((${own.join(' AND ')}) OR (~0 + (1 + (${name} IS NULL))) > 0, VALUES(${name}), ${name})`,
    ...updated
      .filter((column) => column !== bearer)
      .map((column) => `${quoteName(column.name)} = VALUES(${quoteName(column.name)})`),
    ...kept.map((column) => `${quoteName(column.name)} = ${quoteName(column.name)}`),
  ];
  return { ...insertSql(table, columns), behind: ` ON DUPLICATE KEY UPDATE ${assignments.join(', ')}` };
}

function isSameSql(column: ApplyColumn, a: string, b: string): string {
  return foldsWhenCompared(column.type) ? `${a} = ${b} AND ${charactersSql(a)} = ${charactersSql(b)}` : `${a} = ${b}`;
}

/** The very characters of a text, as bytes: the column's collation may take `a` for `A`, and most take `a` for `a` with a space behind it. */
function charactersSql(value: string): string {
  return `CAST(CONVERT(${value} USING utf8mb4) AS BINARY)`;
}

/** The condition under which `row` of the table has one of these keys, each as `keyValues` gives it. */
export function keysSql({ key }: ApplyTable, keys: readonly (readonly string[])[], row = ''): string {
  const names = key.map(({ name }) => `${row}${quoteName(name)}`);
  const tuple = (parts: readonly string[]): string => (parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(', ')})`);
  const list = keys.map(tuple).join(', ');
  const found = `${tuple(names)} IN (${list})`;
  if (!key.some(({ type }) => foldsWhenCompared(type))) return found;
  // The first condition finds by the index, the second one tells what the collation does not.
  const characters = names.map((name, i) =>
    key[i] !== undefined && foldsWhenCompared(key[i].type) ? charactersSql(name) : name,
  );
  return `${found} AND ${tuple(characters)} IN (${list})`;
}

export function deleteSql(table: ApplyTable, keys: readonly (readonly string[])[]): string {
  return `DELETE FROM ${quoteTable(table.shape.name)} WHERE ${keysSql(table, keys)}`;
}

/** Columns that are not written with these and that the target does not make itself. */
export function unsentColumns({ shape }: ApplyTable, columns: readonly ApplyColumn[]): readonly ApplyColumn[] {
  return shape.columns.filter((column) => !column.generated && !columns.includes(column));
}

interface GivenColumn {
  readonly name: string;
  /** Null: the target lacks it, and may. */
  readonly column: ApplyColumn | null;
}

/** @throws SchemaMismatchError when the target lacks a column and may lack none */
function splitColumns(table: ApplyTable, columns: ColumnSet): { given: readonly GivenColumn[]; lacking: ColumnSet } {
  const given = columns.map((name) => ({ name, column: columnOf(table.shape, name) }));
  const lacking = given.filter(({ column }) => column === null).map(({ name }) => name);
  if (lacking[0] !== undefined && !mayLackColumns(table.extraColumns)) throw lackingColumn(table.shape, lacking[0]);
  return { given, lacking };
}

export function mayLackColumns(extraColumns: ExtraColumns): boolean {
  return extraColumns === 'ignore' || typeof extraColumns === 'object';
}

/**
 * The column that takes what the target lacks. It is written when nothing lacks, too: a column that the target has got meanwhile must not
 * stay in the object. Null: nothing is collected in this table.
 */
function collectingColumn(
  { shape, extraColumns }: ApplyTable,
  given: readonly GivenColumn[],
  lacking: ColumnSet,
): ApplyColumn | null {
  if (typeof extraColumns !== 'object') return null;
  const column = columnOf(shape, extraColumns.into);
  const own = column !== null && given.some((one) => one.column === column);
  if (column !== null && !own) return column;
  if (lacking.length === 0) return null;
  throw own
    ? new SchemaMismatchError(
        formatTableName(shape.name),
        null,
        `the source sends a column "${extraColumns.into}" of its own, so it cannot take ${lacking.join(', ')}: name another column in apply.extraColumns`,
      )
    : lackingColumn(shape, extraColumns.into, 'json');
}

/** Joined, not parsed: every value stays the text that CockroachDB wrote (invariant 7). */
function objectOf(fields: readonly (readonly [string, Field | undefined])[]): Field {
  const pairs = fields.map(([name, field]) => {
    const { kind, text } = field ?? { kind: 'null', text: 'null' };
    return `${JSON.stringify(name)}: ${kind === 'string' ? JSON.stringify(text) : text}`;
  });
  return { kind: 'json', text: `{${pairs.join(', ')}}` };
}

function lackingColumn(shape: ApplyShape, name: string, type = '...'): SchemaMismatchError {
  return new SchemaMismatchError(
    formatTableName(shape.name),
    name,
    `ALTER TABLE ${quoteTable(shape.name)} ADD COLUMN ${quoteName(name)} ${type};${type === '...' ? ' with the type that the column has on the source' : ''}`,
  );
}
