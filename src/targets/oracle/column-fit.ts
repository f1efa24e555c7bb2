import { parseSourceType, type SourceType } from '../../domain/source-type.js';
import type { SourceColumn } from '../../domain/source-table.js';
import type { TargetColumn } from './table-shape.js';

/**
 * How a target column takes the values of a source column.
 * - `fits`: every value arrives as it is (but an empty text: to Oracle it is NULL, whatever the column).
 * - `bounded`: as far as the dialect reaches at all; what lies beyond is refused and halts the stream (`boundOf`).
 * - `converts`: every value arrives, in a form that says a little less (`conversionOf`).
 * - `narrower`: some value is refused, so the stream halts at it, and a wider type would take it.
 * - `rounds`: the target keeps fewer digits, and what it would round is refused like that.
 * - `incompatible`: the target reads another kind of value.
 * - `unsupported`: the source's type cannot be carried.
 */
export type ColumnFit = 'fits' | 'bounded' | 'converts' | 'narrower' | 'rounds' | 'incompatible' | 'unsupported';

type Fit = (source: SourceType, target: TargetColumn) => ColumnFit;

/** Digits that a NUMBER is sure to keep. */
const MOST_DIGITS = 38;
const MICROSECONDS = 6;
/** Where MAX_STRING_SIZE is STANDARD: characters of four bytes, and bytes. */
const LONGEST_VARCHAR = 1000;
const LONGEST_RAW = 2000;
const BYTES_OF_CHARACTER = 4;
const DAY_DIGITS = 9;

/**
 * Types that the changefeed and SQL spell alike, with the length of the longest spelling: kept as text, the comparison can tell that nothing
 * was lost.
 */
const SPELLED_ALIKE: Readonly<Record<string, number>> = {
  int8: 20,
  int4: 11,
  int2: 6,
  oid: 10,
  uuid: 36,
  time: 15,
  date: 16,
  interval: 80,
  inet: 49,
  decimal: Infinity,
  bytes: Infinity,
  bit: Infinity,
  varbit: Infinity,
  name: Infinity,
  '"char"': 1,
};

/** `varchar` is VARCHAR2. */
export function isText({ kind }: TargetColumn): boolean {
  return isLob(kind) || kind === 'varchar' || kind === 'nvarchar' || kind === 'char' || kind === 'nchar';
}

function isLob(kind: TargetColumn['kind']): boolean {
  return kind === 'clob' || kind === 'nclob';
}

const isPadded = ({ kind }: TargetColumn): boolean => kind === 'char' || kind === 'nchar';
const isNational = ({ kind }: TargetColumn): boolean => kind === 'nvarchar' || kind === 'nchar';

/** Letters, digits and signs of ASCII that a text column takes. */
function asciiRoom(target: TargetColumn): number {
  return isLob(target.kind) ? Infinity : (target.length ?? 0);
}

/** Whether a text column takes `characters` of them, whichever. A national one counts those beyond the 16 bits twice. */
function textFit(characters: number, target: TargetColumn): ColumnFit {
  if (!isText(target)) return 'incompatible';
  if (isLob(target.kind)) return 'fits';
  const length = target.length ?? 0;
  if (isNational(target)) return length >= 2 * characters ? 'fits' : length >= characters ? 'bounded' : 'narrower';
  if (!target.chars) return length >= BYTES_OF_CHARACTER * characters ? 'fits' : 'narrower';
  if (length < characters) return 'narrower';
  // 4,000 bytes are the end, however many characters were asked for.
  return characters <= LONGEST_VARCHAR ? 'fits' : 'bounded';
}

const text: Fit = (source, target) => {
  const fit = textFit(source.limits[0] ?? Infinity, target);
  return isPadded(target) && (fit === 'fits' || fit === 'bounded') ? 'converts' : fit;
};

/** Digits before the point that a NUMBER takes. */
function wholeDigits({ precision, scale }: TargetColumn): number {
  if (precision === null) return scale === null ? Infinity : MOST_DIGITS - scale;
  return precision - (scale ?? 0);
}

const integer =
  (digits: number): Fit =>
  (_source, target) => {
    // Whole numbers that a double holds all of.
    if (target.kind === 'binary_double') return digits <= 15 ? 'fits' : 'incompatible';
    if (target.kind === 'binary_float') return digits <= 7 ? 'fits' : 'incompatible';
    if (target.kind !== 'number') return 'incompatible';
    if (target.floating === true) return (target.precision ?? MOST_DIGITS) >= digits ? 'fits' : 'rounds';
    if ((target.scale ?? 0) < 0) return 'rounds';
    return wholeDigits(target) >= digits ? 'fits' : 'narrower';
  };

const decimal: Fit = (source, target) => {
  if (target.kind !== 'number') return 'incompatible';
  const [precision, scale = 0] = source.limits;
  const most = target.floating === true ? (target.precision ?? MOST_DIGITS) : MOST_DIGITS;
  const floats = target.floating === true || (target.precision === null && target.scale === null);
  if (floats)
    return most < Math.min(precision ?? MOST_DIGITS, MOST_DIGITS)
      ? 'rounds'
      : (precision ?? Infinity) <= most
        ? 'fits'
        : 'bounded';
  if (precision === undefined) return 'rounds';
  if (scale > (target.scale ?? 0)) return 'rounds';
  return wholeDigits(target) >= precision - scale ? 'fits' : 'narrower';
};

const float: Fit = (source, target) => {
  if (target.kind === 'binary_double') return 'bounded';
  // CockroachDB keeps FLOAT4 with the digits of FLOAT8.
  if (target.kind === 'binary_float') return source.base === 'float4' ? 'converts' : 'rounds';
  if (target.kind !== 'number') return 'incompatible';
  if (target.floating === true) return (target.precision ?? MOST_DIGITS) >= 17 ? 'bounded' : 'rounds';
  return target.precision === null && target.scale === null ? 'bounded' : 'incompatible';
};

const bool: Fit = (_source, target) => {
  if (target.kind === 'boolean') return 'fits';
  if (target.kind === 'number') return wholeDigits(target) >= 1 ? 'fits' : 'incompatible';
  if (!isText(target)) return 'incompatible';
  return target.length === 1 || asciiRoom(target) >= 5 ? 'converts' : 'narrower';
};

const bytes: Fit = (source, target) => {
  if (target.kind === 'blob') return 'fits';
  if (target.kind !== 'raw') return 'incompatible';
  return (target.length ?? 0) >= (source.limits[0] ?? Infinity) ? 'fits' : 'narrower';
};

const uuid: Fit = (_source, target) => {
  if (target.kind !== 'raw') return 'incompatible';
  return (target.length ?? 0) >= 16 ? 'fits' : 'narrower';
};

const seconds = ({ scale }: TargetColumn): number => scale ?? MICROSECONDS;

const date: Fit = (_source, target) =>
  target.kind === 'date' || target.kind === 'timestamp' ? 'bounded' : 'incompatible';

/** A day has 24 hours to Oracle: the time since midnight. */
const time: Fit = (source, target) => {
  if (target.kind !== 'interval ds') return 'incompatible';
  return seconds(target) < (source.limits[0] ?? MICROSECONDS) ? 'rounds' : 'converts';
};

const timestamp: Fit = (source, target) => {
  const zoned = target.kind === 'timestamptz' || target.kind === 'timestampltz';
  if (!zoned && target.kind !== 'timestamp' && target.kind !== 'date') return 'incompatible';
  const digits = target.kind === 'date' ? 0 : seconds(target);
  if (digits < (source.limits[0] ?? MICROSECONDS)) return 'rounds';
  return zoned === (source.base === 'timestamptz') ? 'bounded' : 'converts';
};

/** Oracle has no interval of months and days. */
const interval: Fit = (_source, target) => {
  if (target.kind === 'interval ym') return 'bounded';
  if (target.kind !== 'interval ds') return 'incompatible';
  return seconds(target) < MICROSECONDS ? 'rounds' : 'bounded';
};

const json: Fit = (_source, target) => {
  if (target.kind === 'json') return 'bounded';
  if (isLob(target.kind)) return target.json ? 'fits' : 'bounded';
  return isText(target) ? 'narrower' : 'incompatible';
};

const textAlone: Fit = () => 'incompatible';

/** By CockroachDB's type. Enums and arrays are apart; what is not here cannot be carried. */
const FITS: Readonly<Record<string, Fit>> = {
  int8: integer(19),
  int4: integer(10),
  int2: integer(5),
  oid: integer(10),
  decimal,
  float8: float,
  float4: float,
  bool,
  string: text,
  char: text,
  citext: text,
  name: text,
  '"char"': text,
  bytes,
  uuid,
  bit: textAlone,
  varbit: textAlone,
  date,
  time,
  timestamp,
  timestamptz: timestamp,
  interval,
  inet: textAlone,
  jsonb: json,
};

export function columnFit(source: SourceColumn, target: TargetColumn): ColumnFit {
  const from = parseSourceType(source.type);
  if (from.array) return arrayFit(from, target);
  if (source.enumLabels !== undefined) return enumFit(source.enumLabels, target);
  const result = FITS[from.base]?.(from, target) ?? 'unsupported';
  const longest = SPELLED_ALIKE[from.base];
  if (result !== 'incompatible' || longest === undefined || !isText(target)) return result;
  const length = longest === Infinity ? spelledLength(from) : longest;
  if (length > asciiRoom(target)) return 'narrower';
  // A CHAR of just that length is never filled up.
  return isPadded(target) && !(from.base === 'uuid' && target.length === 36) ? 'converts' : 'fits';
}

function spelledLength({ base, limits }: SourceType): number {
  return base === 'bit' || base === 'varbit' ? (limits[0] ?? Infinity) : Infinity;
}

/** The changefeed sends an array as JSON. */
function arrayFit(from: SourceType, target: TargetColumn): ColumnFit {
  if (FITS[from.base] === undefined && !/^\w+$|\./.test(from.base)) return 'unsupported';
  const fit = json(from, target);
  return fit === 'bounded' || fit === 'fits' ? 'converts' : fit;
}

function enumFit(labels: readonly string[], target: TargetColumn): ColumnFit {
  if (!isText(target)) return 'incompatible';
  const fit = textFit(Math.max(1, ...labels.map((label) => [...label].length)), target);
  const isAscii = labels.every((label) => /^[\x20-\x7e]*$/.test(label) && label.length <= asciiRoom(target));
  if (!isAscii && fit !== 'fits' && fit !== 'bounded') return fit;
  return isPadded(target) && labels.some((label) => label.length !== target.length) ? 'converts' : 'fits';
}

/** What becomes of a value where the fit is `converts`. */
export function conversionOf(source: SourceColumn, target: TargetColumn): string {
  const from = parseSourceType(source.type);
  if (from.array) return 'an array arrives as a JSON array, as the changefeed writes it';
  if (isPadded(target) && from.base !== 'bool')
    return `${target.declared} is filled up with spaces, and spaces at the end are not told apart`;
  if (from.base === 'bool') return target.length === 1 ? 'it arrives as 1 or 0' : 'it arrives as true or false';
  if (from.base === 'time') return 'a time of day arrives as the interval since midnight';
  if (target.kind === 'binary_float')
    return 'CockroachDB keeps FLOAT4 with the digits of FLOAT8, the target the nearest BINARY_FLOAT';
  if (from.base === 'timestamp') return `the time is read as UTC, and ${YEARS}`;
  return `the time arrives as the clock of UTC, without its zone, and ${YEARS}`;
}

const YEARS = 'years before 4712 BC and after 9999, infinity, and 5 to 14 October 1582 are refused';

/** What a column does not take where the fit is `bounded`, and whether people are likely to have such values. */
export function boundOf(
  source: SourceColumn,
  target: TargetColumn,
): { readonly likely: boolean; readonly words: string } {
  const from = parseSourceType(source.type).base;
  switch (target.kind) {
    case 'date':
    case 'timestamp':
    case 'timestamptz':
    case 'timestampltz':
      return { likely: false, words: YEARS };
    case 'binary_double':
      return { likely: false, words: 'minus zero arrives as zero' };
    case 'number':
      return {
        likely: from === 'decimal',
        words:
          from === 'decimal'
            ? `more than ${MOST_DIGITS} digits, NaN and infinity are refused`
            : 'what is beyond 1E+126 or nearer to zero than 1E-130, NaN and infinity are refused, and minus zero arrives as zero',
      };
    case 'interval ym':
      return { likely: true, words: 'intervals with days or hours are refused' };
    case 'interval ds':
      return {
        likely: true,
        words: `intervals with years or months are refused${(target.precision ?? 2) < DAY_DIGITS ? `, and those of more days than ${target.declared} takes` : ''}`,
      };
    case 'json':
      return { likely: false, words: 'numbers keep the digits of a NUMBER, 38' };
    case 'nvarchar':
    case 'nchar':
      return { likely: false, words: 'characters beyond U+FFFF count twice, so a text of many is refused' };
    case 'varchar':
    case 'char':
      return { likely: false, words: 'more than 4,000 bytes are refused, where MAX_STRING_SIZE is STANDARD' };
    default:
      return { likely: false, words: 'it is kept as text, and nothing but the stream sees that it stays JSON' };
  }
}

/** The target's type that takes every value of a source column, or as many as the dialect can; null where there is none. */
export function fittingType(source: SourceColumn, asKey: boolean): string | null {
  const from = parseSourceType(source.type);
  if (from.array) return 'CLOB';
  const [first, second = 0] = from.limits;
  if (source.enumLabels !== undefined)
    return `VARCHAR2(${Math.max(1, ...source.enumLabels.map((label) => [...label].length))} CHAR)`;
  if (FITS[from.base] === undefined) return null;
  switch (from.base) {
    case 'decimal':
      return first === undefined || first > MOST_DIGITS ? 'NUMBER' : `NUMBER(${first},${second})`;
    case 'string':
    case 'char':
    case 'citext':
    case 'name':
      if ((first ?? Infinity) <= LONGEST_VARCHAR) return `VARCHAR2(${first} CHAR)`;
      return asKey ? `VARCHAR2(${LONGEST_VARCHAR} CHAR)` : 'CLOB';
    case 'bytes':
      if ((first ?? Infinity) <= LONGEST_RAW) return `RAW(${first})`;
      return asKey ? `RAW(${LONGEST_RAW})` : 'BLOB';
    case 'bit':
    case 'varbit':
      return (first ?? Infinity) <= LONGEST_RAW ? `VARCHAR2(${first})` : 'CLOB';
    case 'timestamp':
      return `TIMESTAMP(${first ?? MICROSECONDS})`;
    case 'timestamptz':
      // Oracle takes no TIMESTAMP WITH TIME ZONE into a key.
      return `TIMESTAMP(${first ?? MICROSECONDS}) WITH${asKey ? ' LOCAL' : ''} TIME ZONE`;
    default:
      return TYPES[from.base] ?? null;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  int8: 'NUMBER(19)',
  int4: 'NUMBER(10)',
  int2: 'NUMBER(5)',
  oid: 'NUMBER(10)',
  float8: 'BINARY_DOUBLE',
  // It holds the digits of FLOAT8.
  float4: 'BINARY_DOUBLE',
  bool: 'NUMBER(1)',
  uuid: 'RAW(16)',
  '"char"': 'VARCHAR2(1 CHAR)',
  date: 'DATE',
  time: 'INTERVAL DAY(0) TO SECOND(6)',
  interval: 'VARCHAR2(80)',
  inet: 'VARCHAR2(49)',
  jsonb: 'CLOB',
};

/**
 * The type to which ALTER TABLE ... MODIFY can widen the column although it has values, so that it takes the source's; null: it cannot, and
 * the values have to be copied into another column.
 */
export function widenedType(source: SourceColumn, target: TargetColumn, asKey: boolean): string | null {
  const wanted = fittingType(source, asKey);
  if (wanted === null) return null;
  const to = /^\w+/.exec(wanted)?.[0];
  switch (target.kind) {
    case 'varchar':
    case 'char':
      return to === 'VARCHAR2' ? wanted : null;
    case 'nvarchar':
    case 'nchar': {
      const characters = to === 'VARCHAR2' ? Number(/\((\d+)/.exec(wanted)?.[1]) : Infinity;
      return characters <= LONGEST_VARCHAR ? `NVARCHAR2(${2 * characters})` : null;
    }
    case 'raw':
      return to === 'RAW' ? wanted : null;
    case 'number':
      return to === 'NUMBER' && target.floating !== true
        ? widenedNumber(parseSourceType(source.type), target, wanted)
        : null;
    case 'date':
    case 'timestamp':
      return to === 'DATE' || to === 'TIMESTAMP' ? wanted.replace(/ WITH.*/, '') : null;
    case 'timestamptz':
    case 'timestampltz':
      return to === 'TIMESTAMP' ? wanted.replace(/ WITH.*/, / WITH.*/.exec(target.declared)?.[0] ?? '') : null;
    case 'interval ds':
      return `INTERVAL DAY(${target.precision ?? 2}) TO SECOND(${MICROSECONDS})`;
    default:
      return null;
  }
}

/** No digit before or behind the point may be taken away. */
function widenedNumber(from: SourceType, target: TargetColumn, wanted: string): string {
  const [, precision, scale = '0'] = /^NUMBER\((\d+)(?:,(\d+))?\)$/.exec(wanted) ?? [];
  if (precision === undefined || from.base === 'float8' || target.precision === null) return 'NUMBER';
  const most = Math.max(Number(scale), target.scale ?? 0);
  const whole = Math.max(Number(precision) - Number(scale), wholeDigits(target));
  return whole + most > MOST_DIGITS ? 'NUMBER' : `NUMBER(${whole + most}${most === 0 ? '' : `,${most}`})`;
}

/** A key column as wide as a key can be, although the source has no such bound. */
export function isWidestKey(source: SourceColumn, target: TargetColumn): boolean {
  const from = parseSourceType(source.type);
  const limit = from.limits[0] ?? Infinity;
  if (from.base === 'bytes') return target.kind === 'raw' && limit > (target.length ?? 0);
  return (target.kind === 'varchar' || target.kind === 'nvarchar') && limit > LONGEST_VARCHAR;
}
