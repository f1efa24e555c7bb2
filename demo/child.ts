import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ended, endProcess, spawnOwned } from './parts/owned-process.js';

const PATIENCE_MS = 5_000;
const ERROR_LENGTH = 2_000;

/** A program of the demo as a process of its own. */
export interface Child {
  readonly pid: number;
  /** Resolves with its first line. @throws with its error output when it ends before. */
  readonly ready: Promise<string>;
  /** Resolves with the exit code; null: ended by a signal. */
  readonly exited: Promise<number | null>;
  /** SIGTERM; by force after 5 s. Resolves with the exit code. */
  stop(): Promise<number | null>;
}

export interface ChildOptions {
  /** Relative to this folder. */
  readonly file: string;
  readonly args: readonly string[];
  readonly onLine?: (line: string) => void;
  /** Told when it ends otherwise than with exit code 0 or by `stop`. */
  readonly onFailure: (error: Error) => void;
}

export function startChild({ file, args, onLine = () => undefined, onFailure }: ChildOptions): Child {
  const script = fileURLToPath(new URL(file, import.meta.url));
  const child = spawnOwned(process.execPath, ['--import', 'tsx', script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    deathSignal: 'SIGKILL',
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (errors = (errors + chunk).slice(-ERROR_LENGTH)));
  const lines = child.stdout ? createInterface({ input: child.stdout }) : undefined;
  lines?.on('line', onLine);
  let stopping = false;
  const exited = ended(child).then(() => child.exitCode);
  const failure = (): Error =>
    new Error(`${file} has ended (${child.exitCode ?? child.signalCode}): ${errors.trim() || 'no output'}`);
  child.once('close', () => {
    if (!stopping && child.exitCode !== 0) onFailure(failure());
  });
  const ready = new Promise<string>((resolve, reject) => {
    lines?.once('line', resolve);
    child.once('close', () => reject(failure()));
  });
  ready.catch(() => undefined);
  return {
    pid: child.pid ?? -1,
    ready,
    exited,
    async stop() {
      stopping = true;
      await endProcess(child, 'SIGTERM', PATIENCE_MS);
      return child.exitCode;
    },
  };
}
