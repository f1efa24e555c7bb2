import type { Field } from '../row-reader.js';
import type { Bind, BindKind } from './client.js';
import { RefusedValue } from './errors.js';
import { intervalDayToSecond, intervalYearToMonth } from './interval-text.js';
import { isExactIn } from './number-text.js';
import { dateText, timestampText, timestampZoneText } from './timestamp-text.js';

/**
 * How the JSON text of a changefeed becomes a value of an Oracle column. No number passes through JavaScript's (invariant 7). What Oracle would
 * change in silence (it rounds numbers and fractions of seconds) is refused before it is sent; what it refuses itself is left to it.
 */

export type OracleKind =
  | 'number'
  | 'binary_float'
  | 'binary_double'
  | 'varchar'
  | 'nvarchar'
  | 'char'
  | 'nchar'
  | 'clob'
  | 'nclob'
  | 'raw'
  | 'blob'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'timestampltz'
  | 'interval ym'
  | 'interval ds'
  | 'boolean'
  | 'json'
  | 'other';

/** The type of a target column, as `readApplyShape` finds it. */
export interface ColumnType {
  /** As ALL_TAB_COLUMNS has it, with its limits: `NUMBER(12,2)`. */
  readonly declared: string;
  readonly kind: OracleKind;
  /** Decimal digits of a number; null: 38, at any scale. */
  readonly precision: number | null;
  /** A FLOAT: its digits count from the first one on, wherever the point is. */
  readonly floating?: true;
  /** Digits behind the point, of a number or of seconds; null: as many as fit. */
  readonly scale: number | null;
  /** Characters, or bytes, of a text. */
  readonly length: number | null;
  /** A text column with an IS JSON constraint. */
  readonly json: boolean;
  readonly notNull: boolean;
}

export interface TypedColumn {
  readonly name: string;
  readonly type: ColumnType;
}

/** As what the column's values are sent. */
export function bindKindOf({ kind }: ColumnType): BindKind {
  if (kind === 'raw' || kind === 'blob') return 'bytes';
  return kind === 'nvarchar' || kind === 'nchar' || kind === 'nclob' ? 'national' : 'text';
}

export const DATE_FORMAT = 'SYYYY-MM-DD HH24:MI:SS';
export const TIMESTAMP_FORMAT = `${DATE_FORMAT}.FF9`;
export const TIMESTAMP_TZ_FORMAT = `${TIMESTAMP_FORMAT} TZH:TZM`;

/** SQL of the column's value; `source` is SQL of what `bindOf` gives. Session settings play no part in it. */
export function valueSql({ kind }: ColumnType, source: string): string {
  switch (kind) {
    case 'number':
      return `CAST(${source} AS NUMBER)`;
    case 'binary_float':
      return `TO_BINARY_FLOAT(${source})`;
    case 'binary_double':
      return `TO_BINARY_DOUBLE(${source})`;
    case 'date':
      return `TO_DATE(${source}, '${DATE_FORMAT}')`;
    case 'timestamp':
      return `TO_TIMESTAMP(${source}, '${TIMESTAMP_FORMAT}')`;
    case 'timestamptz':
    case 'timestampltz':
      return `TO_TIMESTAMP_TZ(${source}, '${TIMESTAMP_TZ_FORMAT}')`;
    case 'interval ym':
      return `CAST(${source} AS INTERVAL YEAR(9) TO MONTH)`;
    case 'interval ds':
      return `CAST(${source} AS INTERVAL DAY(9) TO SECOND(9))`;
    case 'boolean':
      return `CAST(${source} AS BOOLEAN)`;
    case 'json':
      return `JSON(${source})`;
    case 'varchar':
    case 'nvarchar':
    case 'char':
    case 'nchar':
    case 'clob':
    case 'nclob':
    case 'raw':
    case 'blob':
    case 'other':
      return source;
  }
}

/** SQL of a key column's value. A CHAR is compared with a CHAR, whose length does not count, and nothing is cut: a longer key finds nothing. */
export function keySql(type: ColumnType, source: string): string {
  if (type.kind === 'char') return `CAST(${source} AS CHAR(2000))`;
  if (type.kind === 'nchar') return `CAST(${source} AS NCHAR(1000))`;
  return valueSql(type, source);
}

/** SQL of the text from which `valueSql` makes the same value again; null: there is none. A LOB comes back whole. */
export function keptSql({ kind }: ColumnType, column: string): string | null {
  switch (kind) {
    case 'date':
      return `TO_CHAR(${column}, '${DATE_FORMAT}')`;
    case 'timestamp':
      return `TO_CHAR(${column}, '${TIMESTAMP_FORMAT}')`;
    case 'timestamptz':
    case 'timestampltz':
      return `TO_CHAR(${column}, '${TIMESTAMP_TZ_FORMAT}')`;
    case 'raw':
      return `RAWTOHEX(${column})`;
    case 'number':
      // Without a format, Oracle rounds to 40 characters.
      return `TO_CHAR(${column}, 'TM9')`;
    case 'varchar':
    case 'nvarchar':
    case 'char':
    case 'nchar':
    case 'clob':
    case 'nclob':
      return column;
    case 'binary_float':
    case 'binary_double':
    case 'blob':
    case 'interval ym':
    case 'interval ds':
    case 'boolean':
    case 'json':
    case 'other':
      return null;
  }
}

/** What `valueSql` takes, from the text that `keptSql` has given. */
export function keptBind({ kind }: ColumnType, text: string | null): Bind {
  return kind === 'raw' && text !== null ? Buffer.from(text, 'hex') : text;
}

/** What is sent of a value. @throws RefusedValue */
export function bindOf(column: TypedColumn, field: Field): Bind {
  const { kind, notNull, json } = column.type;
  if (field.kind === 'null') {
    // The changefeed writes JSON null and SQL NULL alike; in a NOT NULL column it can only be the former.
    return notNull && (json || kind === 'json') ? 'null' : null;
  }
  if (json || kind === 'json') return field.kind === 'string' ? JSON.stringify(whole(column, field.text)) : field.text;
  switch (kind) {
    case 'number':
      return numberBind(column, field);
    case 'binary_float':
    case 'binary_double':
      return floatBind(column, field);
    case 'boolean':
      return field.text;
    case 'raw':
    case 'blob':
      return filled(column, bytesBind(column, field.text));
    case 'date':
      return dateText(column, field.text);
    case 'timestamp':
      return timestampText(column, field.text);
    case 'timestamptz':
    case 'timestampltz':
      return timestampZoneText(column, field.text);
    case 'interval ym':
      return intervalYearToMonth(column, field.text);
    case 'interval ds':
      return intervalDayToSecond(column, field.text);
    case 'varchar':
    case 'nvarchar':
    case 'char':
    case 'nchar':
    case 'clob':
    case 'nclob':
    case 'other':
      return filled(column, whole(column, field.kind === 'bool' ? boolText(column, field.text) : field.text));
  }
}

/** A column of one character is what stood for a boolean before there was one. */
function boolText({ type }: TypedColumn, text: string): string {
  return type.length === 1 ? flag(text) : text;
}

function flag(text: string): string {
  return text === 'true' ? '1' : '0';
}

function numberBind(column: TypedColumn, { kind, text }: Field): string {
  if (kind === 'bool') return flag(text);
  const { precision, scale, declared, floating } = column.type;
  switch (isExactIn(text, { precision, scale, floating: floating === true })) {
    case 'exact':
      return text;
    case 'rounded':
      throw new RefusedValue(column.name, 'ORA-01438', `the value does not fit ${declared}: it would be rounded`);
    case 'no number':
      throw new RefusedValue(column.name, 'ORA-01722', `the value is no number that ${declared} can hold`);
  }
}

/** Oracle knows both infinities by three letters only. */
function floatBind(column: TypedColumn, { kind, text }: Field): string {
  if (kind === 'bool') return flag(text);
  if (text === 'Infinity') return 'INF';
  if (text === '-Infinity') return '-INF';
  const value = Number(text);
  if (text === '' || (Number.isNaN(value) && text !== 'NaN'))
    throw new RefusedValue(column.name, 'ORA-01722', `the value is no number that ${column.type.declared} can hold`);
  const held = column.type.kind === 'binary_float' ? Math.fround(value) : value;
  if (Math.abs(held) === Infinity)
    throw new RefusedValue(column.name, 'ORA-01426', `the value is beyond what ${column.type.declared} can hold`);
  return text;
}

const BYTES = /^\\x((?:[0-9a-f]{2})*)$/i;
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

function bytesBind(column: TypedColumn, text: string): Buffer {
  const hex = UUID.test(text) ? text.replaceAll('-', '') : BYTES.exec(text)?.[1];
  if (hex === undefined)
    throw new RefusedValue(
      column.name,
      'ORA-01465',
      `the value is neither bytes nor a UUID, and the column is ${column.type.declared}`,
    );
  return Buffer.from(hex, 'hex');
}

/** Oracle has no empty text and no empty bytes: they are NULL. */
function filled<Value extends string | Buffer>(column: TypedColumn, value: Value): Value | null {
  if (value.length > 0) return value;
  if (column.type.notNull)
    throw new RefusedValue(
      column.name,
      'ORA-01400',
      'the value is empty, which to Oracle is NULL, and the column is NOT NULL: let it take NULL (ALTER TABLE ... MODIFY (... NULL))',
    );
  return null;
}

/** Half of a surrogate pair would become another character on the way. */
function whole(column: TypedColumn, text: string): string {
  if (/\p{Surrogate}/u.test(text))
    throw new RefusedValue(column.name, 'ORA-01461', 'it holds half of a surrogate pair, which is no character');
  return text;
}
