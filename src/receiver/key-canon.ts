import type { ColumnSet } from '../domain/mutation.js';
import type { KeyClass, KeyColumn } from '../domain/table.js';
import type { RowValues } from './column-shapes.js';
import { canonicalDecimal } from '../domain/decimal-text.js';
import { EnvelopeError } from './envelope-error.js';
import { skipBlank, skipValue } from './json-scan.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;

/** Reads the keys of one table. A key is its value, not its text (invariant 4, protocol rule 18). */
export interface KeyReader {
  /**
   * The canonical text of the key at [start, end) of a scanned body; a view of the body where the text is canonical already.
   * @throws EnvelopeError when it does not have the table's number of key columns
   */
  canonical(b: Buffer, start: number, end: number): Uint8Array;
  /**
   * Checks that the key last read equals the key columns of `after` (protocol rule 8), by canonical value.
   * @throws EnvelopeError naming the column
   */
  requireMatch(b: Buffer, row: RowValues): void;
}

export function createKeyReader(keyColumns: readonly KeyColumn[]): KeyReader {
  const starts: number[] = [];
  const ends: number[] = [];
  const onlyExact = keyColumns.every((column) => column.keyClass === 'exact');
  let places: number[] = [];
  let placesOf: ColumnSet | null = null;

  /** Finds the parts of a key that the scan has found to be a JSON array. */
  function split(b: Buffer, start: number): void {
    let count = 0;
    let pos = skipBlank(b, start + 1);
    while (b[pos] !== CLOSE_ARRAY) {
      starts[count] = pos;
      pos = skipValue(b, pos);
      ends[count] = pos;
      count++;
      pos = skipBlank(b, pos);
      if (b[pos] !== CLOSE_ARRAY) pos = skipBlank(b, pos + 1);
    }
    if (count !== keyColumns.length)
      throw new EnvelopeError(
        `a key has ${count} parts where the table's primary key has ${keyColumns.length} columns`,
        start,
      );
  }

  function part(b: Buffer, index: number, from: number, to: number): string {
    return canonicalPart(b.toString('utf8', from, to), keyColumns[index]?.keyClass ?? 'exact');
  }

  return {
    canonical(b, start, end) {
      split(b, start);
      if (onlyExact && !hasBlank(b, start, end)) return b.subarray(start, end);
      const parts = keyColumns.map((_, index) => part(b, index, starts[index] ?? 0, ends[index] ?? 0));
      return Buffer.from(`[${parts.join(',')}]`);
    },

    requireMatch(b, row) {
      if (placesOf !== row.columns) {
        places = keyColumns.map((column) => row.columns.indexOf(column.name));
        placesOf = row.columns;
      }
      for (let i = 0; i < keyColumns.length; i++) {
        const place = places[i] ?? -1;
        const from = starts[i] ?? 0;
        const to = ends[i] ?? 0;
        if (place < 0) throw new EnvelopeError(`the key column "${keyColumns[i]?.name}" is not in after`, from);
        const valueFrom = row.starts[place] ?? 0;
        const valueTo = row.ends[place] ?? 0;
        if (sameBytes(b, from, to, valueFrom, valueTo)) continue;
        if (part(b, i, from, to) !== part(b, i, valueFrom, valueTo))
          throw new EnvelopeError(`key and after differ in the key column "${keyColumns[i]?.name}"`, from);
      }
    },
  };
}

function canonicalPart(text: string, keyClass: KeyClass): string {
  switch (keyClass) {
    case 'decimal':
      return canonicalDecimal(text);
    case 'float':
      return text === '-0' ? '0' : text;
    case 'exact':
      return withoutBlanks(text);
  }
}

/** Removes the blanks between the tokens of a JSON text, not those inside strings. */
function withoutBlanks(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|[ \t\r\n]+/g, (token) => (token.startsWith('"') ? token : ''));
}

/** A blank outside of strings. */
function hasBlank(b: Buffer, start: number, end: number): boolean {
  let inString = false;
  for (let i = start; i < end; i++) {
    const c = b[i];
    if (c === QUOTE) inString = !inString;
    else if (c === BACKSLASH) i++;
    else if (!inString && (c === 0x20 || c === 0x09 || c === 0x0a || c === 0x0d)) return true;
  }
  return false;
}

function sameBytes(b: Buffer, from: number, to: number, otherFrom: number, otherTo: number): boolean {
  if (to - from !== otherTo - otherFrom) return false;
  for (let i = from, j = otherFrom; i < to; i++, j++) if (b[i] !== b[j]) return false;
  return true;
}
