import { parseSourceType, type SourceType } from '../../domain/source-type.js';
import type { SourceColumn } from '../../domain/source-table.js';
import type { TargetColumn } from './table-shape.js';

/**
 * How a target column takes the values of a source column.
 * - `fits`: every value arrives as it is.
 * - `narrower`: some value is refused, so the stream halts at it.
 * - `rounds`: some value is changed silently.
 * - `incompatible`: the target reads another kind of value.
 * - `unsupported`: the source's type cannot be carried.
 */
export type ColumnFit = 'fits' | 'narrower' | 'rounds' | 'incompatible' | 'unsupported';

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

/** Where any value may be kept as the source spells it. */
const TEXT = ['text', 'character varying', 'citext'];
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
    if (['smallint', 'integer', 'oid'].includes(target.base)) return 'narrower';
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
  (_source, target) => {
    if (wide.includes(target.base)) return 'fits';
    if (target.base === 'real') return 'rounds';
    return target.base === 'numeric' && target.limits.length === 0 ? 'fits' : 'incompatible';
  };

/** Texts count characters on both sides. */
const text: Fit = (source, target) => {
  if (target.base === 'text' || target.base === 'citext') return 'fits';
  const padded = target.base === 'character';
  if (!padded && target.base !== 'character varying') return target.base === 'name' ? 'narrower' : 'incompatible';
  const room = target.limits[0] ?? (padded ? 1 : Infinity);
  return room >= (source.limits[0] ?? Infinity) ? 'fits' : 'narrower';
};

const bits: Fit = (source, target) => {
  const length = source.limits[0] ?? Infinity;
  if (target.base === 'bit varying') return (target.limits[0] ?? Infinity) >= length ? 'fits' : 'narrower';
  if (target.base !== 'bit') return 'incompatible';
  return source.base === 'bit' && (target.limits[0] ?? 1) === length ? 'fits' : 'narrower';
};

const time =
  (base: string): Fit =>
  (source, target) => {
    if (target.base !== base) return 'incompatible';
    return (target.limits[0] ?? MICROSECONDS) >= (source.limits[0] ?? MICROSECONDS) ? 'fits' : 'rounds';
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
  float4: float('double precision', 'real'),
  bool: isOneOf('boolean'),
  string: text,
  char: text,
  citext: text,
  name: isOneOf('name'),
  '"char"': isOneOf('"char"'),
  bytes: isOneOf('bytea'),
  date: isOneOf('date'),
  timestamp: time('timestamp without time zone'),
  timestamptz: time('timestamp with time zone'),
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
  const asText = !from.array && TEXT.includes(to.base);
  if (!fit && source.enumLabels === undefined) return 'unsupported';
  if (from.array !== to.array) return asText ? text(from, to) : 'incompatible';
  if (source.enumLabels !== undefined) return enumFit(source.enumLabels, target, to);
  const result = fit?.(from, to) ?? 'unsupported';
  if (result !== 'incompatible' || !asText) return result;
  // Kept as the source spells it: any length may come.
  return to.base === 'character varying' && to.limits.length > 0 ? 'narrower' : 'fits';
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
  float4: 'real',
  bool: 'boolean',
  string: 'text',
  citext: 'text',
  char: 'text',
  bytes: 'bytea',
  varbit: 'bit varying',
};

function scalarType(from: SourceType): string | null {
  if (FITS[from.base] === undefined) return null;
  const limits = from.limits.length === 0 ? '' : `(${from.limits.join(',')})`;
  if (from.base === 'string' || from.base === 'char')
    return from.limits.length === 0 ? 'text' : `character varying${limits}`;
  return `${NAMES[from.base] ?? from.base}${limits}`;
}
