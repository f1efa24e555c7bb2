import type { ChildProcess } from 'node:child_process';
import { closeSync, fchmodSync, openSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { postgresLocation } from '../../setup/locations.mjs';
import { freePort } from './free-port.js';
import { ended, endProcess, spawnOwned } from './owned-process.js';
import { makePostgresFolder, type PostgresFolder } from './postgres-folder.js';

const START_MS = 30_000;
const STOP_MS = 10_000;
const POLL_MS = 20;
const ATTEMPTS = 5;

export interface PostgresOptions {
  /** Folder of the server's data (in `data`) and log, kept by `stop`; without it a temporary one, removed by `stop`. */
  readonly dataDir?: string;
  readonly port?: number;
  /** Server settings, e.g. `{ wal_level: 'logical' }`; given to every start. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where the server's log is appended. */
  readonly logFile?: string;
}

/** A running PostgreSQL server of the embedded binaries; superuser `postgres`, no password, on 127.0.0.1 only. */
export interface Postgres {
  readonly port: number;
  /** The postmaster, as of the last start. */
  readonly pid: number;
  readonly logFile: string;
  url(database?: string, user?: string): string;
  /** The number of other client connections to the database. */
  connectionsTo(database: string): Promise<number>;
  /** Fast shutdown. */
  stop(): Promise<void>;
  /** SIGKILL of the postmaster, as a crash of the machine's process; `restart` recovers. */
  kill(): Promise<void>;
  /** Stops it if it runs, and starts it again with the same data, port and settings. */
  restart(): Promise<void>;
}

/** @throws with the server's last log lines when it does not start within 30 s. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const place = makePostgresFolder(options.dataDir);
  const logFile = options.logFile ?? path.join(place.folder, 'postgres.log');
  const removeIfOurs = () => {
    if (place.temporary) rmSync(place.folder, { recursive: true, force: true });
  };
  try {
    if (place.fresh) await initialise(place, logFile);
    const started = await startOnSomePort(place, logFile, options);
    const { port } = started;
    let { server } = started;
    return {
      port,
      logFile,
      get pid() {
        return server.pid ?? 0;
      },
      url: (database = 'postgres', user = 'postgres') => `postgresql://${user}@127.0.0.1:${port}/${database}`,
      connectionsTo: (database) => countConnections(port, database),
      async stop() {
        await endProcess(server, 'SIGINT', STOP_MS);
        removeIfOurs();
      },
      async kill() {
        await endProcess(server, 'SIGKILL', STOP_MS);
      },
      async restart() {
        await endProcess(server, 'SIGINT', STOP_MS);
        ({ server } = await startOnSomePort(place, logFile, { ...options, port }));
      },
    };
  } catch (error) {
    removeIfOurs();
    throw error;
  }
}

async function initialise(place: PostgresFolder, logFile: string): Promise<void> {
  const log = openLog(logFile);
  try {
    const initdb = spawnOwned(
      binary('initdb'),
      [
        `--pgdata=${place.dataDir}`,
        '--username=postgres',
        '--auth=trust',
        '--locale=C',
        '--encoding=UTF8',
        '--no-sync',
        '--no-instructions',
      ],
      { user: place.user, cwd: place.folder, stdio: ['ignore', log, log] },
    );
    const failure = new Promise<never>((_, reject) => initdb.once('error', reject));
    await Promise.race([ended(initdb), failure]);
    if (initdb.exitCode !== 0)
      throw new Error(`initdb failed (${initdb.exitCode ?? initdb.signalCode}): ${lastLines(logFile)}`);
  } finally {
    closeSync(log);
  }
}

async function startOnSomePort(
  place: PostgresFolder,
  logFile: string,
  options: PostgresOptions,
): Promise<{ port: number; server: ChildProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const server = launch(place, logFile, port, options.settings ?? {});
    if (await becomesReady(server, place.dataDir)) return { port, server };
    await endProcess(server, 'SIGKILL', STOP_MS);
    // Another process was quicker to the port, or a killed postmaster's children have not all left yet.
    if (attempt === ATTEMPTS) throw new Error(`PostgreSQL does not start on port ${port}: ${lastLines(logFile)}`);
    await delay(100 * attempt);
  }
}

function launch(
  place: PostgresFolder,
  logFile: string,
  port: number,
  settings: Readonly<Record<string, string>>,
): ChildProcess {
  const all = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    logging_collector: 'off',
    log_destination: 'stderr',
    ...settings,
  };
  const log = openLog(logFile);
  try {
    // SIGQUIT is PostgreSQL's immediate shutdown: unlike SIGKILL it takes the server's children and shared memory with it.
    return spawnOwned(
      binary('postgres'),
      ['-D', place.dataDir, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { user: place.user, cwd: place.folder, deathSignal: 'SIGQUIT', stdio: ['ignore', log, log] },
    );
  } finally {
    closeSync(log);
  }
}

/** The eighth line of postmaster.pid says "ready" once connections are taken: what pg_ctl waits for. */
async function becomesReady(server: ChildProcess, dataDir: string): Promise<boolean> {
  let failed = false;
  server.once('error', () => (failed = true));
  const deadline = Date.now() + START_MS;
  while (!failed && server.exitCode === null && server.signalCode === null && Date.now() < deadline) {
    const lines = readIfThere(path.join(dataDir, 'postmaster.pid')).split('\n');
    if (lines[0] === String(server.pid) && lines[7]?.trim() === 'ready') return true;
    await delay(POLL_MS);
  }
  return false;
}

async function countConnections(port: number, database: string): Promise<number> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    const { rows } = await client.query<{ connections: number }>(COUNT_CONNECTIONS, [database]);
    return rows[0]?.connections ?? 0;
  } finally {
    await client.end();
  }
}

/** $1 = database name */
const COUNT_CONNECTIONS = `
  SELECT count(*)::int AS connections FROM pg_stat_activity
  WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'`;

function binary(name: 'initdb' | 'postgres'): string {
  return path.join(postgresLocation().folder, 'bin', name);
}

function openLog(file: string): number {
  const log = openSync(file, 'a');
  fchmodSync(log, 0o644);
  return log;
}

function lastLines(file: string): string {
  return readIfThere(file).trim().split('\n').slice(-8).join('\n');
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
