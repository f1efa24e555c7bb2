import { EnvelopeError } from './envelope-error.js';

/** Nesting of a value beyond which a body is refused. PostgreSQL's own reader gives up somewhat later. */
const MAX_DEPTH = 2000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

const SIMPLE_ESCAPE = new Uint8Array(256);
for (const char of '"\\/bfnrt') SIMPLE_ESCAPE[char.charCodeAt(0)] = 1;

const HEX = new Uint8Array(256);
for (const char of '0123456789abcdefABCDEF') HEX[char.charCodeAt(0)] = 1;

/** Skips blanks. */
export function skipBlank(b: Uint8Array, pos: number): number {
  let c = b[pos];
  if ((c as number) > 0x20) return pos;
  while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = b[++pos];
  return pos;
}

/** Offset behind the JSON value that begins at `pos`. @throws EnvelopeError where the text is not JSON */
export function skipValue(b: Uint8Array, pos: number, depth = 0): number {
  const c = b[pos];
  switch (c) {
    case QUOTE:
      return skipString(b, pos);
    case OPEN_OBJECT:
      return skipObject(b, pos, depth + 1);
    case OPEN_ARRAY:
      return skipArray(b, pos, depth + 1);
    case 0x74:
      return skipWord(b, pos, TRUE);
    case 0x66:
      return skipWord(b, pos, FALSE);
    case 0x6e:
      return skipWord(b, pos, NULL);
    default:
      return skipNumber(b, pos);
  }
}

/** `pos` is at the opening quote. Returns the offset behind the closing one. */
export function skipString(b: Uint8Array, pos: number): number {
  if (b[pos] !== QUOTE) throw unexpected(b, pos, 'a string');
  for (;;) {
    let c = b[++pos];
    // `undefined`, behind the end of the body, ends the loop too: it compares false.
    while (c !== QUOTE && c !== BACKSLASH && (c as number) >= 0x20) c = b[++pos];
    if (c === QUOTE) return pos + 1;
    if (c !== BACKSLASH) throw unexpected(b, pos, 'the end of a string');
    pos = skipEscape(b, pos) - 1;
  }
}

function skipEscape(b: Uint8Array, pos: number): number {
  const c = b[pos + 1] ?? 0;
  if (SIMPLE_ESCAPE[c] === 1) return pos + 2;
  const isUnicode = c === 0x75;
  for (let i = 2; isUnicode && i < 6; i++)
    if (HEX[b[pos + i] ?? 0] === 0) throw unexpected(b, pos + i, 'a hexadecimal digit');
  if (!isUnicode) throw unexpected(b, pos + 1, 'an escape');
  return pos + 6;
}

function skipObject(b: Uint8Array, pos: number, depth: number): number {
  requireDepth(depth, pos);
  pos = skipBlank(b, pos + 1);
  if (b[pos] === CLOSE_OBJECT) return pos + 1;
  for (;;) {
    pos = skipColon(b, skipString(b, pos));
    pos = skipBlank(b, skipValue(b, pos, depth));
    if (b[pos] === CLOSE_OBJECT) return pos + 1;
    pos = skipComma(b, pos);
  }
}

function skipArray(b: Uint8Array, pos: number, depth: number): number {
  requireDepth(depth, pos);
  pos = skipBlank(b, pos + 1);
  if (b[pos] === CLOSE_ARRAY) return pos + 1;
  for (;;) {
    pos = skipBlank(b, skipValue(b, pos, depth));
    if (b[pos] === CLOSE_ARRAY) return pos + 1;
    pos = skipComma(b, pos);
  }
}

/** From behind a name to the first byte of its value. */
export function skipColon(b: Uint8Array, pos: number): number {
  if (b[pos] === COLON && (b[pos + 1] as number) > 0x20) return pos + 1;
  pos = skipBlank(b, pos);
  if (b[pos] !== COLON) throw unexpected(b, pos, '":"');
  return skipBlank(b, pos + 1);
}

/** From a comma to the first byte behind it. */
export function skipComma(b: Uint8Array, pos: number): number {
  if (b[pos] === COMMA && (b[pos + 1] as number) > 0x20) return pos + 1;
  if (b[pos] !== COMMA) throw unexpected(b, pos, '"," or a closing bracket');
  return skipBlank(b, pos + 1);
}

function skipWord(b: Uint8Array, pos: number, word: Uint8Array): number {
  for (let i = 0; i < word.length; i++) if (b[pos + i] !== word[i]) throw unexpected(b, pos + i, 'a JSON value');
  return pos + word.length;
}

function skipNumber(b: Uint8Array, pos: number): number {
  if (b[pos] === 0x2d) pos++;
  const start = pos;
  pos = skipDigits(b, pos);
  if (b[start] === 0x30 && pos > start + 1) throw unexpected(b, start + 1, 'a number without a leading zero');
  if (b[pos] === 0x2e) pos = skipDigits(b, pos + 1);
  if (b[pos] === 0x65 || b[pos] === 0x45) {
    pos++;
    if (b[pos] === 0x2b || b[pos] === 0x2d) pos++;
    pos = skipDigits(b, pos);
  }
  return pos;
}

function skipDigits(b: Uint8Array, pos: number): number {
  if (!isDigit(b[pos])) throw unexpected(b, pos, 'a JSON value');
  do pos++;
  while (isDigit(b[pos]));
  return pos;
}

function isDigit(c: number | undefined): boolean {
  return c !== undefined && c >= 0x30 && c <= 0x39;
}

function requireDepth(depth: number, pos: number): void {
  if (depth > MAX_DEPTH) throw new EnvelopeError(`a value is nested deeper than ${MAX_DEPTH}`, pos);
}

/** "Expected X": says what was found only as "the end of the body" or a byte's number, never a value. */
export function unexpected(b: Uint8Array, pos: number, expected: string): EnvelopeError {
  const found = pos >= b.length ? 'the end of the body' : 'something else';
  return new EnvelopeError(`expected ${expected}, found ${found}`, Math.min(pos, b.length));
}
