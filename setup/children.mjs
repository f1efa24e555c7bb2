import { spawn } from 'node:child_process';

const running = new Set();
let stopping = false;

/**
 * Runs a command in a process group of its own, so that `endChildren` ends what it started, too.
 * Resolves with its exit code and its last output; rejects when it cannot be started.
 * `onProgress` is called with the elapsed seconds every 15 s; after `timeoutMs` the command is ended.
 */
export function runChild(command, args, { cwd, env = process.env, onProgress, timeoutMs } = {}) {
  return new Promise((resolve, reject) => {
    // After a signal nothing new is started: the exit is on its way.
    if (stopping) return;
    const started = Date.now();
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    let output = '';
    const keep = (chunk) => (output = (output + chunk).slice(-20_000));
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    const timer = onProgress && setInterval(() => onProgress(Math.round((Date.now() - started) / 1000)), 15_000);
    const limit = timeoutMs && setTimeout(() => signalGroup(child, 'SIGKILL'), timeoutMs);
    const settle = (then) => {
      clearInterval(timer);
      clearTimeout(limit);
      running.delete(child);
      // Ended by our own signal: no result, the exit says why.
      if (!stopping) then();
    };
    child.once('error', (cause) => settle(() => reject(cause)));
    child.once('close', (code, signal) => settle(() => resolve({ code: code ?? signal, output: output.trim() })));
  });
}

/** Ends every running child with all that it started; bounded by 5 s, then by force. */
export async function endChildren() {
  stopping = true;
  const children = [...running];
  for (const child of children) signalGroup(child, 'SIGTERM');
  const deadline = Date.now() + 5000;
  while (children.some(groupIsThere) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  for (const child of children) signalGroup(child, 'SIGKILL');
}

function groupIsThere(child) {
  return signalGroup(child, 0);
}

function signalGroup(child, signal) {
  if (child.pid === undefined) return false;
  try {
    return process.kill(-child.pid, signal);
  } catch {
    return false;
  }
}
