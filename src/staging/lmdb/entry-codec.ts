import { createHash } from 'node:crypto';
import { HLC_BYTES } from '../../domain/hlc.js';
import type { IncomingMutation } from '../../domain/mutation.js';

/** LMDB takes keys of at most 1,978 bytes at the page size of 4,096 (protocol rule 13). */
const MAX_KEY_BYTES = 1978;
const TABLE_OFFSET = HLC_BYTES;
const PREFIX_BYTES = HLC_BYTES + 2;
const MAX_INLINE_KEY_BYTES = MAX_KEY_BYTES - PREFIX_BYTES;
/** Marks a hashed key. A key kept inline is JSON text, which never begins with this byte. */
const HASHED = 0xff;
const SHAPE_BYTES = 4;
const KEY_LENGTH_BYTES = 4;

/** The shape number of a delete. */
export const DELETE_SHAPE = 0;

type EntryPlace = Pick<IncomingMutation, 'at' | 'table' | 'key'>;

/** The key of an entry: timestamp, table, then the row's key, or its hash where the key is too long for the store. */
export function entryKey(row: EntryPlace): Buffer {
  if (row.key.length <= MAX_INLINE_KEY_BYTES) return prefixed(row, row.key);
  const hash = createHash('sha256').update(row.key).digest();
  const marked = Buffer.allocUnsafe(1 + hash.length);
  marked[0] = HASHED;
  marked.set(hash, 1);
  return prefixed(row, marked);
}

function prefixed(row: EntryPlace, rest: Uint8Array): Buffer {
  const key = Buffer.allocUnsafe(PREFIX_BYTES + rest.length);
  key.set(row.at, 0);
  key.writeUInt16BE(row.table, TABLE_OFFSET);
  key.set(rest, PREFIX_BYTES);
  return key;
}

export function isHashed(key: Uint8Array): boolean {
  return key[PREFIX_BYTES] === HASHED;
}

/** Bytes that `writeEntryValue` writes for this row. */
export function entryValueBytes(row: IncomingMutation): number {
  const long = row.key.length > MAX_INLINE_KEY_BYTES;
  return SHAPE_BYTES + (long ? KEY_LENGTH_BYTES + row.key.length : 0) + (row.after?.length ?? 0);
}

/** Shape number, the full key where the entry's key has only its hash, `after` untouched. Returns the offset behind it. */
export function writeEntryValue(target: Buffer, offset: number, row: IncomingMutation, shape: number): number {
  let at = target.writeUInt32BE(shape, offset);
  if (row.key.length > MAX_INLINE_KEY_BYTES) {
    at = target.writeUInt32BE(row.key.length, at);
    target.set(row.key, at);
    at += row.key.length;
  }
  if (row.after) target.set(row.after, at);
  return at + (row.after?.length ?? 0);
}

export interface DecodedEntry {
  readonly table: number;
  readonly key: Uint8Array;
  readonly shape: number;
  readonly after: Uint8Array;
}

export function readEntry(key: Buffer, value: Buffer): DecodedEntry {
  const table = key.readUInt16BE(TABLE_OFFSET);
  const shape = value.readUInt32BE(0);
  if (!isHashed(key)) return { table, key: key.subarray(PREFIX_BYTES), shape, after: value.subarray(SHAPE_BYTES) };
  const start = SHAPE_BYTES + KEY_LENGTH_BYTES;
  const end = start + value.readUInt32BE(SHAPE_BYTES);
  return { table, key: value.subarray(start, end), shape, after: value.subarray(end) };
}
