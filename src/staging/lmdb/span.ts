import type { Database } from 'lmdb';
import { HLC_BYTES, readHlc, type Hlc } from '../../domain/hlc.js';
import { encodeHlc } from '../encode-hlc.js';
import type { SpanLimits, StagedMutation, StagedSpan, StagePosition } from '../stage.js';
import { entryKey, readEntry } from './entry-codec.js';
import { StageCorruptError } from './errors.js';
import type { Shapes } from './shapes.js';

/** The least key of all entries after `at`. */
export function keyAfter(at: Hlc): Buffer {
  return encodeHlc((at + 1n) as Hlc);
}

/** Reads (after, upTo] until a limit is reached, and then, unless it may split, to the end of that timestamp (protocol rules 11 and 20). */
export function readSpan(
  folder: string,
  entries: Database<Buffer, Buffer>,
  shapes: Shapes,
  after: Hlc | StagePosition,
  upTo: Hlc,
  limits: SpanLimits,
): StagedSpan {
  const within = typeof after === 'bigint' ? null : positionKey(after);
  let at = typeof after === 'bigint' ? after : after.at;
  if (within === null ? upTo <= at : upTo < at) return { mutations: [], end: at, cut: false };
  const mutations: StagedMutation[] = [];
  let bytes = 0;
  let atKey = within;
  const start = within ?? keyAfter(at);
  for (const { key, value } of entries.getRange({ start, end: keyAfter(upTo), exclusiveStart: within !== null })) {
    const full = mutations.length >= limits.rows || bytes >= limits.bytes;
    if (atKey === null || key.compare(atKey, 0, HLC_BYTES, 0, HLC_BYTES) !== 0) {
      if (full) return { mutations, end: at, cut: false };
      at = readHlc(key, 0);
      atKey = key;
    } else if (full && limits.maySplit === true) return { mutations, end: at, cut: true };
    const entry = readEntry(key, value);
    const columns = shapes.columns(entry.shape);
    if (columns === undefined)
      throw new StageCorruptError(folder, `an entry names the unknown column set ${entry.shape}`);
    mutations.push({ at, table: entry.table, key: entry.key, after: columns && entry.after, columns });
    bytes += entry.after.length;
  }
  return { mutations, end: upTo, cut: false };
}

function positionKey({ at, table, key }: StagePosition): Buffer {
  return entryKey({ at: encodeHlc(at), table, key });
}
