import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { findTemporal } from '../../setup/locations.mjs';
import { freePort } from './free-port.js';
import { endProcess, spawnOwned } from './owned-process.js';
import { findTemporalUi } from './temporal-ui.js';

const START_MS = 30_000;
/** For a server that runs already, as whoever set TEMPORAL_ADDRESS says. */
const ANSWER_MS = 10_000;
const STOP_MS = 5_000;
const POLL_MS = 50;
const ATTEMPTS = 3;
const OUTPUT_LENGTH = 4_000;

export interface TemporalOptions {
  /** The server's store, which survives a restart; without it the server forgets everything. */
  readonly dbFile?: string;
  readonly port?: number;
  /** Serve the UI there; without it the server is headless. */
  readonly uiPort?: number;
  /** Start a dev server even where TEMPORAL_ADDRESS names one, to be able to kill it. */
  readonly own?: boolean;
}

export interface Temporal {
  /** host:port of the frontend. */
  readonly address: string;
  readonly namespace: string;
  /** Undefined: headless, or wherever the server of TEMPORAL_ADDRESS has it. */
  readonly uiAddress: string | undefined;
  /** The dev server, as of the last start; undefined for the server of TEMPORAL_ADDRESS. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Stops it if it runs, and starts it again on the same port and store. */
  restart(): Promise<void>;
}

/**
 * The Temporal server of TEMPORAL_ADDRESS (namespace of TEMPORAL_NAMESPACE), which is only used, else a dev server of our own.
 *
 * @throws when no `temporal` is found, or with its output when it does not answer within 30 s (that of TEMPORAL_ADDRESS: 10 s).
 */
export async function startTemporal(options: TemporalOptions = {}): Promise<Temporal> {
  const address = process.env['TEMPORAL_ADDRESS'];
  if (address && !options.own) return useTemporal(address, process.env['TEMPORAL_NAMESPACE'] ?? 'default');
  return startDevServer(options);
}

async function useTemporal(address: string, namespace: string): Promise<Temporal> {
  await awaitNamespace(address, namespace, ANSWER_MS, () => true).catch((cause: unknown) => {
    throw new Error(
      `no Temporal server answers at ${address} (TEMPORAL_ADDRESS) for namespace ${namespace} within ${ANSWER_MS / 1_000} s: start it, or unset TEMPORAL_ADDRESS and one is started here`,
      { cause },
    );
  });
  const uiAddress = await findTemporalUi(address);
  const refuse = (): Promise<void> =>
    Promise.reject(new Error(`the Temporal server at ${address} (TEMPORAL_ADDRESS) is not ours to end: unset it`));
  return {
    address,
    namespace,
    uiAddress,
    pid: undefined,
    stop: () => Promise.resolve(),
    kill: refuse,
    restart: refuse,
  };
}

async function startDevServer(options: TemporalOptions): Promise<Temporal> {
  const started = await startOnSomePort(options);
  const { port } = started;
  let { server } = started;
  return {
    address: `127.0.0.1:${port}`,
    namespace: 'default',
    uiAddress: options.uiPort === undefined ? undefined : `http://127.0.0.1:${options.uiPort}`,
    get pid() {
      return server.pid;
    },
    stop: () => endProcess(server, 'SIGTERM', STOP_MS),
    kill: () => endProcess(server, 'SIGKILL', STOP_MS),
    async restart() {
      await endProcess(server, 'SIGTERM', STOP_MS);
      ({ server } = await startOnSomePort({ ...options, port }));
    },
  };
}

async function startOnSomePort(options: TemporalOptions): Promise<{ port: number; server: ChildProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const { server, output, isUp } = launch(port, options);
    try {
      await awaitNamespace(`127.0.0.1:${port}`, 'default', START_MS, isUp);
      return { port, server };
    } catch (cause) {
      await endProcess(server, 'SIGKILL', STOP_MS);
      if (attempt === ATTEMPTS)
        throw new Error(`Temporal's dev server does not answer on port ${port}: ${output()}`, { cause });
    }
  }
}

function launch(port: number, { dbFile, uiPort }: TemporalOptions) {
  const temporal = findTemporal();
  if (!temporal) throw new Error('no `temporal` on PATH or in the cache: run `node setup.mjs`');
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--log-level', 'error'];
  args.push(...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]));
  if (dbFile !== undefined) args.push('--db-filename', dbFile);
  const server = spawnOwned(temporal, args, { deathSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] });
  let kept = '';
  let failed = false;
  const keep = (chunk: string) => (kept = (kept + chunk).slice(-OUTPUT_LENGTH));
  server.stdout?.setEncoding('utf8').on('data', keep);
  server.stderr?.setEncoding('utf8').on('data', keep);
  server.once('error', (error) => {
    failed = true;
    keep(error.message);
  });
  const isUp = () => !failed && server.exitCode === null && server.signalCode === null;
  return { server, output: () => kept.trim(), isUp };
}

/**
 * Awaits that the frontend answers and knows the namespace, which the dev server registers after it has begun to answer.
 *
 * @throws why it did not, after `limitMs`
 */
async function awaitNamespace(address: string, namespace: string, limitMs: number, isUp: () => boolean): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: 1_000 });
      try {
        await connection.workflowService.describeNamespace({ namespace });
        return;
      } finally {
        await connection.close();
      }
    } catch (cause) {
      if (!isUp()) throw new Error(`Temporal at ${address} has ended before it answered`, { cause });
      if (Date.now() > deadline) throw cause;
      await delay(POLL_MS);
    }
  }
}
