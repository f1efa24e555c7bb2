import type { ColumnSet } from '../../domain/mutation.js';

/**
 * Writes rows of one exact column set, JSON text as the changefeed has sent it, as lines of COPY's text format. A value stays the text that
 * CockroachDB wrote (invariant 7): what json_to_recordset would hand to the reader of the column's type, COPY hands to it.
 */
export interface CopyWriter {
  /** Bytes that the line of a row takes at most. */
  mostBytes(row: Uint8Array): number;
  /**
   * Writes the line of a row at `at`; returns the offset behind it. -1: the row is not for COPY, since json_to_recordset would refuse it or
   * spell it in a way of its own; what was written is to be thrown away.
   */
  write(row: Uint8Array, target: Uint8Array, at: number): number;
}

/** `text`: as a string's characters or a number's digits; `json`: the JSON text itself. */
export type CopyField = 'text' | 'json' | 'left out';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const SPACE = 0x20;
const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SMALL_N = 0x6e;
const SMALL_U = 0x75;
const CAPITAL_N = 0x4e;

/** JSON's escapes of one letter that are COPY's, too. */
const SAME_ESCAPE = new Uint8Array(256);
for (const char of '\\bfnrt') SAME_ESCAPE[char.charCodeAt(0)] = 1;
/** What COPY's text format cannot hold as it is, by character: the letter behind the backslash. */
const ESCAPED = new Uint8Array(256);
for (const [char, letter] of [
  ['\\', '\\'],
  ['\b', 'b'],
  ['\f', 'f'],
  ['\n', 'n'],
  ['\r', 'r'],
  ['\t', 't'],
] as const)
  ESCAPED[char.charCodeAt(0)] = letter.charCodeAt(0);

/** Values of the hexadecimal digits, plus 1. */
const HEX = new Uint8Array(256);
for (const [value, char] of [...'0123456789abcdef'].entries())
  for (const digit of [char, char.toUpperCase()]) HEX[digit.charCodeAt(0)] = value + 1;

/** `fields` says of each column what becomes of it. */
export function createCopyWriter(columns: ColumnSet, fields: readonly CopyField[]): CopyWriter {
  const names = columns.map((name) => Buffer.from(JSON.stringify(name)));
  /** Where the last step has left the row and the target. */
  let pos = 0;
  let end = 0;

  function write(row: Uint8Array, target: Uint8Array, at: number): number {
    end = at;
    pos = skipBlank(row, 0);
    if (row[pos] !== OPEN_OBJECT) return -1;
    pos++;
    let first = true;
    for (const [i, field] of fields.entries()) {
      if (!takeName(row, i)) return -1;
      const start = end;
      if (!first) target[end++] = TAB;
      if (!takeValue(row, target, field !== 'text')) return -1;
      if (field === 'left out') end = start;
      else first = false;
      pos = skipBlank(row, pos);
    }
    if (row[pos] !== CLOSE_OBJECT) return -1;
    target[end++] = NEWLINE;
    return end;
  }

  /** The i-th name, with what stands before and behind it. A name that is spelled otherwise is not taken. */
  function takeName(row: Uint8Array, i: number): boolean {
    const name = names[i];
    if (name === undefined) return false;
    let p = pos;
    if (i > 0 && row[p++] !== COMMA) return false;
    p = skipBlank(row, p);
    for (const byte of name) if (row[p++] !== byte) return false;
    p = skipBlank(row, p);
    if (row[p] !== COLON) return false;
    pos = skipBlank(row, p + 1);
    return true;
  }

  function takeValue(row: Uint8Array, target: Uint8Array, asJson: boolean): boolean {
    switch (row[pos]) {
      case QUOTE:
        return asJson ? takeQuoted(row, target) : takeString(row, target);
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        return asJson && takeComposite(row, target);
      case SMALL_N:
        pos += 4;
        target[end++] = BACKSLASH;
        target[end++] = CAPITAL_N;
        return true;
      default:
        return takeWord(row, target);
    }
  }

  /** A number, true or false. */
  function takeWord(row: Uint8Array, target: Uint8Array): boolean {
    let p = pos;
    let o = end;
    let c = row[p];
    while (c !== undefined && c > SPACE && c !== COMMA && c !== CLOSE_OBJECT) {
      target[o++] = c;
      c = row[++p];
    }
    const some = p > pos;
    pos = p;
    end = o;
    return some;
  }

  /** The characters of a string. */
  function takeString(row: Uint8Array, target: Uint8Array): boolean {
    let p = pos + 1;
    let o = end;
    for (;;) {
      let c = row[p] ?? 0;
      while (c >= SPACE && c !== QUOTE && c !== BACKSLASH) {
        target[o++] = c;
        c = row[++p] ?? 0;
      }
      if (c === QUOTE) break;
      if (c !== BACKSLASH) return false;
      const letter = row[p + 1] ?? 0;
      if (letter === SMALL_U) {
        const character = characterAt(row, p);
        if (character < 0) return false;
        p += character > 0xffff ? 12 : 6;
        o = writeCharacter(character, target, o);
      } else {
        if (SAME_ESCAPE[letter] === 1) target[o++] = BACKSLASH;
        target[o++] = letter;
        p += 2;
      }
    }
    pos = p + 1;
    end = o;
    return true;
  }

  /** A JSON string as it stands. PostgreSQL would spell the escapes of one in its own way. */
  function takeQuoted(row: Uint8Array, target: Uint8Array): boolean {
    let p = pos;
    let o = end;
    do {
      const c = row[p++] ?? 0;
      if (c < SPACE || c === BACKSLASH) return false;
      target[o++] = c;
    } while (row[p] !== QUOTE);
    target[o++] = QUOTE;
    pos = p + 1;
    end = o;
    return true;
  }

  /** A JSON object or array as it stands, unless it holds what PostgreSQL cannot keep. */
  function takeComposite(row: Uint8Array, target: Uint8Array): boolean {
    let p = pos;
    let o = end;
    let depth = 0;
    let inString = false;
    do {
      const c = row[p];
      if (c === undefined) return false;
      const length = inString && c === BACKSLASH ? escapeLength(row, p) : 1;
      if (length === 0) return false;
      if (c === QUOTE) inString = !inString;
      else if (!inString && (c === OPEN_OBJECT || c === OPEN_ARRAY)) depth++;
      else if (!inString && (c === CLOSE_OBJECT || c === CLOSE_ARRAY)) depth--;
      for (const past = p + length; p < past; p++) o = writeAscii(row[p] ?? 0, target, o);
    } while (depth > 0);
    pos = p;
    end = o;
    return true;
  }

  return { mostBytes: (row) => 2 * row.length + fields.length + 1, write };
}

function skipBlank(row: Uint8Array, at: number): number {
  let c = row[at];
  while (c === SPACE || c === NEWLINE || c === TAB || c === RETURN) c = row[++at];
  return at;
}

/** The character of the escape `\uXXXX` at `at`, or of the pair of them; -1: it is none that PostgreSQL can keep. */
function characterAt(row: Uint8Array, at: number): number {
  const unit = unitAt(row, at);
  if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return -1;
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  const low = unitAt(row, at + 6);
  return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : -1;
}

function unitAt(row: Uint8Array, at: number): number {
  if (row[at] !== BACKSLASH || row[at + 1] !== SMALL_U) return -1;
  let unit = 0;
  for (let i = at + 2; i < at + 6; i++) {
    const digit = HEX[row[i] ?? 0] ?? 0;
    if (digit === 0) return -1;
    unit = unit * 16 + digit - 1;
  }
  return unit;
}

/** Bytes of the escape at `at`; 0: it is of no character that PostgreSQL can keep. */
function escapeLength(row: Uint8Array, at: number): number {
  if (row[at + 1] !== SMALL_U) return 2;
  const character = characterAt(row, at);
  if (character < 0) return 0;
  return character > 0xffff ? 12 : 6;
}

function writeAscii(byte: number, target: Uint8Array, at: number): number {
  const letter = ESCAPED[byte] ?? 0;
  if (letter > 0) target[at++] = BACKSLASH;
  target[at++] = letter > 0 ? letter : byte;
  return at;
}

/** In UTF-8. */
function writeCharacter(character: number, target: Uint8Array, at: number): number {
  if (character < 0x80) return writeAscii(character, target, at);
  if (character < 0x800) target[at++] = 0xc0 | (character >> 6);
  else {
    if (character < 0x10000) target[at++] = 0xe0 | (character >> 12);
    else {
      target[at++] = 0xf0 | (character >> 18);
      target[at++] = 0x80 | ((character >> 12) & 0x3f);
    }
    target[at++] = 0x80 | ((character >> 6) & 0x3f);
  }
  target[at++] = 0x80 | (character & 0x3f);
  return at;
}
