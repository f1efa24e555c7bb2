import { open, type Database, type RootDatabase } from 'lmdb';
import { createSlab } from './slab.js';

/** The databases of an LMDB environment. */
export interface Environment {
  readonly root: RootDatabase;
  readonly entries: Database<Buffer, Buffer>;
  readonly shapes: Database<string[], number>;
  readonly meta: Database<unknown, string>;
}

export function openEnvironment(folder: string): Environment {
  // Without turn batching every write is one of our own transactions: LMDB's JavaScript side opens none of its own, whose failure on a
  // full disk nobody could catch.
  const root = open({ path: folder, noSubdir: false, maxDbs: 3, overlappingSync: false, eventTurnBatching: false });
  try {
    return {
      root,
      entries: root.openDB({ name: 'entries', ...entriesEncoding() }),
      shapes: root.openDB({ name: 'shapes', keyEncoding: 'uint32', encoding: 'json' }),
      meta: root.openDB({ name: 'meta', encoding: 'json', useVersions: true }),
    };
  } catch (error) {
    void root.close();
    throw error;
  }
}

/** Bytes as they are. What is read is copied out of LMDB's memory once, by ourselves. */
function entriesEncoding(): object {
  const copy = createSlab();
  return {
    encoding: 'binary',
    encoder: {
      encode: (value: Buffer) => value,
      // LMDB's buffer is larger than what `length` says.
      decode: (bytes: Buffer) => copy(bytes, 0, bytes.length),
    },
    keyEncoder: {
      writeKey(key: Buffer, target: Buffer, start: number): number {
        target.set(key, start);
        return start + key.length;
      },
      readKey: copy,
    },
  };
}
