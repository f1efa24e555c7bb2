import { decimalJson } from './decimal.js';
import { jsonString, PUNCTUATION, type JsonStyle } from './json-text.js';

const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|(true|false|null)|([{}[\],:]))/y;

interface Reading {
  readonly text: string;
  readonly style: JsonStyle;
  at: number;
}

/**
 * Writes a JSONB text of PostgreSQL as CockroachDB does: keys in byte order (PostgreSQL sorts shorter keys first),
 * numbers digit for digit (never as JavaScript numbers).
 */
export function jsonDocument(text: string, style: JsonStyle): string {
  const reading = { text, style, at: 0 };
  return writeValue(reading, nextToken(reading));
}

function nextToken(reading: Reading): RegExpExecArray {
  TOKEN.lastIndex = reading.at;
  const match = TOKEN.exec(reading.text);
  if (!match) throw new Error('not a JSON text of PostgreSQL');
  reading.at = TOKEN.lastIndex;
  return match;
}

function writeValue(reading: Reading, token: RegExpExecArray): string {
  if (token[1] !== undefined) return jsonString(unquoted(token[1]), reading.style);
  if (token[2] !== undefined) return decimalJson(token[2]);
  if (token[3] !== undefined) return token[3];
  return token[4] === '[' ? writeArray(reading) : writeObject(reading);
}

function writeArray(reading: Reading): string {
  const items: string[] = [];
  for (let token = nextToken(reading); token[4] !== ']'; token = nextToken(reading)) {
    if (token[4] !== ',') items.push(writeValue(reading, token));
  }
  return `[${items.join(PUNCTUATION[reading.style].comma)}]`;
}

function writeObject(reading: Reading): string {
  const { comma, colon } = PUNCTUATION[reading.style];
  const fields: { bytes: Buffer; text: string }[] = [];
  for (let token = nextToken(reading); token[4] !== '}'; token = nextToken(reading)) {
    if (token[4] === ',') continue;
    const name = unquoted(token[1] ?? '""');
    nextToken(reading);
    const value = writeValue(reading, nextToken(reading));
    fields.push({ bytes: Buffer.from(name), text: `${jsonString(name, reading.style)}${colon}${value}` });
  }
  fields.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  return `{${fields.map((field) => field.text).join(comma)}}`;
}

function unquoted(token: string): string {
  return token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
}
