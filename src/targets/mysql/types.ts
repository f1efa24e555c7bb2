import type { Field } from '../row-reader.js';
import { quoteText } from './names.js';

/** The type of a target column, as far as writing needs it. */
export interface ColumnType {
  /** DATA_TYPE of the catalogue, e.g. `varchar`; `json` for MariaDB's JSON, too, which is a checked text there. */
  readonly name: string;
  /** COLUMN_TYPE of the catalogue, e.g. `enum('a','b')`, `int(10) unsigned`. */
  readonly declared: string;
  /** Characters of a text, bytes of a binary, bits of a BIT; null: no limit but the type's own. */
  readonly length: number | null;
  /** Digits in all, and behind the point, of a number. */
  readonly precision: number | null;
  readonly scale: number | null;
  /** Digits of the fraction of a second. */
  readonly fraction: number;
  /** Of an ENUM or SET, as they are spelled. */
  readonly members: readonly string[];
  readonly notNull: boolean;
}

/** A value that the column cannot take as it is. The message holds no value. */
export class UnfitValueError extends Error {
  override readonly name = 'UnfitValueError';
}

/** SQL of a value. @throws UnfitValueError where the server would refuse the value, or round, cut, pad or fold it in silence */
export type ValueWriter = (field: Field) => string;

/** Made once for a column, used for each of its values. */
export function createValueWriter(type: ColumnType): ValueWriter {
  const write = writerOf(type);
  if (!type.notNull) return (field) => (field.kind === 'null' ? 'NULL' : write(field));
  // The changefeed writes JSON null and SQL NULL alike; in a NOT NULL column it can only be the former.
  if (type.name === 'json') return (field) => (field.kind === 'null' ? `'null'` : write(field));
  return (field) => {
    // A NULL would become the current time in some TIMESTAMP columns.
    if (field.kind === 'null') throw unfit('is NULL, and the column is NOT NULL');
    return write(field);
  };
}

/** As `createValueWriter`, without `name`d types the value is a text of the server's own. */
function writerOf(type: ColumnType): ValueWriter {
  switch (type.name) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
      return integer;
    case 'decimal':
      return (field) => decimal(type, field);
    case 'float':
    case 'double':
      return (field) => float(type, field);
    case 'bit':
      return (field) => bits(type, field);
    case 'year':
      return year;
    case 'date':
      return date;
    case 'datetime':
    case 'timestamp':
      return (field) => timestamp(type, field);
    case 'time':
      return (field) => time(type, field);
    case 'char':
    case 'varchar':
    case 'tinytext':
    case 'text':
    case 'mediumtext':
    case 'longtext':
      return (field) => text(type, field);
    case 'binary':
    case 'varbinary':
    case 'tinyblob':
    case 'blob':
    case 'mediumblob':
    case 'longblob':
      return (field) => bytes(type, field);
    case 'enum':
      return (field) => enumerated(type, field);
    case 'set':
      return (field) => set(type, field);
    case 'json':
      return json;
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return (field) => quoteText(wellFormed(field));
    default:
      return () => {
        throw unfit(`is for a column of type ${type.declared}, which is not written`);
      };
  }
}

function unfit(what: string): UnfitValueError {
  return new UnfitValueError(`the value ${what}`);
}

const wouldChange = (type: ColumnType, how = 'rounded or cut'): UnfitValueError =>
  unfit(`does not fit ${type.declared}: it would be ${how}`);

function integer(field: Field): string {
  if (PLAIN_INTEGER.test(field.text) && field.kind !== 'json') return field.text;
  const { digits, exponent, negative } = numberOf(field);
  if (exponent < 0) throw unfit('is no integer: it would be rounded');
  // No integer type has as many; the server says so.
  if (digits.length + exponent > 40) throw unfit('is out of range');
  return `${negative ? '-' : ''}${digits}${'0'.repeat(exponent)}`;
}

/** As nearly all are spelled. */
const PLAIN_INTEGER = /^(?:0|-?[1-9]\d{0,17})$/;

/** Whole digits, and with the point those behind it. Zeros and a sign before a zero are for the longer way. */
const PLAIN_DECIMAL = /^(?:0|-?[1-9]\d*)(?:\.\d+)?$/;

/** Whether the number is spelled as nearly all are, with no more digits than these on each side of its point. */
function isPlain({ kind, text }: Field, whole: number, behind: number): boolean {
  if (kind === 'json' || kind === 'bool' || !PLAIN_DECIMAL.test(text)) return false;
  const point = text.indexOf('.');
  return point < 0 ? text.length <= whole : point <= whole && text.length - point - 1 <= behind;
}

/** A literal with an exponent would be a DOUBLE on its way, so it is written out. */
function decimal(type: ColumnType, field: Field): string {
  if (isPlain(field, (type.precision ?? 65) - (type.scale ?? 0), type.scale ?? 0)) return field.text;
  const { digits, exponent, negative } = numberOf(field);
  const { precision, scale } = type;
  if (-exponent > (scale ?? 0)) throw wouldChange(type, 'rounded');
  if (digits !== '0' && digits.length + exponent > (precision ?? 65) - (scale ?? 0))
    throw unfit(`is out of range of ${type.declared}`);
  return `${negative ? '-' : ''}${plain(digits, exponent)}`;
}

function plain(digits: string, exponent: number): string {
  if (exponent >= 0) return digits === '0' ? '0' : digits + '0'.repeat(exponent);
  const padded = digits.padStart(1 - exponent, '0');
  return `${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

function float(type: ColumnType, field: Field): string {
  if (type.name === 'double' && isPlain(field, DIGITS_OF_A_DOUBLE, type.scale ?? Infinity)) return `${field.text}e0`;
  const { digits, exponent, text: spelled } = numberOf(field);
  if (type.scale !== null && -exponent > type.scale) throw wouldChange(type, 'rounded');
  const value = Number(spelled);
  if (!Number.isFinite(value)) throw unfit('is out of range of a float');
  if (type.name === 'float') {
    const single = Math.fround(value);
    if (!Number.isFinite(single)) throw unfit(`is out of range of ${type.declared}`);
    // The shortest spelling of a FLOAT has at most nine digits. What comes back from it in as many is the value.
    if (digits.length > 9 || Number(single.toPrecision(digits.length)) !== value) throw wouldChange(type, 'rounded');
  }
  // Without an exponent it would be a DECIMAL on its way, which has fewer digits and no exponent. A negative zero arrives as zero.
  return /e/i.test(spelled) ? spelled : `${spelled}e0`;
}

/** With so many before the point it is finite. */
const DIGITS_OF_A_DOUBLE = 300;

interface Digits {
  readonly negative: boolean;
  /** Without zeros at either end; `0` for zero. */
  readonly digits: string;
  /** The value is `digits` times ten to this; 0 for zero. */
  readonly exponent: number;
  readonly text: string;
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** A number keeps every digit (invariant 7). A truth value is 1 or 0. */
function numberOf(field: Field): Digits {
  const spelled = field.kind === 'bool' ? (field.text === 'true' ? '1' : '0') : field.text;
  const [matched, sign, whole = '', part = '', power = '0'] = field.kind === 'json' ? [] : (NUMBER.exec(spelled) ?? []);
  if (matched === undefined) {
    if (/^(?:NaN|-?Infinity)$/.test(spelled)) throw unfit('is NaN or infinite, which MySQL has no number for');
    throw unfit('is no number');
  }
  const all = (whole + part).replace(/^0+/, '');
  const digits = all.replace(/0+$/, '');
  const zero = digits === '';
  return {
    negative: sign === '-' && !zero,
    digits: zero ? '0' : digits,
    exponent: zero ? 0 : Number(power) - part.length + (all.length - digits.length),
    text: spelled,
  };
}

/** CockroachDB writes BIT and VARBIT as a string of 0 and 1. */
function bits(type: ColumnType, field: Field): string {
  if (field.kind !== 'string') return integer(field);
  if (!/^[01]+$/.test(field.text)) throw unfit('is no string of bits');
  if (field.text.length !== type.length)
    throw unfit(`has another number of bits than ${type.declared}, which would be filled up or cut`);
  return `b'${field.text}'`;
}

/** A number of one or two digits means a year of this century or the last one. */
function year(field: Field): string {
  const written = integer(field);
  const value = Number(written);
  if (value !== 0 && (value < 1901 || value > 2155)) throw unfit('is out of range of YEAR (1901 to 2155, and 0)');
  return written;
}

const DATE = /^\d{4}-\d\d-\d\d$/;

function date(field: Field): string {
  if (field.kind !== 'string' || !DATE.test(field.text)) throw unfit('is no date of the years 0001 to 9999');
  return `'${field.text}'`;
}

const TIMESTAMP = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?)?Z?$/;

/** The session's time zone is UTC, and so is what CockroachDB writes. */
function timestamp(type: ColumnType, field: Field): string {
  const [matched, day = '', clock = '00:00:00', fraction = ''] =
    field.kind === 'string' ? (TIMESTAMP.exec(field.text) ?? []) : [];
  if (matched === undefined) throw unfit('is no timestamp of the years 0001 to 9999');
  return `'${day} ${clock}${fractionOf(type, fraction)}'`;
}

const TIME = /^(-?\d{1,3}:\d\d:\d\d)(?:\.(\d{1,9}))?$/;

function time(type: ColumnType, field: Field): string {
  const [matched, clock = '', fraction = ''] = field.kind === 'string' ? (TIME.exec(field.text) ?? []) : [];
  if (matched === undefined) throw unfit('is no time without a time zone, up to 838:59:59');
  return `'${clock}${fractionOf(type, fraction)}'`;
}

/** The server rounds in silence. */
function fractionOf(type: ColumnType, fraction: string): string {
  const kept = fraction.replace(/0+$/, '');
  if (kept.length > type.fraction) throw wouldChange(type, 'rounded');
  return kept === '' ? '' : `.${kept}`;
}

/** Spaces at the end are cut in silence: of a CHAR when it is read, of others where they are too many. */
function text(type: ColumnType, field: Field): string {
  const value = wellFormed(field);
  if (value.endsWith(' ')) {
    if (type.name === 'char') throw wouldChange(type, 'cut: CHAR keeps no spaces at the end');
    const size = type.name === 'varchar' ? [...value].length : Buffer.byteLength(value);
    if (type.length !== null && size > type.length) throw wouldChange(type, 'cut');
  }
  return quoteText(value);
}

/** Strings by their characters; all else (arrays, numbers, truth values) by its JSON text. */
function wellFormed({ kind, text: value }: Field): string {
  // Half of a surrogate pair would be replaced on its way.
  if (kind === 'string' && SURROGATE.test(value) && LONE_SURROGATE.test(value))
    throw unfit('holds half of a surrogate pair, which is no character');
  return value;
}

/** Quicker to look for, and there is rarely one. */
const SURROGATE = /[\ud800-\udfff]/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const HEX_BYTES = /^\\x(?:[0-9a-f]{2})*$/;
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** CockroachDB writes BYTES as `\x` and hexadecimal digits. A UUID's bytes stand in the order of its digits. */
function bytes(type: ColumnType, field: Field): string {
  const hex = hexOf(field);
  if (type.name === 'binary' && hex.length !== 2 * (type.length ?? 1))
    throw unfit(`has another number of bytes than ${type.declared}, which would be filled up with zeros or cut`);
  return `x'${hex}'`;
}

function hexOf({ kind, text: value }: Field): string {
  if (kind === 'string' && HEX_BYTES.test(value)) return value.slice(2);
  if (kind === 'string' && UUID.test(value)) return value.replaceAll('-', '');
  throw unfit('is neither bytes nor a uuid');
}

/** The server would fold capitals, and take a number for a place in the list. */
function enumerated(type: ColumnType, field: Field): string {
  if (field.kind !== 'string' || !type.members.includes(field.text)) throw unfit(`is none of ${type.declared}`);
  return quoteText(field.text);
}

/** As the server spells it: each once, in the order of the list. */
function set(type: ColumnType, field: Field): string {
  const given = field.text === '' ? [] : field.text.split(',');
  const spelled = type.members.filter((member) => given.includes(member));
  if (field.kind !== 'string' || spelled.join(',') !== field.text)
    throw unfit(`is no list of ${type.declared} in this order`);
  return quoteText(field.text);
}

function json(field: Field): string {
  return quoteText(field.kind === 'string' ? JSON.stringify(field.text) : field.text);
}

/** Whether two values can be equal for the server and differ in a character: capitals, accents, spaces at the end. */
export function foldsWhenCompared({ name }: ColumnType): boolean {
  return FOLDING.has(name);
}

const FOLDING: ReadonlySet<string> = new Set([
  'char',
  'varchar',
  'tinytext',
  'text',
  'mediumtext',
  'longtext',
  'enum',
  'set',
]);

/** SQL by which a value of the column is read as a text ... */
export function readableSql({ name }: ColumnType, column: string): string {
  if (isBinary(name)) return `HEX(${column})`;
  if (name === 'bit') return `CAST(${column} AS UNSIGNED)`;
  // A FLOAT is shown with six digits.
  if (name === 'float') return `(${column} + 0e0)`;
  return `CAST(${column} AS CHAR)`;
}

/** ... and of that text the SQL of the very same value. */
export function readValueSql({ name }: ColumnType, value: string | null): string {
  if (value === null) return 'NULL';
  if (isBinary(name)) return `x'${value}'`;
  return NUMERIC.has(name) ? value : quoteText(value);
}

const NUMERIC: ReadonlySet<string> = new Set([
  'tinyint',
  'smallint',
  'mediumint',
  'int',
  'bigint',
  'decimal',
  'float',
  'double',
  'year',
  'bit',
]);

function isBinary(name: string): boolean {
  return /binary$|blob$|geom|point|polygon|linestring/.test(name);
}
