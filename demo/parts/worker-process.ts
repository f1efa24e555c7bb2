import { createWriteStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ChildProcess } from 'node:child_process';
import { ended, endProcess, spawnOwned } from './owned-process.js';
import type { CertificateFiles } from './certificate-files.js';

export interface WorkerOptions {
  readonly temporalAddress: string;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly host: string;
  readonly stageDir: string;
  readonly receiverPort: number;
  /** Told nothing of a receiver: it can only pull. */
  readonly withoutReceiver?: boolean;
  /** As CockroachDB reaches it; the receiver's own address unless told. */
  readonly advertisedPort?: number;
  readonly metricsPort: number;
  readonly certificates: CertificateFiles;
  /** Connection strings by connection name. */
  readonly connections: Readonly<Record<string, string>>;
  /** Commands that stop a forward replicator, by connection name. */
  readonly stopCommands?: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The worker as its own process: the very `npm run worker`, without npm. */
export interface WorkerProcess {
  /** Of node itself. */
  readonly pid: number;
  readonly running: boolean;
  /** SIGTERM, as an operator stops it. Resolves with the exit code. */
  stop(): Promise<number | null>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Sends a signal and does not wait: SIGSTOP, SIGCONT. */
  signal(signal: NodeJS.Signals): void;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/worker/main.ts', import.meta.url));
const PATIENCE_MS = 30_000;

export function startWorker(options: WorkerOptions): WorkerProcess {
  const child = spawnOwned(process.execPath, ['--import', 'tsx', MAIN], {
    cwd: ROOT,
    env: environment(options),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = createWriteStream(options.logFile, { flags: 'a' });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  child.once('exit', () => log.end());
  return {
    // `setpriv` execs the program: the pid is node's.
    pid: child.pid ?? -1,
    get running() {
      return isRunning(child);
    },
    async stop() {
      await endProcess(child, 'SIGTERM', PATIENCE_MS);
      return child.exitCode;
    },
    async kill(signal = 'SIGKILL') {
      child.kill(signal);
      await ended(child);
    },
    signal(signal) {
      child.kill(signal);
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function environment(options: WorkerOptions): NodeJS.ProcessEnv {
  const { certificates } = options;
  const named = (prefix: string, values: Readonly<Record<string, string>> = {}): Record<string, string> =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [`${prefix}${name.toUpperCase().replaceAll('-', '_')}`, value]),
    );
  return {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    TEMPORAL_ADDRESS: options.temporalAddress,
    TEMPORAL_NAMESPACE: options.namespace,
    FAILBACK_TASK_QUEUE: options.taskQueue,
    FAILBACK_HOST: options.host,
    FAILBACK_STAGE_DIR: options.stageDir,
    ...(options.withoutReceiver
      ? {}
      : {
          FAILBACK_BIND_ADDR: `127.0.0.1:${options.receiverPort}`,
          FAILBACK_RECEIVER_URL: `https://127.0.0.1:${options.advertisedPort ?? options.receiverPort}`,
          FAILBACK_TLS_CERTIFICATE: certificates.serverCertificate,
          FAILBACK_TLS_PRIVATE_KEY: certificates.serverKey,
          FAILBACK_CLIENT_CA: certificates.ca,
          FAILBACK_SINK_CA: certificates.ca,
          FAILBACK_SINK_CLIENT_CERTIFICATE: certificates.clientCertificate,
          FAILBACK_SINK_CLIENT_KEY: certificates.clientKey,
        }),
    FAILBACK_METRICS_ADDR: `127.0.0.1:${options.metricsPort}`,
    ...named('FAILBACK_CONNECTION_', options.connections),
    ...named('FAILBACK_STOP_', options.stopCommands),
    ...options.env,
  };
}
