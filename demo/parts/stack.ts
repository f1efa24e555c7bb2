import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeCertificates, type CertificateFiles } from './certificate-files.js';
import { freePort } from './free-port.js';
import { startPostgres, type Postgres } from './postgres.js';
import { startTemporal, type Temporal } from './temporal.js';
import { makeTemporaryFolder } from './temporary-folder.js';
import { startWorker, type WorkerOptions, type WorkerProcess } from './worker-process.js';
import { startSimulator, type Simulator } from '../simulator/simulator.js';

/** Everything that a run needs, on this machine: both databases, Temporal, certificates, and a worker when asked for. */
export interface Stack {
  readonly folder: string;
  readonly cockroach: Simulator;
  /** Serves the target, and keeps the simulator's rows in databases of its own. */
  readonly postgres: Postgres;
  readonly target: { readonly name: string; readonly url: string };
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
}

/** Starts all but the worker. What was started is ended again when something fails. */
export async function startStack({
  uiPort,
  ownTemporal = false,
  durableTemporal = false,
  targetDatabase = 'shop',
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
    const [postgres] = await allOf([startPostgres({ settings: { max_connections: '200' } }).then(started), starting]);
    const [cockroach, temporal, certificates] = await allOf([
      startSimulator({ postgres: { connectionString: postgres.url('postgres') } }).then(started),
      starting,
      writeCertificates(folder, ['127.0.0.1', 'localhost']),
    ]);
    const taskQueue = `failback-${process.pid}-${Date.now()}`;
    const connections = { source: cockroach.url(), target: postgres.url(targetDatabase) };
    return {
      folder,
      cockroach,
      postgres,
      target: { name: targetDatabase, url: connections.target },
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

/** What fails is thrown once the others have started, too: they can be ended then. */
async function allOf<const T extends readonly unknown[]>(
  starts: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(starts);
  return Promise.all(starts);
}
