import type { ChildProcess } from 'node:child_process';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  fchmodSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { ended, endProcess, spawnOwned } from './owned-process.js';
import { makeTemporaryFolder } from './temporary-folder.js';
import { everybodyMayEnter, findExecutable, isRoot, serverFolders } from '../../setup/locations.mjs';
import { freePort } from './free-port.js';

const START_MS = 60_000;
const STOP_MS = 20_000;
const POLL_MS = 20;
const ATTEMPTS = 5;
/** nobody, then daemon: a container's user namespace may lack the first. */
const UNPRIVILEGED = [65_534, 1];

export interface MariadbOptions {
  /** Server options without their dashes, e.g. `{ 'max-allowed-packet': '1M' }`; given to every start. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running MariaDB server of the system's binaries; user `failback` with all privileges, password `failback`, on 127.0.0.1 only. */
export interface Mariadb {
  readonly port: number;
  /** The server, as of the last start. */
  readonly pid: number;
  readonly logFile: string;
  url(database?: string): string;
  /** Orderly shutdown; leaves nothing behind. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash of the machine's process; `restart` recovers. */
  kill(): Promise<void>;
  /** Stops it if it runs, and starts it again with the same data, port and settings. */
  restart(): Promise<void>;
}

/** @throws with the server's last log lines when it does not start within a minute. */
export async function startMariadb({ settings = {} }: MariadbOptions = {}): Promise<Mariadb> {
  const place = makeFolder();
  try {
    initialise(place);
    const started = await startOnSomePort(place, settings);
    const { port } = started;
    let { server } = started;
    return {
      port,
      logFile: place.logFile,
      get pid() {
        return server.pid ?? 0;
      },
      url: (database = '') => `mysql://failback:failback@127.0.0.1:${port}/${database}`,
      async stop() {
        await endProcess(server, 'SIGTERM', STOP_MS);
        rmSync(place.folder, { recursive: true, force: true });
      },
      async kill() {
        await endProcess(server, 'SIGKILL', STOP_MS);
      },
      async restart() {
        await endProcess(server, 'SIGTERM', STOP_MS);
        ({ server } = await startOnSomePort(place, settings, port));
      },
    };
  } catch (error) {
    rmSync(place.folder, { recursive: true, force: true });
    throw error;
  }
}

interface Place {
  readonly folder: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly socket: string;
  /** The user to run as; undefined is ourselves. MariaDB refuses to run as root. */
  readonly user: number | undefined;
}

function makeFolder(): Place {
  const user = isRoot() ? unprivilegedUser() : undefined;
  const preferred = realpathSync(tmpdir());
  const folder = makeTemporaryFolder(
    'mariadb',
    user === undefined || everybodyMayEnter(preferred) ? preferred : '/tmp',
  );
  const dataDir = path.join(folder, 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  if (user !== undefined) {
    chmodSync(folder, 0o755);
    chownSync(dataDir, user, user);
  }
  return {
    folder,
    dataDir,
    logFile: path.join(folder, 'mariadb.log'),
    // Its path may have 107 bytes at most.
    socket: path.join(dataDir, 's'),
    user,
  };
}

function unprivilegedUser(): number {
  const user = UNPRIVILEGED.find((uid) => spawnSync('/bin/sh', ['-c', ':'], { uid, gid: uid }).status === 0);
  if (user === undefined)
    throw new Error(`MariaDB refuses to run as root, and nothing runs as user ${UNPRIVILEGED.join(' or ')}`);
  return user;
}

/** The user is made by the first start, which has no network. */
function initialise(place: Place): void {
  const { dataDir, folder, user } = place;
  const made = spawnSync(
    binary('mariadb-install-db'),
    [
      '--no-defaults',
      `--datadir=${dataDir}`,
      // The folder for temporary files of whoever starts it may be closed to the server's user.
      `--tmpdir=${dataDir}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
    ],
    { cwd: folder, encoding: 'utf8', ...(user === undefined ? {} : { uid: user, gid: user }) },
  );
  if (made.status !== 0)
    throw new Error(`mariadb-install-db failed (${made.status ?? made.signal}): ${made.stdout}${made.stderr}`);
}

async function startOnSomePort(
  place: Place,
  settings: Readonly<Record<string, string>>,
  fixedPort?: number,
): Promise<{ port: number; server: ChildProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = fixedPort ?? (await freePort());
    const server = launch(place, port, settings);
    if (await becomesReady(server, place)) return { port, server };
    await endProcess(server, 'SIGKILL', STOP_MS);
    // Another process was quicker to the port.
    if (attempt === ATTEMPTS) throw new Error(`MariaDB does not start on port ${port}: ${lastLines(place.logFile)}`);
    await delay(100 * attempt);
  }
}

function launch(place: Place, port: number, settings: Readonly<Record<string, string>>): ChildProcess {
  const all = {
    datadir: place.dataDir,
    socket: place.socket,
    tmpdir: place.dataDir,
    port: String(port),
    'bind-address': '127.0.0.1',
    'pid-file': path.join(place.dataDir, 'pid'),
    'skip-name-resolve': 'ON',
    'performance-schema': 'OFF',
    'innodb-buffer-pool-size': '64M',
    'innodb-log-file-size': '64M',
    // Nothing of what is tested here outlives the machine.
    'innodb-flush-log-at-trx-commit': '0',
    'innodb-doublewrite': 'OFF',
    ...settings,
  };
  const log = openSync(place.logFile, 'a');
  try {
    fchmodSync(log, 0o644);
    return spawnOwned(
      binary('mariadbd'),
      ['--no-defaults', ...Object.entries(all).map(([name, value]) => `--${name}=${value}`)],
      { user: place.user, cwd: place.folder, deathSignal: 'SIGKILL', stdio: ['ignore', log, log] },
    );
  } finally {
    closeSync(log);
  }
}

async function becomesReady(server: ChildProcess, place: Place): Promise<boolean> {
  let failed = false;
  server.once('error', () => (failed = true));
  const end = ended(server);
  const deadline = Date.now() + START_MS;
  while (!failed && server.exitCode === null && server.signalCode === null && Date.now() < deadline) {
    if (await ensureUser(place.socket)) return true;
    await Promise.race([delay(POLL_MS), end]);
  }
  return false;
}

/** By the socket, so that it is this server that answers. */
async function ensureUser(socketPath: string): Promise<boolean> {
  try {
    const root = await mysql.createConnection({ socketPath, user: 'root' });
    await root.query(`CREATE USER IF NOT EXISTS 'failback'@'127.0.0.1' IDENTIFIED BY 'failback'`);
    await root.query(`GRANT ALL PRIVILEGES ON *.* TO 'failback'@'127.0.0.1' WITH GRANT OPTION`);
    await root.end();
    return true;
  } catch {
    return false;
  }
}

function binary(name: 'mariadbd' | 'mariadb-install-db'): string {
  const found = findExecutable(name, [...serverFolders(), '/opt/homebrew/bin']);
  if (found === undefined) throw new Error(`${name} is not installed: install your system's mariadb-server`);
  return found;
}

function lastLines(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').slice(-8).join('\n');
  } catch {
    return '';
  }
}
