import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ended, spawnOwned } from '../../demo/parts/owned-process.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

export interface StartNodeOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Environment of the parent is passed on unless false. */
  readonly inheritEnv?: boolean;
}

/** A child process that ends with this one. */
export interface StartedProcess {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Everything written to stdout and stderr so far. */
  output(): string;
  stdout(): string;
  /** Signals the process itself, not its group. */
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and its end awaited. */
  kill(): Promise<void>;
  /** Awaits the end; a number is the exit code, a string the signal. */
  exit(): Promise<number | NodeJS.Signals>;
}

/** Runs a TypeScript or JavaScript file of the project with `node --import tsx`; `file` is relative to the project. */
export function startNode(file: string, args: readonly string[] = [], options: StartNodeOptions = {}): StartedProcess {
  return startProcess(process.execPath, ['--import', 'tsx', path.resolve(root, file), ...args], options);
}

/** Runs a piece of TypeScript-free ESM source, resolved as if it were a file in the project's root. */
export function startScript(source: string, options: StartNodeOptions = {}): StartedProcess {
  return startProcess(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], options);
}

export function startProcess(command: string, args: readonly string[], options: StartNodeOptions = {}): StartedProcess {
  const { env = {}, cwd = root, inheritEnv = true } = options;
  const child = spawnOwned(command, args, {
    cwd,
    env: { ...(inheritEnv ? process.env : {}), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.pid === undefined) throw new Error(`${command} cannot be started: is it there?`);
  let all = '';
  let standard = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    all += chunk;
    standard += chunk;
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (all += chunk));
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    pid: child.pid,
    child,
    output: () => all,
    stdout: () => standard,
    signal: (signal) => void child.kill(signal),
    async kill() {
      child.kill('SIGKILL');
      await ended(child);
    },
    async exit() {
      await closed;
      return child.exitCode ?? child.signalCode ?? 0;
    },
  };
}

/** True when a process of that number is there and is not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return process.platform !== 'linux';
  }
}
