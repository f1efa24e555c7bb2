import type { SourceColumn } from '../../domain/source-table.js';
import { parseSourceType, type SourceType } from '../../domain/source-type.js';
import type { MysqlProduct } from './client.js';
import type { TargetColumn } from './table-shape.js';

/**
 * How a target column takes the values of a source column.
 * - `fits`: every value arrives as it is.
 * - `bounded`: as far as the dialect reaches at all; what lies beyond is refused and halts the stream (`boundOf`).
 * - `converts`: every value arrives, in a form that says a little less (`conversionOf`).
 * - `narrower`: some value is refused, so the stream halts at it, and a wider type would take it.
 * - `rounds`: the target keeps fewer digits, and what it would round is refused like that.
 * - `incompatible`: the target reads another kind of value.
 * - `unsupported`: the source's type cannot be carried.
 */
export type ColumnFit = 'fits' | 'bounded' | 'converts' | 'narrower' | 'rounds' | 'incompatible' | 'unsupported';

type Fit = (source: SourceType, target: TargetColumn) => ColumnFit;

/** Bits of the integer types. */
const INTEGERS: Readonly<Record<string, number>> = { tinyint: 8, smallint: 16, mediumint: 24, int: 32, bigint: 64 };
/** Text types that count bytes. */
const BYTE_TEXTS: readonly string[] = ['tinytext', 'text', 'mediumtext', 'longtext'];
const BLOBS: readonly string[] = ['tinyblob', 'blob', 'mediumblob', 'longblob'];
const LONGEST = 4_294_967_295;
const BYTES_OF_CHARACTER = 4;
const MICROSECONDS = 6;
const MOST_DIGITS = 65;
const MOST_FRACTION = 30;
/** Longest key of InnoDB, in characters of four bytes. */
const KEY_CHARACTERS = 768;
const KEY_BYTES = 3072;

/**
 * Types that the changefeed and SQL spell alike, with the length of the longest spelling: kept as text, the comparison can tell that nothing
 * was lost. All but the digits of a decimal and the bytes after `\x` are ASCII and short.
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

/** Characters of four bytes that a text column takes; 0: it is none. */
function room(target: TargetColumn): number {
  if (target.base === 'varchar' || target.base === 'char') return target.length ?? 0;
  if (!BYTE_TEXTS.includes(target.base)) return 0;
  const bytes = target.length ?? 0;
  // The longest type takes whatever a packet brings.
  return bytes >= LONGEST ? Infinity : Math.floor(bytes / BYTES_OF_CHARACTER);
}

/** Letters, digits and signs of ASCII. */
function asciiRoom(target: TargetColumn): number {
  return BYTE_TEXTS.includes(target.base) ? (target.length ?? 0) : room(target);
}

function isText(target: TargetColumn): boolean {
  return target.base === 'varchar' || target.base === 'char' || BYTE_TEXTS.includes(target.base);
}

/** Texts count characters on both sides; all but utf8mb4 lack some of them. */
const text: Fit = (source, target) => {
  if (target.base === 'enum' || target.base === 'set') return 'bounded';
  if (!isText(target)) return 'incompatible';
  if (!holdsAllCharacters(target)) return 'narrower';
  if (room(target) < (source.limits[0] ?? Infinity)) return 'narrower';
  return target.base === 'char' && source.base !== 'char' ? 'bounded' : 'fits';
};

export function holdsAllCharacters(target: TargetColumn): boolean {
  return target.charset === 'utf8mb4';
}

const integer =
  (bits: number, digits: number): Fit =>
  (_source, target) => {
    const own = INTEGERS[target.base];
    if (own !== undefined) {
      if (target.unsigned) return own >= bits - 1 ? 'bounded' : 'narrower';
      return own >= bits ? 'fits' : 'narrower';
    }
    if (target.base === 'year') return 'bounded';
    if (target.base !== 'decimal') return 'incompatible';
    if ((target.precision ?? 0) - (target.scale ?? 0) < digits) return 'narrower';
    return target.unsigned ? 'bounded' : 'fits';
  };

const decimal: Fit = (source, target) => {
  if (target.base !== 'decimal') return 'incompatible';
  const [precision = 0, scale = 0] = [target.precision ?? 0, target.scale ?? 0];
  const [sourcePrecision, sourceScale = 0] = source.limits;
  if (sourcePrecision === undefined)
    return precision === MOST_DIGITS && scale === MOST_FRACTION && !target.unsigned ? 'bounded' : 'rounds';
  if (sourceScale > scale) return 'rounds';
  if (precision - scale < sourcePrecision - sourceScale) return 'narrower';
  // NaN and infinity are values of every DECIMAL there, and nobody has them in a column with limits.
  return target.unsigned ? 'bounded' : 'fits';
};

const float: Fit = (_source, target) => {
  // DOUBLE(m,d) rounds to its digits.
  if (target.base === 'double') return target.scale === null ? 'bounded' : 'rounds';
  // CockroachDB keeps FLOAT4 with the digits of FLOAT8.
  return target.base === 'float' ? 'rounds' : 'incompatible';
};

const bool: Fit = (_source, target) => {
  if (INTEGERS[target.base] !== undefined) return 'fits';
  return target.base === 'bit' && target.precision === 1 ? 'fits' : 'incompatible';
};

const bytes: Fit = (source, target) => {
  // It fills up with zeros at the end, and they are the value's from then on.
  if (target.base === 'binary') return 'narrower';
  if (target.base !== 'varbinary' && !BLOBS.includes(target.base)) return 'incompatible';
  return (target.length ?? 0) >= Math.min(source.limits[0] ?? Infinity, LONGEST) ? 'fits' : 'narrower';
};

const uuid: Fit = (_source, target) => {
  if (target.base === 'uuid') return 'fits';
  if (target.base === 'binary') return target.length === 16 ? 'fits' : 'incompatible';
  if (target.base === 'varbinary') return (target.length ?? 0) >= 16 ? 'fits' : 'narrower';
  return 'incompatible';
};

const bits: Fit = (source, target) => {
  if (target.base !== 'bit') return 'incompatible';
  // BIT(n) is a number: the length of a shorter one would be lost.
  return source.base === 'bit' && target.precision === source.limits[0] ? 'fits' : 'narrower';
};

const date: Fit = (_source, target) => (target.base === 'date' ? 'bounded' : 'incompatible');

const time: Fit = (source, target) => {
  if (target.base !== 'time') return 'incompatible';
  return (target.fraction ?? 0) < (source.limits[0] ?? MICROSECONDS) ? 'rounds' : 'fits';
};

const timestamp: Fit = (source, target) => {
  if (target.base !== 'datetime' && target.base !== 'timestamp') return 'incompatible';
  if ((target.fraction ?? 0) < (source.limits[0] ?? MICROSECONDS)) return 'rounds';
  const zoned = source.base === 'timestamptz';
  if (target.base === 'timestamp') return zoned ? 'bounded' : 'converts';
  return zoned ? 'converts' : 'bounded';
};

const json: Fit = (_source, target) => {
  if (target.base === 'json') return 'bounded';
  if (!isText(target)) return 'incompatible';
  return room(target) === Infinity && holdsAllCharacters(target) ? 'bounded' : 'narrower';
};

const textAlone: Fit = () => 'incompatible';

/** By CockroachDB's type. Enums and arrays are apart; what is not here cannot be carried. */
const FITS: Readonly<Record<string, Fit>> = {
  int8: integer(64, 19),
  int4: integer(32, 10),
  int2: integer(16, 5),
  oid: (_source, target) => (target.base === 'int' && target.unsigned ? 'fits' : integer(33, 10)(_source, target)),
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
  bit: bits,
  varbit: bits,
  date,
  time,
  timestamp,
  timestamptz: timestamp,
  interval: textAlone,
  inet: (_source, target) => (/^inet[46]$/.test(target.base) ? 'bounded' : 'incompatible'),
  jsonb: json,
};

export function columnFit(source: SourceColumn, target: TargetColumn): ColumnFit {
  const from = parseSourceType(source.type);
  if (from.array) return arrayFit(from, target);
  if (source.enumLabels !== undefined) return enumFit(source.enumLabels, target);
  const result = FITS[from.base]?.(from, target) ?? 'unsupported';
  const longest = SPELLED_ALIKE[from.base];
  if (result !== 'incompatible' || longest === undefined || !isText(target)) return result;
  if (longest === Infinity) return asciiRoom(target) >= LONGEST ? 'fits' : 'narrower';
  return longest <= asciiRoom(target) ? 'fits' : 'narrower';
}

/** The changefeed sends an array as JSON. */
function arrayFit(from: SourceType, target: TargetColumn): ColumnFit {
  if (FITS[from.base] === undefined && !/^\w+$|\./.test(from.base)) return 'unsupported';
  return json(from, target) === 'bounded' ? 'converts' : json(from, target);
}

function enumFit(labels: readonly string[], target: TargetColumn): ColumnFit {
  if (target.base === 'enum') return labels.every((label) => target.enumLabels.includes(label)) ? 'fits' : 'narrower';
  if (!isText(target)) return 'incompatible';
  if (!holdsAllCharacters(target)) return 'narrower';
  return Math.max(0, ...labels.map((label) => [...label].length)) <= room(target) ? 'fits' : 'narrower';
}

/** What becomes of a value where the fit is `converts`. */
export function conversionOf(source: SourceColumn, target: TargetColumn): string {
  const from = parseSourceType(source.type);
  if (from.array) return 'an array arrives as a JSON array, as the changefeed writes it';
  if (target.base === 'timestamp') return `the time is read as UTC, and ${YEARS_OF_TIMESTAMP}`;
  return `the time arrives as the clock of UTC, without its zone, and ${YEARS_OF_DATETIME}`;
}

const YEARS_OF_DATETIME = 'years before 1 and after 9999, and infinity, are refused';
const YEARS_OF_TIMESTAMP = 'times before 1970 and after 2038-01-19 03:14:07 are refused';

/** What a column does not take where the fit is `bounded`, and whether people are likely to have such values. */
export function boundOf(
  source: SourceColumn,
  target: TargetColumn,
  server: MysqlProduct,
): { readonly likely: boolean; readonly words: string } {
  const from = parseSourceType(source.type).base;
  if (target.unsigned) return { likely: true, words: 'negative numbers are refused' };
  switch (target.base) {
    case 'timestamp':
      return { likely: true, words: YEARS_OF_TIMESTAMP };
    case 'datetime':
    case 'date':
      return { likely: false, words: YEARS_OF_DATETIME };
    case 'year':
      return { likely: true, words: 'years before 1901 and after 2155 are refused' };
    case 'char':
      return { likely: true, words: 'texts with spaces at the end are refused' };
    case 'enum':
      return { likely: true, words: 'texts that are none of its labels are refused' };
    case 'set':
      return {
        likely: true,
        words: 'texts that are no list of its members, each once and in their order, are refused',
      };
    case 'inet4':
    case 'inet6':
      return { likely: true, words: 'networks, and addresses of the other length, are refused' };
    case 'double':
      return { likely: false, words: 'NaN and infinity are refused, and minus zero arrives as zero' };
    case 'decimal':
      return {
        likely: true,
        words: `more than ${MOST_DIGITS - MOST_FRACTION} digits before the point or ${MOST_FRACTION} after it, NaN and infinity are refused`,
      };
    default:
      if (from === 'jsonb' && target.base === 'json') return JSON_BOUNDS[server];
      return { likely: false, words: 'it is kept as text, and nothing but the stream sees that it stays JSON' };
  }
}

/** MySQL keeps what it has read, MariaDB the text. */
const JSON_BOUNDS: Readonly<Record<MysqlProduct, { readonly likely: boolean; readonly words: string }>> = {
  MySQL: {
    likely: true,
    words:
      'numbers within JSON that have a fraction, or more than 64 bits, become doubles, and digits beyond some 17 are lost in silence (LONGTEXT keeps them)',
  },
  MariaDB: {
    likely: false,
    words: 'it is kept as text with every digit, and capitals and spaces as the source writes them',
  },
};

/** The target's type that takes every value of a source column, or as many as the dialect can; null where there is none. */
export function fittingType(source: SourceColumn, asKey: boolean, server: MysqlProduct): string | null {
  const from = parseSourceType(source.type);
  if (from.array) return 'json';
  if (source.enumLabels !== undefined) return null;
  if (FITS[from.base] === undefined) return null;
  const [first, second] = from.limits;
  switch (from.base) {
    case 'decimal':
      if (first === undefined || first > MOST_DIGITS || (second ?? 0) > MOST_FRACTION)
        return `decimal(${MOST_DIGITS},${MOST_FRACTION})`;
      return `decimal(${first},${second ?? 0})`;
    case 'string':
    case 'char':
    case 'citext':
    case 'name':
    case '"char"':
      return textType(first, asKey, server);
    case 'bytes':
      return asKey ? `varbinary(${Math.min(first ?? KEY_BYTES, KEY_BYTES)})` : 'longblob';
    case 'bit':
      return (first ?? 0) <= 64 ? `bit(${first ?? 1})` : 'longtext character set ascii';
    case 'varbit':
      return 'longtext character set ascii';
    case 'time':
    case 'timestamp':
      return `${from.base === 'time' ? 'time' : 'datetime'}(${first ?? MICROSECONDS})`;
    case 'timestamptz':
      return `datetime(${first ?? MICROSECONDS})`;
    default:
      return TYPES[from.base] ?? null;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  int8: 'bigint',
  int4: 'int',
  int2: 'smallint',
  oid: 'bigint',
  float8: 'double',
  // It holds the digits of FLOAT8.
  float4: 'double',
  bool: 'tinyint(1)',
  uuid: 'char(36) character set ascii collate ascii_bin',
  date: 'date',
  interval: 'varchar(80) character set ascii',
  inet: 'varchar(49) character set ascii',
  jsonb: 'json',
};

/** MySQL's and MariaDB's collations under which two texts are equal only when they are the same, spaces at the end included. */
export function exactCollation(server: MysqlProduct): string {
  return server === 'MySQL' ? 'utf8mb4_0900_bin' : 'utf8mb4_nopad_bin';
}

function textType(limit: number | undefined, asKey: boolean, server: MysqlProduct): string {
  const words = `character set utf8mb4 collate ${exactCollation(server)}`;
  if (asKey) return `varchar(${Math.min(limit ?? KEY_CHARACTERS, KEY_CHARACTERS)}) ${words}`;
  // Longer rows than 65,535 bytes are for the text types.
  return limit === undefined || limit > 1000
    ? `longtext character set utf8mb4`
    : `varchar(${limit}) character set utf8mb4`;
}

/** A key column as wide as a key can be, although the source has no such bound. */
export function isWidestKey(source: SourceColumn, target: TargetColumn): boolean {
  const from = parseSourceType(source.type);
  const unlimited = (from.limits[0] ?? Infinity) > KEY_CHARACTERS;
  if (from.base === 'bytes') return target.base === 'varbinary';
  return unlimited && target.base === 'varchar' && holdsAllCharacters(target);
}
