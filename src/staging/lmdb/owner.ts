import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Who has a stage open. Kept in the stage itself, and changed in one transaction of the store (protocol rule 38). */
export interface Owner {
  readonly host: string;
  readonly boot: string;
  readonly pid: number;
  /** Start time of the process, which tells it from a later one of the same pid; null where the system does not say. */
  readonly started: string | null;
}

export function currentOwner(): Owner {
  return { host: hostname(), boot: bootId(), pid: process.pid, started: processStart(process.pid) };
}

/**
 * True when the process that has the stage is still there. An owner on another host or before a reboot cannot be: a stage
 * folder is local. Should that judgement be wrong, the loser's next write fails, since every write is conditional on the owner.
 */
export function isOwnerAlive(owner: Owner): boolean {
  if (owner.host !== hostname() || owner.boot !== bootId()) return false;
  if (process.platform !== 'linux') return answersSignal(owner.pid);
  return owner.started !== null && processStart(owner.pid) === owner.started;
}

function bootId(): string {
  return readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

/** Field 22 of /proc/<pid>/stat; null when there is no such process, or only its remains wait for their parent. */
function processStart(pid: number): string | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the program's name in brackets and may hold blanks and brackets of its own.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? null : (fields[19] ?? null);
}

function answersSignal(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
