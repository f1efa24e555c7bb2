import { parseSourceType, type SourceType } from '../../domain/source-type.js';
import type { SourceColumn } from '../../domain/source-table.js';
import type { TargetColumn } from './table-shape.js';

/**
 * How a target column takes the values of a source column.
 * - `fits`: every value arrives as it is.
 * - `converts`: every value arrives, in a form that says a little less (`conversionOf`).
 * - `narrower`: some value is refused, so the stream halts at it.
 * - `rounds`: the target keeps fewer digits. What it would round is refused like that, except by `real`, which cannot tell.
 * - `incompatible`: the target reads another kind of value.
 * - `unsupported`: the source's type cannot be carried.
 */
export type ColumnFit = 'fits' | 'converts' | 'narrower' | 'rounds' | 'incompatible' | 'unsupported';

interface TypeText {
  readonly base: string;
  readonly limits: readonly number[];
  readonly array: boolean;
}

/** The numbers `10` and `2` and the name `numeric` of `numeric(10,2)`; the place of the brackets varies: `timestamp(3) with time zone`. */
export function parseTargetType(text: string): TypeText {
  const array = text.endsWith('[]');
  const scalar = array ? text.slice(0, -2) : text;
  const limits = /\(([\d,-]+)\)/.exec(scalar);
  return {
    base: scalar.replace(/\([\d,-]+\)/, ''),
    limits: (limits?.[1] ?? '').split(',').flatMap((part) => (part === '' ? [] : [Number(part)])),
    array,
  };
}

/** Where a value may be kept as the source spells it. */
const TEXT = ['text', 'character varying', 'citext'];
/**
 * Types that the changefeed and SQL spell alike, with the length of the longest spelling: kept as text, the comparison can tell that nothing
 * was lost. (Not so `true` and `t`, `2024-02-29T12:00:00Z` and `2024-02-29 12:00:00+00`, `1E+300` and `1e+300`.)
 */
const SPELLED_ALIKE: Readonly<Record<string, number>> = {
  int8: 20,
  int4: 11,
  int2: 6,
  oid: 10,
  uuid: 36,
  time: 15,
  decimal: Infinity,
  date: Infinity,
  interval: Infinity,
  inet: Infinity,
  bytes: Infinity,
  bit: Infinity,
  varbit: Infinity,
  name: Infinity,
  '"char"': 1,
};
const MICROSECONDS = 6;

type Fit = (source: SourceType, target: TypeText) => ColumnFit;

const isOneOf =
  (...bases: readonly string[]): Fit =>
  (_source, target) =>
    bases.includes(target.base) ? 'fits' : 'incompatible';

const integer =
  (digits: number, ...wide: readonly string[]): Fit =>
  (_source, target) => {
    if (wide.includes(target.base)) return 'fits';
    if (['smallint', 'integer'].includes(target.base)) return 'narrower';
    if (target.base !== 'numeric') return 'incompatible';
    const [precision, scale = 0] = target.limits;
    if (precision === undefined) return 'fits';
    if (scale < 0) return 'rounds';
    return precision - scale >= digits ? 'fits' : 'narrower';
  };

const decimal: Fit = (source, target) => {
  if (target.base !== 'numeric') return 'incompatible';
  const [precision, scale = 0] = target.limits;
  if (precision === undefined) return 'fits';
  const [sourcePrecision, sourceScale = 0] = source.limits;
  if (sourcePrecision === undefined || sourceScale > scale) return 'rounds';
  return precision - scale >= sourcePrecision - sourceScale ? 'fits' : 'narrower';
};

const float =
  (...wide: readonly string[]): Fit =>
  (source, target) => {
    if (wide.includes(target.base)) return 'fits';
    if (target.base === 'real') return source.base === 'float4' ? 'converts' : 'rounds';
    return target.base === 'numeric' && target.limits.length === 0 ? 'converts' : 'incompatible';
  };

/** Texts count characters on both sides. */
const text: Fit = (source, target) => {
  if (target.base === 'text' || target.base === 'citext') return 'fits';
  const padded = target.base === 'character';
  if (!padded && target.base !== 'character varying') return target.base === 'name' ? 'narrower' : 'incompatible';
  const room = target.limits[0] ?? (padded ? 1 : Infinity);
  if (room < (source.limits[0] ?? Infinity)) return 'narrower';
  return padded && source.base !== 'char' ? 'converts' : 'fits';
};

const bits: Fit = (source, target) => {
  const length = source.limits[0] ?? Infinity;
  if (target.base === 'bit varying') return (target.limits[0] ?? Infinity) >= length ? 'fits' : 'narrower';
  if (target.base !== 'bit') return 'incompatible';
  return source.base === 'bit' && (target.limits[0] ?? 1) === length ? 'fits' : 'narrower';
};

const time =
  (base: string, zoneless?: string): Fit =>
  (source, target) => {
    if (target.base !== base && target.base !== zoneless) return 'incompatible';
    if ((target.limits[0] ?? MICROSECONDS) < (source.limits[0] ?? MICROSECONDS)) return 'rounds';
    return target.base === base ? 'fits' : 'converts';
  };

const interval: Fit = (source, target) => {
  if (target.base === 'interval') return time('interval')(source, target);
  return target.base.startsWith('interval') ? 'rounds' : 'incompatible';
};

/** By CockroachDB's type. Enums are apart; what is not here cannot be carried. */
const FITS: Readonly<Record<string, Fit>> = {
  int8: integer(19, 'bigint'),
  int4: integer(10, 'bigint', 'integer'),
  int2: integer(5, 'bigint', 'integer', 'smallint'),
  decimal,
  float8: float('double precision'),
  float4: float('double precision'),
  bool: isOneOf('boolean'),
  string: text,
  char: text,
  citext: text,
  // The target's hold 63 bytes and one byte; the source's hold any text and one character.
  name: (_source, target) => (target.base === 'name' ? 'narrower' : 'incompatible'),
  '"char"': (_source, target) => (target.base === '"char"' ? 'narrower' : 'incompatible'),
  bytes: isOneOf('bytea'),
  date: isOneOf('date'),
  timestamp: time('timestamp without time zone', 'timestamp with time zone'),
  timestamptz: time('timestamp with time zone', 'timestamp without time zone'),
  time: time('time without time zone'),
  timetz: time('time with time zone'),
  interval,
  uuid: isOneOf('uuid'),
  jsonb: isOneOf('jsonb', 'json'),
  inet: isOneOf('inet'),
  bit: bits,
  varbit: bits,
  oid: isOneOf('oid', 'bigint'),
  tsvector: isOneOf('tsvector'),
  tsquery: isOneOf('tsquery'),
  ltree: isOneOf('ltree'),
};

export function columnFit(source: SourceColumn, target: TargetColumn): ColumnFit {
  const from = parseSourceType(source.type);
  const to = parseTargetType(target.baseType);
  const fit = FITS[from.base];
  if (!fit && source.enumLabels === undefined) return 'unsupported';
  if (from.array !== to.array) return 'incompatible';
  if (source.enumLabels !== undefined) return enumFit(source.enumLabels, target, to);
  const result = fit?.(from, to) ?? 'unsupported';
  const longest = SPELLED_ALIKE[from.base];
  if (result !== 'incompatible' || from.array || longest === undefined || !TEXT.includes(to.base)) return result;
  return longest <= (to.limits[0] ?? Infinity) ? 'fits' : 'narrower';
}

/** What becomes of a value where the fit is `converts`. */
export function conversionOf(source: SourceColumn, target: TargetColumn): string {
  const from = parseSourceType(source.type).base;
  const to = parseTargetType(target.baseType).base;
  if (to === 'real') return 'CockroachDB keeps FLOAT4 with the digits of FLOAT8, the target the nearest real';
  if (to === 'numeric') return 'minus zero arrives as zero';
  if (to === 'character') return 'spaces at the end are not kept';
  return from === 'timestamptz' ? 'the time arrives as the clock of UTC, without its zone' : 'the time is read as UTC';
}

function enumFit(labels: readonly string[], target: TargetColumn, to: TypeText): ColumnFit {
  if (target.typeKind === 'e') return labels.every((label) => target.enumLabels.includes(label)) ? 'fits' : 'narrower';
  if (!TEXT.includes(to.base) && to.base !== 'character') return 'incompatible';
  const longest = Math.max(0, ...labels.map((label) => [...label].length));
  return longest <= (to.limits[0] ?? (to.base === 'character' ? 1 : Infinity)) ? 'fits' : 'narrower';
}

/** The target's type that takes every value of a source column; null where there is none. */
export function fittingType(source: SourceColumn): string | null {
  const from = parseSourceType(source.type);
  const scalar = source.enumLabels === undefined ? scalarType(from) : 'text';
  return scalar === null ? null : `${scalar}${from.array ? '[]' : ''}`;
}

/** CockroachDB's type -> PostgreSQL's name, and whether the limits go with it. */
const NAMES: Readonly<Record<string, string>> = {
  int8: 'bigint',
  int4: 'integer',
  int2: 'smallint',
  decimal: 'numeric',
  float8: 'double precision',
  // It holds the digits of FLOAT8.
  float4: 'double precision',
  bool: 'boolean',
  string: 'text',
  citext: 'text',
  char: 'text',
  bytes: 'bytea',
  varbit: 'bit varying',
  name: 'text',
  '"char"': 'text',
};

function scalarType(from: SourceType): string | null {
  if (FITS[from.base] === undefined) return null;
  const limits = from.limits.length === 0 ? '' : `(${from.limits.join(',')})`;
  if (from.base === 'string' || from.base === 'char')
    return from.limits.length === 0 ? 'text' : `character varying${limits}`;
  return `${NAMES[from.base] ?? from.base}${limits}`;
}
