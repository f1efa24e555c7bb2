import { HLC_BYTES, maxHlc, type Hlc } from '../../domain/hlc.js';
import type { IncomingMutation } from '../../domain/mutation.js';
import { encodeHlc } from '../encode-hlc.js';
import { NoRoomError, type AcceptResult, type StageBinding } from '../stage.js';
import { entryKey, entryValueBytes, isHashed, readEntry, writeEntryValue } from './entry-codec.js';
import { StageCorruptError } from './errors.js';
import type { StageTransaction } from './transaction.js';

/** Plans the puts of one body and counts what they are. */
export function planAccept(
  transaction: StageTransaction,
  folder: string,
  rows: readonly IncomingMutation[],
  committed: Hlc,
  bound: StageBinding,
  mayGrow: boolean,
): AcceptResult {
  const committedAt = encodeHlc(committed);
  const resolvedAt = encodeHlc(bound.resolved);
  // What was purged is not here any more: below the floor "never seen" cannot be told from "applied and deleted".
  const seenAfter = encodeHlc(maxHlc(committed, bound.floor));
  let dropped = 0;
  let redelivered = 0;
  let late = 0;
  const puts: { key: Buffer; row: IncomingMutation }[] = [];
  /** Rows of this body that nobody has staged before. */
  const fresh = new Set<string>();
  let bytes = 0;
  for (const row of rows) {
    // Only against the committed checkpoint, never against resolved (protocol rule 10).
    if (compareAt(row.at, committedAt) <= 0) {
      dropped++;
      continue;
    }
    const key = entryKey(row);
    if (isStaged(transaction, folder, key, row, fresh)) redelivered++;
    else if (compareAt(row.at, resolvedAt) <= 0 && compareAt(row.at, seenAfter) > 0) late++;
    puts.push({ key, row });
    bytes += entryValueBytes(row);
  }
  if (!mayGrow && fresh.size > 0) throw new NoRoomError();
  for (const key of fresh) transaction.pending.add(key);
  planPuts(transaction, puts, bytes);
  return { staged: puts.length - redelivered, dropped, redelivered, late };
}

/** One allocation for the values of a body: LMDB asks for the address of each buffer once. */
function planPuts(
  transaction: StageTransaction,
  puts: readonly { key: Buffer; row: IncomingMutation }[],
  bytes: number,
): void {
  if (puts.length === 0) return;
  const values = Buffer.allocUnsafeSlow(bytes);
  const ends: number[] = [];
  let end = 0;
  for (const { row } of puts) {
    end = writeEntryValue(values, end, row, transaction.shapes.number(row.columns));
    ends.push(end);
  }
  transaction.writes.push(() => {
    let start = 0;
    puts.forEach(({ key }, index) => {
      const stop = ends[index] ?? start;
      void transaction.entries.put(key, values.subarray(start, stop));
      start = stop;
    });
  });
}

function isStaged(
  transaction: StageTransaction,
  folder: string,
  key: Buffer,
  row: IncomingMutation,
  fresh: Set<string>,
): boolean {
  const text = key.toString('latin1');
  if (transaction.pending.has(text) || fresh.has(text)) return true;
  if (!transaction.entries.doesExist(key)) {
    fresh.add(text);
    return false;
  }
  if (isHashed(key)) requireSameKey(transaction, folder, key, row);
  return true;
}

/** Two keys of one hash must not overwrite each other (protocol rule 13). */
function requireSameKey(transaction: StageTransaction, folder: string, key: Buffer, row: IncomingMutation): void {
  const value = transaction.entries.get(key);
  if (value && !Buffer.from(row.key).equals(readEntry(key, value).key))
    throw new StageCorruptError(folder, 'two long keys have one hash');
}

function compareAt(a: Uint8Array, b: Buffer): number {
  for (let i = 0; i < HLC_BYTES; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
