import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Environment } from './environment.js';

/** LMDB's name of the file in an environment's folder. */
export const DATA_FILE = 'data.mdb';

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

export function emptyFolder(folder: string): string {
  removeFolder(folder);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** Before every key. */
const FIRST = Buffer.alloc(1);

/** Everything, the owner's version too, in one transaction that is flushed when this returns. */
export function copyAll(from: Environment, to: Environment): void {
  to.root.transactionSync(() => {
    for (const { key, value, version } of from.meta.getRange({ versions: true }))
      void to.meta.put(key, value, version ?? 0);
    for (const { key, value } of from.shapes.getRange()) void to.shapes.put(key, value);
    for (const { key, value } of from.entries.getRange({ start: FIRST })) void to.entries.put(key, value);
  });
}

/**
 * The file of `made`, closed before, becomes that of `folder`. Returns when the folder itself is flushed: else a crash of the machine could bring
 * the old file back, without what the new one has acknowledged since.
 */
export function replaceDataFile(made: string, folder: string): void {
  renameSync(path.join(made, DATA_FILE), path.join(folder, DATA_FILE));
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  removeFolder(made);
}
