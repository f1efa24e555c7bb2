import type { ExtraColumns } from '../../domain/extra-columns.js';
import type { ColumnSet } from '../../domain/mutation.js';
import { formatTableName } from '../../domain/table.js';
import { SchemaMismatchError } from '../failures.js';
import type { Field } from '../row-reader.js';
import type { ApplyColumn, ApplyShape } from './apply-shape.js';
import type { Bind, BindKind } from './client.js';
import { matchName, quoteName, quoteTable } from './names.js';
import { bindKindOf, bindOf, keptSql, keySql, valueSql } from './types.js';

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

/** The target's column for a name of the source's; null when it lacks it. */
export function columnOf(shape: ApplyShape, name: string): ApplyColumn | null {
  return matchName(name, shape.columns, (column) => column.name);
}

export function mayLackColumns(extraColumns: ExtraColumns): boolean {
  return extraColumns === 'ignore' || typeof extraColumns === 'object';
}

/** A statement that runs once for each row of values. */
export interface RowStatement {
  readonly sql: string;
  readonly kinds: readonly BindKind[];
  /** The values of a row, or of a key, for it. @throws RefusedValue */
  bind(fields: readonly Field[]): readonly Bind[];
}

/**
 * MERGE of rows of one exact column set. They meet by the key alone: a row that meets another unique key is an error, never another row's
 * update (invariant 9). Columns that the target computes are left out.
 * @throws SchemaMismatchError when the target lacks a column
 */
export function upsertStatement(table: ApplyTable, columns: ColumnSet): RowStatement {
  const sources = numbered(sourcesOf(table, columns));
  const named = sources.map((source, i) => ({ ...source, alias: `s.c${i + 1}` }));
  const written = named.filter(({ column }) => !column.generated);
  const updated = written.filter(({ column }) => !table.key.includes(column));
  const matches = table.key.map((column) => {
    const alias = named.find((one) => one.column === column)?.alias;
    if (alias === undefined) throw lackingColumn(table.shape, column.name);
    return `t.${quoteName(column.name)} = ${asKey(column, alias)}`;
  });
  const sql = [
    `MERGE INTO ${quoteTable(table.shape.name)} t`,
    `USING (SELECT ${named.map(({ value }, i) => `${value} AS c${i + 1}`).join(', ')} FROM DUAL) s`,
    `ON (${matches.join(' AND ')})`,
    ...(updated.length === 0
      ? []
      : [
          `WHEN MATCHED THEN UPDATE SET ${updated.map(({ column, alias }) => `t.${quoteName(column.name)} = ${alias}`).join(', ')}`,
        ]),
    `WHEN NOT MATCHED THEN INSERT (${written.map(({ column }) => quoteName(column.name)).join(', ')})`,
    `VALUES (${written.map(({ alias }) => alias).join(', ')})`,
  ].join(' ');
  return statement(sql, sources);
}

/** Of a CHAR, the MERGE has the value with the length that it came with. */
function asKey(column: ApplyColumn, alias: string): string {
  const { kind } = column.type;
  return kind === 'char' || kind === 'nchar' ? keySql(column.type, alias) : alias;
}

/**
 * INSERT of rows of one exact column set that were deleted a moment ago, with the columns that the source does not send. Their texts, as
 * `keptStatement` gives them, are bound after the row's own values.
 * @throws SchemaMismatchError when the target lacks a column
 */
export function insertStatement(table: ApplyTable, columns: ColumnSet, kept: readonly ApplyColumn[]): RowStatement {
  const sources = numbered(sourcesOf(table, columns).filter(({ column }) => !column.generated));
  const keptValues = kept.map(({ type }, i) => valueSql(type, `:${sources.length + i + 1}`));
  const names = [...sources.map(({ column }) => column), ...kept].map(({ name }) => quoteName(name));
  const values = [...sources.map(({ value }) => value), ...keptValues];
  const { kinds, ...rest } = statement(
    `INSERT INTO ${quoteTable(table.shape.name)} (${names.join(', ')}) VALUES (${values.join(', ')})`,
    sources,
  );
  return { ...rest, kinds: [...kinds, ...kept.map(({ type }) => bindKindOf(type))] };
}

/** DELETE by key. */
export function deleteStatement(table: ApplyTable): RowStatement {
  return keyStatement(table, `DELETE FROM ${quoteTable(table.shape.name)} WHERE `);
}

/** UPDATE by key that empties columns, so that their values can go to other rows. */
export function parkStatement(table: ApplyTable, columns: readonly ApplyColumn[]): RowStatement {
  const emptied = columns.map(({ name }) => `${quoteName(name)} = NULL`).join(', ');
  return keyStatement(table, `UPDATE ${quoteTable(table.shape.name)} SET ${emptied} WHERE `);
}

/** SELECT by key of columns as texts that can be written back, named k1, k2, ... Null: one of them has no such text. */
export function keptStatement(table: ApplyTable, columns: readonly ApplyColumn[]): RowStatement | null {
  const texts: string[] = [];
  for (const { type, name } of columns) {
    const text = keptSql(type, quoteName(name));
    if (text === null) return null;
    texts.push(`${text} AS k${texts.length + 1}`);
  }
  const chosen = texts.length === 0 ? '1 AS k1' : texts.join(', ');
  return keyStatement(table, `SELECT ${chosen} FROM ${quoteTable(table.shape.name)} WHERE `);
}

/** Columns that the column set does not give and the target does not make itself. */
export function unsentColumns(table: ApplyTable, columns: ColumnSet): readonly ApplyColumn[] {
  const filled = new Set(sourcesOf(table, columns).map(({ column }) => column));
  return table.shape.columns.filter((column) => !column.generated && !filled.has(column));
}

/** Reads the value of one column only, as the upsert would; null: Oracle has no cast to its type that would not cut. */
export function columnStatement(column: ApplyColumn): string | null {
  const { kind, declared } = column.type;
  if (!CAST_REFUSES.has(kind)) return null;
  return `SELECT CAST(${valueSql(column.type, ':1')} AS ${declared}) AS c FROM DUAL`;
}

const CAST_REFUSES: ReadonlySet<string> = new Set([
  'number',
  'date',
  'timestamp',
  'timestamptz',
  'timestampltz',
  'interval ym',
  'interval ds',
]);

function keyStatement(table: ApplyTable, start: string): RowStatement {
  const matches = table.key.map(({ name, type }, i) => `${quoteName(name)} = ${keySql(type, `:${i + 1}`)}`);
  return {
    sql: `${start}${matches.join(' AND ')}`,
    kinds: table.key.map(({ type }) => bindKindOf(type)),
    bind: (fields) => table.key.map((column, i) => bindOf(column, fields[i] ?? NULL)),
  };
}

const NULL: Field = { kind: 'null', text: 'null' };

/** Where the value of a column comes from. */
interface Source {
  readonly column: ApplyColumn;
  readonly bind: (fields: readonly Field[]) => Bind;
}

/** With SQL of the value, which has one parameter. The driver takes them in the order in which they stand, whatever their numbers. */
function numbered(sources: readonly Source[]): readonly (Source & { readonly value: string })[] {
  return sources.map((source, i) => ({ ...source, value: valueSql(source.column.type, `:${i + 1}`) }));
}

function statement(sql: string, sources: readonly Source[]): RowStatement {
  return {
    sql,
    kinds: sources.map(({ column }) => bindKindOf(column.type)),
    bind: (fields) => sources.map((source) => source.bind(fields)),
  };
}

/** @throws SchemaMismatchError when the target lacks a column, or takes no value for one that is sent */
function sourcesOf(table: ApplyTable, columns: ColumnSet): readonly Source[] {
  const given: { readonly column: ApplyColumn; readonly place: number }[] = [];
  const lacking: { readonly name: string; readonly place: number }[] = [];
  for (const [place, name] of columns.entries()) {
    const column = columnOf(table.shape, name);
    if (column !== null) given.push({ column, place });
    else if (mayLackColumns(table.extraColumns)) lacking.push({ name, place });
    else throw lackingColumn(table.shape, name);
  }
  const own = new Set(given.map(({ column }) => column));
  const collecting = collectingColumn(table, own, lacking.length === 0 ? null : lacking.map(({ name }) => name));
  const always = given.find(({ column }) => column.identityAlways)?.column;
  if (always !== undefined) throw identityAlways(table.shape, always);
  const sources: Source[] = given
    .filter(({ column }) => !column.generated || table.key.includes(column))
    .map(({ column, place }) => ({ column, bind: (fields) => bindOf(column, fields[place] ?? NULL) }));
  if (collecting !== null) sources.push({ column: collecting, bind: (fields) => objectOf(lacking, fields) });
  return sources;
}

/** JSON text of an object of fields. */
function objectOf(
  lacking: readonly { readonly name: string; readonly place: number }[],
  fields: readonly Field[],
): string {
  const members = lacking.map(({ name, place }) => {
    const { kind, text } = fields[place] ?? NULL;
    return `${JSON.stringify(name)}: ${kind === 'string' ? JSON.stringify(text) : text}`;
  });
  return `{${members.join(', ')}}`;
}

/**
 * The column that takes what the target lacks. It is written when nothing lacks, too: a column that the target has got meanwhile must not
 * stay in the object. Null: nothing is collected in this table.
 */
function collectingColumn(
  { shape, extraColumns }: ApplyTable,
  own: ReadonlySet<ApplyColumn>,
  lacking: readonly string[] | null,
): ApplyColumn | null {
  if (typeof extraColumns !== 'object') return null;
  const column = columnOf(shape, extraColumns.into);
  if (column !== null && !own.has(column)) return column;
  if (lacking === null) return null;
  throw column !== null
    ? new SchemaMismatchError(
        formatTableName(shape.name),
        null,
        `the source sends a column "${extraColumns.into}" of its own, so it cannot take ${lacking.join(', ')}: name another column in apply.extraColumns`,
      )
    : lackingColumn(shape, extraColumns.into, 'CLOB');
}

function lackingColumn(shape: ApplyShape, name: string, type = '...'): SchemaMismatchError {
  return new SchemaMismatchError(
    formatTableName(shape.name),
    name,
    `ALTER TABLE ${quoteTable(shape.name)} ADD (${quoteName(name.toUpperCase())} ${type})${type === '...' ? ' with the type that the column has on the source' : ''}`,
  );
}

function identityAlways(shape: ApplyShape, column: ApplyColumn): SchemaMismatchError {
  return new SchemaMismatchError(
    formatTableName(shape.name),
    null,
    `Oracle takes no value for this column: ALTER TABLE ${quoteTable(shape.name)} MODIFY (${quoteName(column.name)} GENERATED BY DEFAULT AS IDENTITY)`,
  );
}
