import { formatHlc, HLC_ZERO, maxHlc, previousHlc, readHlc, type Hlc } from '../../domain/hlc.js';
import type { StageBinding } from '../stage.js';
import { encodeHlc } from '../encode-hlc.js';
import { BEHIND_ALL_TABLES, type StageStatements } from './statements.js';
import type { StageWriter } from './writer.js';

/** Rows deleted by one statement: a purge of millions must not hold up the bodies that arrive meanwhile. */
const PURGE_SLICE = 10_000;

/** Deletes what is applied, and what an earlier fill has left, a slice at a time. */
export interface Purge {
  /** Deletes one slice at or before `upTo`; says whether there is more. */
  slice(bound: StageBinding, upTo: Hlc): Promise<boolean>;
  /** A row was written there: a purge looks at it again. */
  wrote(at: Uint8Array): void;
  /** The stage was bound anew: what it held is of an earlier fill. */
  bound(): void;
}

export function createPurge(writer: StageWriter, statements: StageStatements, stream: string): Purge {
  /** Everything up to here is purged: a purge does not look at it again, since deleted rows stay in the way for some time. */
  let purgedUpTo: Hlc = HLC_ZERO;
  /** Entries of fills before the present one may be there. */
  let leftovers = true;

  /** The floor rises with the first deletion, so that protocol rule B fails honestly where the target is set back behind it. */
  async function purgeSlice(bound: StageBinding, upTo: Hlc): Promise<boolean> {
    const { fill } = writer.state();
    const [from, to] = [encodeHlc(purgedUpTo), encodeHlc(upTo)];
    const [edge] = await writer.ask<{ ts: Buffer; tab: number; key: Buffer }>(
      'purging',
      statements.purgeEdge,
      stream,
      fill,
      from,
      to,
      PURGE_SLICE - 1,
    );
    const end = edge ?? { ts: to, tab: BEHIND_ALL_TABLES, key: Buffer.alloc(0) };
    const floor = maxHlc(bound.floor, upTo);
    const [{ entries, bytes }] = await writer.write<{ entries: string; bytes: string }>(
      'purging',
      statements.purge,
      fill,
      from,
      end.ts,
      end.tab,
      end.key,
      formatHlc(floor),
    );
    writer.set({ binding: { ...bound, floor }, entries: Number(entries), bytes: Number(bytes) });
    // Not up to the edge's own timestamp: the rest of it is still there.
    purgedUpTo = maxHlc(purgedUpTo, edge ? previousHlc(readHlc(edge.ts, 0)) : upTo);
    return edge !== undefined;
  }

  async function purgeLeftovers(): Promise<boolean> {
    const { fill } = writer.state();
    const [edge] = await writer.ask<{ fill: string; ts: Buffer; tab: number; key: Buffer }>(
      'purging',
      statements.leftoverEdge,
      stream,
      fill,
      PURGE_SLICE - 1,
    );
    const end = edge ?? {
      fill: String(BigInt(fill) - 1n),
      ts: Buffer.alloc(12, 0xff),
      tab: BEHIND_ALL_TABLES,
      key: Buffer.alloc(0),
    };
    await writer.ask('purging', statements.purgeLeftover, stream, end.fill, end.ts, end.tab, end.key);
    leftovers = edge !== undefined;
    // What was asked for comes next.
    return true;
  }

  return {
    slice: (bound, upTo) => (leftovers ? purgeLeftovers() : purgeSlice(bound, upTo)),
    wrote: (at) => void (purgedUpTo = lowerTo(purgedUpTo, at)),
    bound() {
      purgedUpTo = HLC_ZERO;
      leftovers = true;
    },
  };
}

function lowerTo(purgedUpTo: Hlc, at: Uint8Array): Hlc {
  if (purgedUpTo === HLC_ZERO) return purgedUpTo;
  const hlc = readHlc(at, 0);
  return hlc <= purgedUpTo ? previousHlc(hlc) : purgedUpTo;
}
