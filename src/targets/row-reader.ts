import type { ColumnSet } from '../domain/mutation.js';

/** One value of a row or key as the changefeed has written it. */
export interface Field {
  readonly kind: FieldKind;
  /**
   * A string's characters, unescaped; of every other kind the JSON text as it stands, so that a number stays what CockroachDB wrote (invariant 7).
   * A string may hold what no database keeps: the character NUL, or half of a surrogate pair.
   */
  readonly text: string;
}

/** `json` is an object or an array. A JSON column's scalars look like any other string, number or boolean. */
export type FieldKind = 'null' | 'string' | 'number' | 'bool' | 'json';

const NULL: Field = { kind: 'null', text: 'null' };
const TRUE: Field = { kind: 'bool', text: 'true' };
const FALSE: Field = { kind: 'bool', text: 'false' };

/** Reads the JSON text of rows of one exact column set into their fields, in the order of the set. */
export type RowReader = (row: Uint8Array) => readonly Field[];

/** @throws Error (of the reader) when a row is not of the column set: the stage has kept them together */
export function createRowReader(columns: ColumnSet): RowReader {
  const names = columns.map((name) => JSON.stringify(name));
  return (row) => {
    const cursor = cursorOf(row);
    take(cursor, '{');
    const fields = names.map((name, i) => {
      if (i > 0) take(cursor, ',');
      takeName(cursor, name);
      take(cursor, ':');
      return takeField(cursor);
    });
    take(cursor, '}');
    return fields;
  };
}

/** The fields of a key: a JSON array. */
export function readKey(key: Uint8Array): readonly Field[] {
  const cursor = cursorOf(key);
  take(cursor, '[');
  const fields: Field[] = [];
  for (;;) {
    fields.push(takeField(cursor));
    skipBlank(cursor);
    if (cursor.text[cursor.at] === ']') return fields;
    take(cursor, ',');
  }
}

interface Cursor {
  readonly text: string;
  at: number;
}

function cursorOf({ buffer, byteOffset, byteLength }: Uint8Array): Cursor {
  return { text: Buffer.from(buffer, byteOffset, byteLength).toString('utf8'), at: 0 };
}

function take(cursor: Cursor, expected: string): void {
  skipBlank(cursor);
  if (cursor.text[cursor.at] !== expected) throw unreadable(cursor);
  cursor.at++;
}

/** `name` is its JSON text. One that the changefeed has spelled with other escapes is read, too. */
function takeName(cursor: Cursor, name: string): void {
  skipBlank(cursor);
  if (cursor.text.startsWith(name, cursor.at)) {
    cursor.at += name.length;
    return;
  }
  if (cursor.text.charCodeAt(cursor.at) !== QUOTE || JSON.stringify(takeString(cursor)) !== name)
    throw unreadable(cursor);
}

function takeField(cursor: Cursor): Field {
  skipBlank(cursor);
  switch (cursor.text.charCodeAt(cursor.at)) {
    case QUOTE:
      return { kind: 'string', text: takeString(cursor) };
    case OPEN_OBJECT:
    case OPEN_ARRAY:
      return { kind: 'json', text: takeComposite(cursor) };
    default:
      return takeWord(cursor);
  }
}

/** A number, true, false or null. */
function takeWord(cursor: Cursor): Field {
  const start = cursor.at;
  WORD.lastIndex = start;
  if (!WORD.test(cursor.text)) throw unreadable(cursor);
  cursor.at = WORD.lastIndex;
  const word = cursor.text.slice(start, cursor.at);
  switch (word) {
    case 'null':
      return NULL;
    case 'true':
      return TRUE;
    case 'false':
      return FALSE;
    default:
      return { kind: 'number', text: word };
  }
}

const WORD = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|null|true|false/y;

function takeString(cursor: Cursor): string {
  const start = cursor.at;
  const end = endOfString(cursor);
  cursor.at = end;
  const inside = cursor.text.slice(start + 1, end - 1);
  return inside.includes('\\') ? (JSON.parse(cursor.text.slice(start, end)) as string) : inside;
}

/** The offset behind the string at the cursor: behind the first quote with an even number of backslashes before it. */
function endOfString(cursor: Cursor): number {
  const { text, at } = cursor;
  for (let quote = text.indexOf('"', at + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let before = quote;
    while (text.charCodeAt(before - 1) === BACKSLASH) before--;
    if ((quote - before) % 2 === 0) return quote + 1;
  }
  throw unreadable(cursor);
}

function takeComposite(cursor: Cursor): string {
  const { text, at: start } = cursor;
  let depth = 0;
  do {
    const c = text.charCodeAt(cursor.at);
    if (c === QUOTE) {
      cursor.at = endOfString(cursor);
      continue;
    }
    if (c === OPEN_OBJECT || c === OPEN_ARRAY) depth++;
    else if (c === CLOSE_OBJECT || c === CLOSE_ARRAY) depth--;
    else if (Number.isNaN(c)) throw unreadable(cursor);
    cursor.at++;
  } while (depth > 0);
  return text.slice(start, cursor.at);
}

function skipBlank(cursor: Cursor): void {
  const { text } = cursor;
  let c = text.charCodeAt(cursor.at);
  while (c === SPACE || c === NEWLINE || c === TAB || c === RETURN) c = text.charCodeAt(++cursor.at);
}

/** Names a place and no value. */
function unreadable({ at }: Cursor): Error {
  return new Error(`a row or key of the stage is not the JSON that its columns promise, at character ${at}`);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const SPACE = 0x20;
const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
