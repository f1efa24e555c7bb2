import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { BANK_ROWS, BANK_TOTAL } from './bank/schema.js';
import { startChild, type Child } from './child.js';
import { OLD_DIALECTS, type OldDialectName } from './old/dialects.js';
import type { OldDialect } from './old/old-database.js';
import { freePort } from './parts/free-port.js';
import { startStack, type Stack } from './parts/stack.js';
import { keepFolder, makeTemporaryFolder } from './parts/temporary-folder.js';
import type { WorkerProcess } from './parts/worker-process.js';
import { execute } from './pg-session.js';
import { RUN } from './runbook.js';
import { SHOP_ROWS } from './shop/schema.js';
import { until } from './until.js';
import type { ReaderFigures } from './verdict.js';

/** Everything that the story needs, started. */
export interface Scene {
  readonly source: string;
  readonly target: string;
  readonly client: Client;
  readonly taskQueue: string;
  /** Workflow id of the run. */
  readonly run: string;
  readonly temporalAddress: string;
  readonly namespace: string;
  /** Where the run can be looked at; null: the server is somebody else's, and where its UI is cannot be told. */
  readonly ui: string | null;
  readonly metricsUrl: string;
  readonly forward: Child;
  readonly worker: WorkerProcess;
  /** False when the Temporal server is somebody else's, which remembers what we leave. */
  readonly ownTemporal: boolean;
  readerFigures(): ReaderFigures;
  /** The very same worker again: same host, stage and ports. */
  restartWorker(): Promise<void>;
  stopReader(): Promise<ReaderFigures>;
  /** Where the worker's log is kept when something went wrong. */
  readonly logFile: string;
  /** Ends everything. `kept`: the worker's log stays. */
  end(kept: boolean): Promise<void>;
}

export interface SceneOptions {
  readonly target: OldDialectName;
  readonly say: (line: string) => void;
  /** Told when a process of the scene ends that should not. */
  readonly onFailure: (error: Error) => void;
  readonly signal: AbortSignal;
}

const WORKER_START_MS = 180_000;
const NOTHING_READ: ReaderFigures = { reads: 0, states: 0, wrongTotals: [] };

/** @throws when a part does not start; what was started is ended again then, and when the signal aborts. */
export async function openScene({ target: dialect, say, onFailure, signal }: SceneOptions): Promise<Scene> {
  const ends: (() => Promise<unknown>)[] = [];
  const logFolder = makeTemporaryFolder('demo');
  const logFile = path.join(logFolder, 'worker.log');
  const end = async (kept: boolean): Promise<void> => {
    for (let next = ends.pop(); next; next = ends.pop()) await next().catch(() => undefined);
    if (kept) keepFolder(logFolder);
    else rmSync(logFolder, { recursive: true, force: true });
  };
  try {
    say(`starting ${OLD_DIALECTS[dialect].name}, the CockroachDB simulator and Temporal ...`);
    const stack = await startStack({ uiPort: await freePort(), targetDialect: dialect });
    ends.push(() => stack.stop());
    signal.throwIfAborted();
    say('creating a bank and a shop, the same rows on both sides ...');
    await createTables(stack, OLD_DIALECTS[dialect]);

    let readerFigures = NOTHING_READ;
    const { source = '', target = '' } = stack.connections;
    const forwardPort = await freePort();
    const reader = startChild({
      file: 'reader.ts',
      args: [target, BANK_TOTAL],
      onLine: (line) => (readerFigures = JSON.parse(line) as ReaderFigures),
      onFailure,
    });
    const forward = startChild({ file: 'forward.ts', args: [target, source, String(forwardPort)], onFailure });
    ends.push(
      () => reader.stop(),
      () => forward.stop(),
    );
    say('starting the forward replicator and a reader of the bank ...');
    await Promise.all([reader.ready, forward.ready]);
    signal.throwIfAborted();

    say('starting the worker ...');
    const options = {
      receiverPort: await freePort(),
      metricsPort: await freePort(),
      logFile,
      connections: { ...stack.connections, forward: `http://127.0.0.1:${forwardPort}/_/varz` },
      stopCommands: { forward: `kill -TERM ${forward.pid}` },
    };
    const startWorker = async (): Promise<WorkerProcess> => {
      const started = await stack.startWorker(options);
      await awaitWorker(started, options.metricsPort, logFile, signal);
      return started;
    };
    let worker = await startWorker();
    // A worker that is asked nicely first finishes its window, and hands over: nobody waits for that any more.
    ends.push(async () => (worker.running ? worker.kill() : undefined));

    const { address, namespace, uiAddress, pid: ownServer } = stack.temporal;
    const connection = await Connection.connect({ address });
    ends.push(() => connection.close());
    // A server that is not ours may know a run of that name.
    const run = ownServer === undefined ? `${RUN}-${stack.taskQueue}` : RUN;
    return {
      source,
      target,
      client: new Client({ connection, namespace }),
      taskQueue: stack.taskQueue,
      run,
      temporalAddress: address,
      namespace,
      ui: uiAddress === undefined ? null : `${uiAddress}/namespaces/${namespace}/workflows/${run}`,
      ownTemporal: ownServer !== undefined,
      metricsUrl: `http://127.0.0.1:${options.metricsPort}/_/varz`,
      forward,
      logFile,
      get worker() {
        return worker;
      },
      readerFigures: () => readerFigures,
      async restartWorker() {
        worker = await startWorker();
      },
      async stopReader() {
        const code = await reader.stop();
        if (code !== 0) throw new Error(`the reader of the bank ended with exit code ${code ?? 'none'}`);
        return readerFigures;
      },
      end,
    };
  } catch (error) {
    await end(!signal.aborted);
    throw error;
  }
}

/** The state after a migration: both sides have the tables and the same rows. */
async function createTables(stack: Stack, old: OldDialect): Promise<void> {
  const { source = '', target = '' } = stack.connections;
  await execute(source, [...old.sourceTables, BANK_ROWS, SHOP_ROWS]);
  await old.migrate(target, source);
}

async function awaitWorker(
  worker: WorkerProcess,
  metricsPort: number,
  logFile: string,
  signal: AbortSignal,
): Promise<void> {
  const isUp = await until(
    'the worker is up',
    async () => {
      if (!worker.running) return 'ended';
      const response = await fetch(`http://127.0.0.1:${metricsPort}/_/healthz`);
      return response.ok && 'up';
    },
    { limitMs: WORKER_START_MS, signal },
  );
  if (isUp === 'up') return;
  const lines = readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join('\n');
  throw new Error(`the worker has ended: ${lines}`);
}
