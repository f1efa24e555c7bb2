import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { findExecutable, pathFolders } from '../../setup/locations.mjs';

/** What the process gets when its parent dies, by SIGKILL too. */
export type DeathSignal = 'SIGQUIT' | 'SIGTERM' | 'SIGKILL';

export interface OwnedOptions extends SpawnOptions {
  readonly deathSignal?: DeathSignal;
  /** Run as this user and group, without further groups; needs root. */
  readonly user?: number | undefined;
}

let setpriv: string | false | undefined;

/**
 * Starts a process that ends with its parent, whatever the parent dies of: by the kernel's parent death signal where
 * `setpriv` has it, else by a shell that waits for the parent's end of a pipe to close.
 */
export function spawnOwned(command: string, args: readonly string[], options: OwnedOptions = {}): ChildProcess {
  const { deathSignal = 'SIGKILL', user, ...rest } = options;
  setpriv ??= findSetpriv();
  if (setpriv) {
    const identity = user === undefined ? [] : [`--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
    return spawn(setpriv, [...identity, '--pdeathsig', deathSignal, '--', command, ...args], rest);
  }
  const child = spawn(command, args, { ...rest, ...(user === undefined ? {} : { uid: user, gid: user }) });
  if (child.pid !== undefined) watch(child, child.pid, deathSignal);
  return child;
}

/** By its full path: the child's environment may have another PATH. Some lack the option: tried, not read. */
function findSetpriv(): string | false {
  const found = findExecutable('setpriv', pathFolders());
  return (
    found !== undefined && spawnSync(found, ['--pdeathsig', 'SIGKILL', '/bin/sh', '-c', ':']).status === 0 && found
  );
}

function watch(child: ChildProcess, pid: number, signal: DeathSignal): void {
  const script = 'while read -r _; do :; done; kill -s "$1" "$2"';
  const watcher = spawn('/bin/sh', ['-c', script, 'watcher', signal.slice('SIG'.length), String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  // Killed before its pipe closes: the number may soon be another process.
  child.once('exit', () => watcher.kill('SIGKILL'));
}

/** Resolves when the process has ended, at once if it already has. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** Sends the signal and awaits the end; by force after `patienceMs`. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals, patienceMs: number): Promise<void> {
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  try {
    await ended(child);
  } finally {
    clearTimeout(force);
  }
}
