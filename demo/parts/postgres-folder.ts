import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { everybodyMayEnter, isRoot } from '../../setup/locations.mjs';
import { makeTemporaryFolder } from './temporary-folder.js';

/** nobody, then daemon: a container's user namespace may lack the first. */
const UNPRIVILEGED = [65_534, 1];

export interface PostgresFolder {
  /** Holds the data directory and the log. */
  readonly folder: string;
  readonly dataDir: string;
  /** The user to run as; undefined is ourselves. PostgreSQL refuses to run as root. */
  readonly user: number | undefined;
  /** True when the folder is ours to remove. */
  readonly temporary: boolean;
  /** True when the data directory is empty: initdb is due. */
  readonly fresh: boolean;
}

/**
 * Makes the folder of a PostgreSQL server, with its data owned by the user that runs it. Without `dataDir` it is a temporary one.
 *
 * @throws when that user cannot enter the folder's parents.
 */
export function makePostgresFolder(dataDir?: string): PostgresFolder {
  const user = isRoot() ? unprivilegedUser() : undefined;
  const temporary = dataDir === undefined;
  const folder = temporary ? temporaryFolder(user) : path.resolve(dataDir);
  const data = path.join(folder, 'data');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (user !== undefined) {
    if (!everybodyMayEnter(path.dirname(folder))) {
      throw new Error(
        `PostgreSQL runs as user ${user}, who cannot enter ${path.dirname(folder)}: choose another folder`,
      );
    }
    if (!temporary) chownSync(folder, user, user);
    chownSync(data, user, user);
  }
  return { folder, dataDir: data, user, temporary, fresh: readdirSync(data).length === 0 };
}

function temporaryFolder(user: number | undefined): string {
  const preferred = realpathSync(tmpdir());
  const parent = user === undefined || everybodyMayEnter(preferred) ? preferred : '/tmp';
  const folder = makeTemporaryFolder('postgres', parent);
  // It stays ours, so that a later start of ours may remove it; the server only has to get in.
  if (user !== undefined) chmodSync(folder, 0o755);
  return folder;
}

function unprivilegedUser(): number {
  const user = UNPRIVILEGED.find((uid) => spawnSync('/bin/sh', ['-c', ':'], { uid, gid: uid }).status === 0);
  if (user === undefined) {
    throw new Error(
      `PostgreSQL refuses to run as root and this system can run nothing as user ${UNPRIVILEGED.join(' or ')}: start as an ordinary user`,
    );
  }
  return user;
}
