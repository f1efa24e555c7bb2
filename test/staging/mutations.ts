import { hlcOf, writeHlc, type Hlc } from '../../src/domain/hlc.js';
import type { ColumnSet, IncomingMutation } from '../../src/domain/mutation.js';
import type { StagedMutation } from '../../src/staging/stage.js';

const COLUMNS: ColumnSet = ['id', 'v'];

/** A timestamp: `n` seconds, so that tests read as the order of events. */
export function at(n: number, logical = 0): Hlc {
  return hlcOf(BigInt(n) * 1_000_000_000n, logical);
}

export function upsert(
  time: Hlc,
  key: string,
  after = '{"id":1,"v":"x"}',
  columns = COLUMNS,
  table = 0,
): IncomingMutation {
  return { at: encoded(time), table, key: Buffer.from(key), after: Buffer.from(after), columns };
}

export function deletion(time: Hlc, key: string, table = 0): IncomingMutation {
  return { at: encoded(time), table, key: Buffer.from(key), after: null, columns: null };
}

function encoded(time: Hlc): Uint8Array {
  const bytes = Buffer.alloc(12);
  writeHlc(bytes, 0, time);
  return bytes;
}

/** `10:0:[1]={"id":1}` or `10:0:[1]=deleted`. */
export function shown(mutation: StagedMutation): string {
  const after = mutation.after === null ? 'deleted' : Buffer.from(mutation.after).toString();
  return `${mutation.at / at(1)}:${mutation.table}:${Buffer.from(mutation.key).toString()}=${after}`;
}

export const EVERYTHING = { rows: 1_000_000, bytes: 1_000_000_000 };
