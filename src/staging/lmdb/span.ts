import type { Database } from 'lmdb';
import { HLC_BYTES, readHlc, writeHlc, type Hlc } from '../../domain/hlc.js';
import type { SpanLimits, StagedMutation, StagedSpan } from '../stage.js';
import { readEntry } from './entry-codec.js';
import { StageCorruptError } from './errors.js';
import type { Shapes } from './shapes.js';

/** The least key of all entries after `at`. */
export function keyAfter(at: Hlc): Buffer {
  const key = Buffer.alloc(HLC_BYTES);
  writeHlc(key, 0, (at + 1n) as Hlc);
  return key;
}

/** Reads (after, upTo] until a limit is reached, and then to the end of that timestamp (protocol rules 11 and 20). */
export function readSpan(
  folder: string,
  entries: Database<Buffer, Buffer>,
  shapes: Shapes,
  after: Hlc,
  upTo: Hlc,
  limits: SpanLimits,
): StagedSpan {
  if (upTo <= after) return { mutations: [], end: after };
  const mutations: StagedMutation[] = [];
  let bytes = 0;
  let at = after;
  let atKey: Buffer | null = null;
  for (const { key, value } of entries.getRange({ start: keyAfter(after), end: keyAfter(upTo) })) {
    if (atKey === null || key.compare(atKey, 0, HLC_BYTES, 0, HLC_BYTES) !== 0) {
      if (mutations.length >= limits.rows || bytes >= limits.bytes) return { mutations, end: at };
      at = readHlc(key, 0);
      atKey = key;
    }
    const entry = readEntry(key, value);
    const columns = shapes.columns(entry.shape);
    if (columns === undefined)
      throw new StageCorruptError(folder, `an entry names the unknown column set ${entry.shape}`);
    mutations.push({ at, table: entry.table, key: entry.key, after: columns && entry.after, columns });
    bytes += entry.after.length;
  }
  return { mutations, end: upTo };
}
