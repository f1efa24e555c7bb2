import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { execute } from '../pg-session.js';
import { writeCertificates, type CertificateFiles } from './certificate-files.js';
import { freePort } from './free-port.js';
import { startMariadb, type Mariadb } from './mariadb.js';
import { startPostgres, type Postgres } from './postgres.js';
import { startTemporal, type Temporal } from './temporal.js';
import { makeTemporaryFolder } from './temporary-folder.js';
import { startWorker, type WorkerOptions, type WorkerProcess } from './worker-process.js';
import { startSimulator, type Simulator } from '../simulator/simulator.js';

/** Everything that a run needs, on this machine: both databases, Temporal, certificates, and a worker when asked for. */
export interface Stack {
  readonly folder: string;
  readonly cockroach: Simulator;
  /** Serves the target where it is PostgreSQL, and keeps the simulator's rows in databases of its own. */
  readonly postgres: Postgres;
  /** Serves the target where it is MySQL. */
  readonly mariadb: Mariadb | null;
  /** Its database is there and empty. */
  readonly target: { readonly name: string; readonly url: string; readonly port: number };
  readonly temporal: Temporal;
  readonly certificates: CertificateFiles;
  readonly taskQueue: string;
  readonly connections: Readonly<Record<string, string>>;
  /** Starts a worker; every one still running is ended by `stop`. */
  startWorker(options?: Partial<WorkerOptions>): Promise<WorkerProcess>;
  stop(): Promise<void>;
}

export interface StackOptions {
  readonly uiPort?: number;
  /** A Temporal of our own even where TEMPORAL_ADDRESS names one. */
  readonly ownTemporal?: boolean;
  /** Temporal's store survives its restart. */
  readonly durableTemporal?: boolean;
  readonly targetDatabase?: string;
  readonly targetDialect?: TargetDialect;
}

/** What a target can be here. */
export type TargetDialect = 'postgres' | 'mysql';

/** Starts all but the worker. What was started is ended again when something fails. */
export async function startStack({
  uiPort,
  ownTemporal = false,
  durableTemporal = false,
  targetDatabase = 'shop',
  targetDialect = 'postgres',
}: StackOptions = {}): Promise<Stack> {
  const folder = makeTemporaryFolder('stack');
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (let end = ends.pop(); end; end = ends.pop()) await end().catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const started = <T extends { stop(): Promise<unknown> }>(part: T): T => {
      ends.push(() => part.stop());
      return part;
    };
    const starting = startTemporal({
      ...(uiPort === undefined ? {} : { uiPort }),
      ...(ownTemporal ? { own: true } : {}),
      ...(durableTemporal ? { dbFile: join(folder, 'temporal.db') } : {}),
    }).then(started);
    // The target keeps what it has committed, as preflight wants it.
    const durable = { 'innodb-flush-log-at-trx-commit': '1', 'innodb-doublewrite': 'ON' };
    const [postgres, mariadb] = await allOf([
      startPostgres({ settings: { max_connections: '200' } }).then(started),
      targetDialect === 'mysql' ? startMariadb({ settings: durable }).then(started) : null,
      starting,
    ]);
    const [cockroach, temporal, certificates] = await allOf([
      startSimulator({ postgres: { connectionString: postgres.url('postgres') } }).then(started),
      starting,
      writeCertificates(folder, ['127.0.0.1', 'localhost']),
    ]);
    const taskQueue = `failback-${process.pid}-${Date.now()}`;
    const server = mariadb ?? postgres;
    await createDatabase(postgres, mariadb, targetDatabase);
    const connections = { source: cockroach.url(), target: server.url(targetDatabase) };
    return {
      folder,
      cockroach,
      postgres,
      mariadb,
      target: { name: targetDatabase, url: connections.target, port: server.port },
      temporal,
      certificates,
      taskQueue,
      connections,
      async startWorker(options = {}) {
        const stageDir = options.stageDir ?? join(folder, 'stage');
        mkdirSync(stageDir, { recursive: true });
        const worker = startWorker({
          temporalAddress: temporal.address,
          namespace: temporal.namespace,
          taskQueue,
          host: `${taskQueue}-host`,
          receiverPort: options.receiverPort ?? (await freePort()),
          metricsPort: options.metricsPort ?? (await freePort()),
          certificates,
          connections,
          logFile: join(folder, 'worker.log'),
          ...options,
          stageDir,
        });
        ends.push(() => (worker.running ? worker.stop() : Promise.resolve()));
        return worker;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function createDatabase(postgres: Postgres, mariadb: Mariadb | null, name: string): Promise<void> {
  if (mariadb === null) return execute(postgres.url(), [`CREATE DATABASE ${name}`]);
  const connection = await mysql.createConnection(mariadb.url());
  await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
  await connection.end();
}

/** What fails is thrown once the others have started, too: they can be ended then. */
async function allOf<const T extends readonly unknown[]>(
  starts: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(starts);
  return Promise.all(starts);
}
