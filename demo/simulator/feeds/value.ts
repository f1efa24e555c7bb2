import { parseArrayLiteral } from './array-literal.js';
import { decimalJson, decimalKeyJson, floatJson } from './decimal.js';
import { jsonDocument } from './json-document.js';
import { jsonString, PUNCTUATION, type JsonStyle } from './json-text.js';

/** Writes PostgreSQL's text of one value (never NULL) as CockroachDB's JSON. */
export type ValueEncoder = (text: string) => string;

/** Where a value stands: a deleted row's key is read back from the index, which keeps values and not their texts. */
export type Place = 'row' | 'deletedKey';

/**
 * The encoder for a PostgreSQL type as `format_type()` names it (`numeric(20,5)`, `timestamp(0) without time zone`, `text[]`).
 * A type not known here (an enum, a domain, inet) is written as a string of its text, as CockroachDB does.
 */
export function valueEncoder(type: string, style: JsonStyle, place: Place = 'row'): ValueEncoder {
  if (type.endsWith('[]')) {
    const item = valueEncoder(type.slice(0, -2), style, place);
    const { comma } = PUNCTUATION[style];
    return (text) =>
      `[${parseArrayLiteral(text)
        .map((value) => (value === null ? 'null' : item(value)))
        .join(comma)}]`;
  }
  const string = (text: string): string => jsonString(text, style);
  switch (type.replace(/\(\d+(?:,\d+)?\)/, '')) {
    case 'bigint':
    case 'integer':
    case 'smallint':
      return (text) => text;
    case 'numeric':
      return place === 'deletedKey' ? decimalKeyJson : decimalJson;
    case 'double precision':
    case 'real':
      return floatJson;
    case 'boolean':
      return (text) => (text === 't' || text === 'true' ? 'true' : 'false');
    case 'character':
    case 'bpchar':
      return (text) => string(text.replace(/ +$/, ''));
    case 'timestamp without time zone':
      return (text) => string(timestamp(text));
    case 'timestamp with time zone':
      return (text) => string(`${timestamp(utc(text))}Z`);
    case 'time with time zone':
      return (text) => string(fullOffset(text));
    case 'json':
    case 'jsonb':
      return (text) => jsonDocument(text, style);
    default:
      return string;
  }
}

function timestamp(text: string): string {
  if (text === 'infinity') return '294276-12-31T23:59:59.999999';
  if (text === '-infinity') return '-4713-11-24T00:00:00';
  const iso = text.replace(' ', 'T');
  if (!iso.endsWith(' BC')) return iso;
  const dash = iso.indexOf('-');
  const year = 1 - Number(iso.slice(0, dash));
  const digits = String(Math.abs(year)).padStart(4, '0');
  return `${year < 0 ? '-' : ''}${digits}${iso.slice(dash, -3)}`;
}

/** The log keeps UTC; anything else would silently move the time. */
function utc(text: string): string {
  if (text.endsWith('infinity')) return text;
  const match = /^(.*)\+00(?::?00)?( BC)?$/.exec(text);
  if (!match)
    throw new Error('a timestamp with time zone in the log is not in UTC: the capturing trigger must set TimeZone');
  return `${match[1] ?? ''}${match[2] ?? ''}`;
}

/** `+02:30` is written `+02:30:00`. */
function fullOffset(text: string): string {
  const sign = Math.max(text.lastIndexOf('+'), text.lastIndexOf('-'));
  const parts = text.slice(sign + 1).split(':');
  while (parts.length < 3) parts.push('00');
  return text.slice(0, sign + 1) + parts.join(':');
}
