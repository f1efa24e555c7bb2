import { randomInt, randomUUID } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import { formatHlc, parseHlc } from '../../domain/hlc.js';
import { StageBusyError, type StageBinding } from '../stage.js';
import { openEnvironment } from './environment.js';
import { StageCorruptError } from './errors.js';
import { currentOwner, isOwnerAlive, type Owner } from './owner.js';
import { copyAll, DATA_FILE, emptyFolder, removeFolder, replaceDataFile } from './rewrite.js';

/** An LMDB environment that this process owns. Its databases change with every `remap`: ask for them each time. */
export interface StageStore {
  readonly folder: string;
  readonly root: RootDatabase;
  /** `entryKey` -> value of `writeEntryValue`, in time order. */
  readonly entries: Database<Buffer, Buffer>;
  /** Shape number -> names of the columns. */
  readonly shapes: Database<string[], number>;
  /** Random, made with the store (protocol rule 15). */
  readonly id: string;
  /**
   * Runs `write`, which only puts and removes, as one transaction, if this process still owns the store. Resolves when it is
   * flushed: with `overlappingSync` off, LMDB's writer thread calls fdatasync inside the commit (protocol rule 14).
   * @throws StageBusyError when another process has taken the store; what the store itself objects
   */
  transact(write: () => void): Promise<void>;
  readBinding(): StageBinding | null;
  /** Inside `transact` only. */
  putBinding(binding: StageBinding): void;
  /**
   * Closes the environment and opens it again, still its owner: LMDB maps its whole file, and every page once read stays in our memory until then.
   * Nothing may be read or written meanwhile.
   */
  remap(): Promise<void>;
  /** Size of the file, in bytes: what it needed at most, whatever of it is free by now. */
  fileBytes(): number;
  /**
   * Puts a new file with the same content in the place of the file. What is there must be little: it is copied at once. Nothing may be read or written
   * meanwhile. A crash leaves one file or the other, each complete.
   */
  rewrite(): Promise<void>;
  /** False while it is mapped anew, and after that has failed. */
  isOpen(): boolean;
  /** Gives up ownership and closes. */
  close(): Promise<void>;
}

interface BindingRecord {
  readonly incarnation: number;
  readonly floor: string;
  readonly resolved: string;
  readonly plan: string;
}

const OWNER = 'owner';
const ID = 'id';
const BINDING = 'binding';
/** Folder in which the next file is made; one that a crash has left is of no use. */
const REWRITTEN = 'rewritten';

/** Folders open in this process: LMDB shares one environment for all who open it, so its own lock would not object. */
const openFolders = new Set<string>();

/** @throws StageBusyError when this or another process has the folder open */
export function openStore(folder: string): StageStore {
  if (openFolders.has(folder)) throw new StageBusyError(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  removeFolder(path.join(folder, REWRITTEN));
  let environment = openEnvironment(folder);
  let isOpen = true;
  try {
    const { id, ownership } = takeOwnership(environment.root, environment.meta, folder);
    openFolders.add(folder);

    return {
      folder,
      get root() {
        return environment.root;
      },
      get entries() {
        return environment.entries;
      },
      get shapes() {
        return environment.shapes;
      },
      id,
      async transact(write) {
        const mine = await environment.meta.ifVersion(OWNER, ownership, write);
        if (!mine) throw new StageBusyError(folder);
      },
      readBinding() {
        const record = environment.meta.get(BINDING) as BindingRecord | undefined;
        return record ? bindingOf(record, folder) : null;
      },
      putBinding(binding) {
        const record: BindingRecord = {
          incarnation: binding.incarnation,
          floor: formatHlc(binding.floor),
          resolved: formatHlc(binding.resolved),
          plan: binding.plan,
        };
        void environment.meta.put(BINDING, record, 0);
      },
      isOpen: () => isOpen,
      fileBytes: () => statSync(path.join(folder, DATA_FILE)).size,
      async rewrite() {
        const copy = openEnvironment(emptyFolder(path.join(folder, REWRITTEN)));
        try {
          copyAll(environment, copy);
        } finally {
          await copy.root.close();
        }
        isOpen = false;
        await environment.root.close();
        replaceDataFile(path.join(folder, REWRITTEN), folder);
        environment = openEnvironment(folder);
        isOpen = true;
      },
      async remap() {
        if (isOpen) {
          isOpen = false;
          await environment.root.close();
        }
        environment = openEnvironment(folder);
        isOpen = true;
      },
      async close() {
        const { root, meta } = environment;
        try {
          if (isOpen) await meta.ifVersion(OWNER, ownership, () => void meta.remove(OWNER));
        } finally {
          if (isOpen) await root.close();
          openFolders.delete(folder);
        }
      },
    };
  } catch (error) {
    void environment.root.close();
    throw error;
  }
}

/** Bytes of the pages of the entries. */
export function usedBytes(entries: Database<Buffer, Buffer>): number {
  const stats = entries.getStats() as Record<
    'pageSize' | 'treeBranchPageCount' | 'treeLeafPageCount' | 'overflowPages',
    number
  >;
  const pages = stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
  return pages * stats.pageSize;
}

function takeOwnership(
  root: RootDatabase,
  meta: Database<unknown, string>,
  folder: string,
): { id: string; ownership: number } {
  // The version of the owner's entry: every later write is conditional on it, inside the store's own transaction.
  const ownership = randomInt(1, 2 ** 47);
  return root.transactionSync(() => {
    const owner = meta.get(OWNER) as Owner | undefined;
    if (owner && isOwnerAlive(owner)) throw new StageBusyError(folder);
    void meta.put(OWNER, currentOwner(), ownership);
    const known = meta.get(ID) as string | undefined;
    const id = known ?? randomUUID();
    if (known === undefined) void meta.put(ID, id, 0);
    return { id, ownership };
  });
}

function bindingOf(record: BindingRecord, folder: string): StageBinding {
  try {
    return {
      incarnation: record.incarnation,
      floor: parseHlc(record.floor),
      resolved: parseHlc(record.resolved),
      plan: record.plan,
    };
  } catch (cause) {
    throw new StageCorruptError(folder, `its binding cannot be read (${(cause as Error).message})`);
  }
}
