import { parseHlc, type Hlc } from '../domain/hlc.js';
import { createRowScanner, type RowValues } from './column-shapes.js';
import { EnvelopeError } from './envelope-error.js';
import { skipBlank, skipColon, skipComma, skipString, skipValue, unexpected } from './json-scan.js';
import { scanTimestamp, type TimestampParts } from './timestamp-scan.js';

const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const NULL = 0x6e;

/** One item of `payload`: offsets into the body. The object is the same for every item and valid during `onItem` only. */
export interface ScannedItem {
  /** Position in `payload`, from 0. */
  index: number;
  /** Between the quotes; may hold escapes. */
  topicStart: number;
  topicEnd: number;
  /** The array, brackets included. */
  keyStart: number;
  keyEnd: number;
  /** The object, braces included; -1 with a delete (`after` null or missing). */
  afterStart: number;
  afterEnd: number;
  readonly updated: TimestampParts;
  /** Columns and values of `after`; of no meaning with a delete. */
  readonly row: RowValues;
}

export interface ScannedBody {
  readonly items: number;
  readonly resolved: Hlc | null;
}

export type EnvelopeScanner = (body: Uint8Array, onItem: (item: ScannedItem) => void) => ScannedBody;

/**
 * Scans bodies of a changefeed's webhook sink in one pass, without building objects of their values: `{"payload":[...],"length":N}`,
 * `{"resolved":"..."}`, or both. Fields may come in any order; unknown ones are skipped. Column sets are interned for as long
 * as the scanner lives. The body must be UTF-8.
 * @throws EnvelopeError and what `onItem` throws; an EnvelopeError of `onItem` gets the item's number
 */
export function createEnvelopeScanner(): EnvelopeScanner {
  const rows = createRowScanner();
  const item: ScannedItem = {
    index: 0,
    topicStart: 0,
    topicEnd: 0,
    keyStart: 0,
    keyEnd: 0,
    afterStart: 0,
    afterEnd: 0,
    updated: { seconds: 0, nanos: 0, logical: 0 },
    row: rows.values,
  };

  function scanPayload(b: Uint8Array, pos: number, onItem: (item: ScannedItem) => void): number {
    item.index = 0;
    if (b[pos] === NULL) return skipValue(b, pos);
    if (b[pos] !== OPEN_ARRAY) throw unexpected(b, pos, 'an array');
    pos = skipBlank(b, pos + 1);
    if (b[pos] === CLOSE_ARRAY) return pos + 1;
    try {
      for (;;) {
        pos = skipBlank(b, scanItem(b, pos));
        onItem(item);
        item.index++;
        if (b[pos] === CLOSE_ARRAY) return pos + 1;
        pos = skipComma(b, pos);
      }
    } catch (error) {
      throw error instanceof EnvelopeError ? new EnvelopeError(error.problem, error.position, item.index) : error;
    }
  }

  function scanItem(b: Uint8Array, start: number): number {
    item.topicStart = item.keyStart = item.afterStart = -1;
    let hasUpdated = false;
    let pos = start;
    if (b[pos] !== OPEN_OBJECT) throw unexpected(b, pos, 'an object');
    pos = skipBlank(b, pos + 1);
    while (b[pos] !== CLOSE_OBJECT) {
      const name = pos;
      pos = skipColon(b, skipString(b, pos));
      const value = pos;
      if (isName(b, name, 'after')) {
        requireNew(item.afterStart < 0, 'after', name);
        if (b[pos] === NULL) pos = skipValue(b, pos);
        else {
          pos = rows.scan(b, pos);
          item.afterStart = value;
          item.afterEnd = pos;
        }
      } else if (isName(b, name, 'key')) {
        requireNew(item.keyStart < 0, 'key', name);
        if (b[pos] !== OPEN_ARRAY) throw unexpected(b, pos, 'an array');
        pos = skipValue(b, pos);
        item.keyStart = value;
        item.keyEnd = pos;
      } else if (isName(b, name, 'topic')) {
        requireNew(item.topicStart < 0, 'topic', name);
        pos = skipString(b, pos);
        item.topicStart = value + 1;
        item.topicEnd = pos - 1;
      } else if (isName(b, name, 'updated')) {
        requireNew(!hasUpdated, 'updated', name);
        pos = skipString(b, pos);
        scanTimestamp(b, value + 1, pos - 1, item.updated);
        hasUpdated = true;
      } else pos = skipValue(b, pos);
      pos = nextField(b, pos);
    }
    if (item.topicStart < 0) throw missing('topic', start);
    if (item.keyStart < 0) throw missing('key', start);
    if (!hasUpdated) throw missing('updated', start);
    return pos + 1;
  }

  return (b, onItem) => {
    let items = 0;
    let length: number | null = null;
    let resolved: Hlc | null = null;
    let pos = skipBlank(b, 0);
    if (b[pos] !== OPEN_OBJECT) throw unexpected(b, pos, 'an object');
    pos = skipBlank(b, pos + 1);
    while (b[pos] !== CLOSE_OBJECT) {
      const name = pos;
      pos = skipColon(b, skipString(b, pos));
      const value = pos;
      if (isName(b, name, 'payload')) {
        pos = scanPayload(b, pos, onItem);
        items += item.index;
      } else if (isName(b, name, 'length')) {
        pos = skipValue(b, pos);
        length = Number(text(b, value, pos));
      } else if (isName(b, name, 'resolved')) {
        pos = skipString(b, pos);
        resolved = hlc(b, value + 1, pos - 1);
      } else pos = skipValue(b, pos);
      pos = nextField(b, pos);
    }
    const end = skipBlank(b, pos + 1);
    if (end !== b.length) throw new EnvelopeError('something follows the body', end);
    if (length !== null && length !== items)
      throw new EnvelopeError(`its length says other than its ${items} items`, end);
    return { items, resolved };
  };
}

/** From behind a value to the next name, or to the closing brace. */
function nextField(b: Uint8Array, pos: number): number {
  pos = skipBlank(b, pos);
  if (b[pos] === CLOSE_OBJECT) return pos;
  pos = skipComma(b, pos);
  if (b[pos] === CLOSE_OBJECT) throw unexpected(b, pos, 'a field');
  return pos;
}

function isName(b: Uint8Array, pos: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if (b[pos + 1 + i] !== name.charCodeAt(i)) return false;
  return b[pos + 1 + name.length] === 0x22;
}

function requireNew(isNew: boolean, field: string, position: number): void {
  if (!isNew) throw new EnvelopeError(`the field ${field} comes twice`, position);
}

function missing(field: string, position: number): EnvelopeError {
  return new EnvelopeError(`the field ${field} is missing`, position);
}

function hlc(b: Uint8Array, start: number, end: number): Hlc {
  try {
    return parseHlc(text(b, start, end));
  } catch {
    throw new EnvelopeError('expected an HLC timestamp (nanos.logical), found something else', start);
  }
}

function text(b: Uint8Array, start: number, end: number): string {
  return Buffer.from(b.buffer, b.byteOffset + start, end - start).toString();
}
