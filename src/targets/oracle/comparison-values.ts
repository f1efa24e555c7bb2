import { canonicalDecimal } from '../../domain/decimal-text.js';
import { parseSourceType } from '../../domain/source-type.js';
import type { ComparedColumn } from '../snapshot.js';
import { parseDeclared } from './column-type.js';
import { RefusedValue } from './errors.js';
import { intervalDayToSecond, intervalYearToMonth } from './interval-text.js';
import { dateText, timestampText } from './timestamp-text.js';
import { bindOf, type ColumnType, type TypedColumn } from './types.js';

/** A compared column's type on both sides. */
export interface ComparedType {
  readonly name: string;
  readonly type: ColumnType;
  /** CockroachDB's base type. */
  readonly from: string;
  readonly fromArray: boolean;
}

export function comparedTypeOf({ target, targetType, sourceType = 'string' }: ComparedColumn): ComparedType {
  const { base: from, array: fromArray } = parseSourceType(sourceType);
  return { name: target, type: parseDeclared(targetType), from, fromArray };
}

/** Compared by value, outside of the server: the spelling says nothing. */
export function isJson({ type, from, fromArray }: ComparedType): boolean {
  return type.json || type.kind === 'json' || ((from === 'jsonb' || fromArray) && TEXTS.has(type.kind));
}

const TEXTS: ReadonlySet<string> = new Set(['varchar', 'nvarchar', 'char', 'nchar', 'clob', 'nclob', 'other']);
const PADDED: ReadonlySet<string> = new Set(['char', 'nchar']);

/**
 * The source's text in the spelling of `fromTarget`, so that two values are the same where two texts are. An empty text, and no bytes, are NULL:
 * to Oracle they are one. What no value of the column can be stays different from all of them.
 */
export function fromSource(compared: ComparedType, text: string): string | null {
  if (isJson(compared)) return text;
  try {
    return spelled(compared, text);
  } catch (error) {
    if (error instanceof RefusedValue) return `not ${compared.type.declared}: ${text}`;
    throw error;
  }
}

function spelled(compared: ComparedType, text: string): string | null {
  const { type, from } = compared;
  switch (type.kind) {
    case 'number':
      return from === 'bool' ? flag(text) : canonicalDecimal(text);
    case 'binary_double':
      return double(text);
    case 'binary_float':
      return single(text);
    case 'boolean':
      return flag(text);
    case 'raw':
    case 'blob':
      return orNull(text.startsWith('\\x') ? text.slice(2) : text.replaceAll('-', ''));
    case 'date':
      return dateText(compared, text);
    case 'timestamp':
    case 'timestamptz':
    case 'timestampltz':
      return timestampText(compared, text);
    case 'interval ds':
      return intervalDayToSecond(compared, text);
    case 'interval ym':
      return intervalYearToMonth(compared, text);
    default:
      if (from === 'bool') return type.length === 1 ? flag(text) : isTrue(text) ? 'true' : 'false';
      return orNull(PADDED.has(type.kind) ? text.replace(/ +$/, '') : text);
  }
}

/** The target's text of a value in one spelling only. */
export function fromTarget(compared: ComparedType, shown: string): string | null {
  if (isJson(compared)) return shown;
  switch (compared.type.kind) {
    case 'number':
      // Oracle writes no zero before the point.
      return canonicalDecimal(shown.trim().replace(/^(-?)\./, '$10.'));
    case 'binary_double':
      return double(shown);
    case 'binary_float':
      return single(shown);
    case 'raw':
    case 'blob':
      return orNull(shown.toLowerCase());
    case 'date':
    case 'timestamp':
    case 'timestamptz':
    case 'timestampltz':
      // The year's sign is a space.
      return shown.trim();
    case 'interval ds':
      return dayToSecond(shown);
    case 'interval ym':
      return yearToMonth(shown);
    default:
      return orNull(PADDED.has(compared.type.kind) ? shown.replace(/ +$/, '') : shown);
  }
}

function isTrue(text: string): boolean {
  return text === 't' || text === 'true';
}

function flag(text: string): string {
  return isTrue(text) ? '1' : '0';
}

function orNull(text: string): string | null {
  return text === '' ? null : text;
}

/** Oracle keeps no minus zero, and spells what is no number with capitals of its own. */
function double(text: string): string {
  const word = /^\s*([+-]?)(?:inf|infinity)\s*$/i.exec(text);
  const value = word === null ? Number(text) : word[1] === '-' ? -Infinity : Infinity;
  return String(value === 0 ? 0 : value);
}

function single(text: string): string {
  const value = Math.fround(Number(double(text)));
  return String(value === 0 ? 0 : value);
}

/** `+000000003 04:05:06.789000` */
function dayToSecond(shown: string): string {
  const [, sign = '+', days = '0', clock = '', fraction = ''] =
    /^\s*([+-]?)0*(\d+) (\d\d:\d\d:\d\d)(?:\.(\d+))?\s*$/.exec(shown) ?? [];
  return clock === '' ? shown : `${sign === '-' ? '-' : '+'}${days} ${clock}.${fraction.padEnd(9, '0')}`;
}

/** `+000000001-02` */
function yearToMonth(shown: string): string {
  const [, sign = '+', years, months = ''] = /^\s*([+-]?)0*(\d+)-(\d+)\s*$/.exec(shown) ?? [];
  return years === undefined ? shown : `${sign === '-' ? '-' : '+'}${years}-${months}`;
}

/**
 * What is bound to find a key. Null: no row can have it, as with an empty text.
 * @throws RefusedValue where no value of the column is meant
 */
export function lookupBind(compared: ComparedType, text: string): string | null {
  const { type, from } = compared;
  if (type.kind === 'raw') return spelled(compared, text);
  const column: TypedColumn = { name: compared.name, type };
  const field =
    from === 'bool'
      ? ({ kind: 'bool', text: isTrue(text) ? 'true' : 'false' } as const)
      : ({ kind: 'string', text } as const);
  const bind = bindOf(column, field);
  return typeof bind === 'string' ? bind : null;
}

/** A key's column as the source reads it, from the text that `fromTarget` gives. */
export function asSourceReads({ type, from }: ComparedType, text: string): string {
  if (from === 'bool') return text === '1' || text === 'true' ? 't' : 'f';
  switch (type.kind) {
    case 'raw':
      return from === 'uuid' ? text.replace(/^(.{8})(.{4})(.{4})(.{4})(.*)$/, '$1-$2-$3-$4-$5') : `\\x${text}`;
    case 'date':
    case 'timestamp':
    case 'timestamptz':
    case 'timestampltz':
      return momentForSource(from, text);
    case 'interval ds':
      return from === 'time' ? text.replace(/^\+0 /, '') : text;
    default:
      return text;
  }
}

/** To both sides no year is 0 where BC is written. */
function momentForSource(from: string, text: string): string {
  const [, bc, moment = text] = /^(-?)(.*)$/s.exec(text) ?? [];
  const shown =
    from === 'date' ? moment.slice(0, moment.indexOf(' ')) : `${moment}${from === 'timestamptz' ? '+00' : ''}`;
  return bc === '-' ? `${shown} BC` : shown;
}
