import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';

const PREFIX = 'failback-';
const OWNER = 'owner.json';

/** A process, told apart from a later one of the same number. */
interface Owner {
  readonly pid: number;
  /** In ticks since the machine's start; null where there is no /proc. */
  readonly started: string | null;
  readonly host: string;
  readonly boot: string | null;
  /** A container counts its own processes. */
  readonly namespace: string | null;
}

const made = new Set<string>();

/**
 * Makes a folder for what this process needs while it runs; it is gone when the process exits. Nobody can tidy up after
 * SIGKILL: what processes that are dead have left in `parent` is removed now.
 */
export function makeTemporaryFolder(purpose: string, parent = tmpdir()): string {
  sweep(parent);
  const folder = mkdtempSync(path.join(parent, `${PREFIX}${purpose}-`));
  writeFileSync(path.join(folder, OWNER), JSON.stringify(identify(process.pid)));
  if (made.size === 0) process.once('exit', removeAll);
  made.add(folder);
  return folder;
}

/** Whoever made a folder removes it sooner, unless the process was ended before its parts had started. */
function removeAll(): void {
  for (const folder of made) if (existsSync(path.join(folder, OWNER))) rmSync(folder, { recursive: true, force: true });
}

/** The folder is for people to look into: no later start removes it. */
export function keepFolder(folder: string): void {
  rmSync(path.join(folder, OWNER), { force: true });
}

function sweep(parent: string): void {
  for (const name of readdirSync(parent).filter((entry) => entry.startsWith(PREFIX))) {
    const folder = path.join(parent, name);
    try {
      // In a folder of somebody else's, neither the record nor the removal is to be trusted.
      if (statSync(folder).uid === process.getuid?.() && isDead(readOwner(folder)))
        rmSync(folder, { recursive: true, force: true });
    } catch {
      // Without a record, not to be read, or just being removed by another start.
    }
  }
}

function readOwner(folder: string): Owner {
  return JSON.parse(readFileSync(path.join(folder, OWNER), 'utf8')) as Owner;
}

/** False wherever that cannot be known from here. */
function isDead(owner: Owner): boolean {
  const now = identify(owner.pid);
  if (owner.host !== now.host) return false;
  if (owner.boot !== now.boot) return true;
  return owner.namespace === now.namespace && (owner.started !== now.started || !isThere(owner.pid));
}

function identify(pid: number): Owner {
  return {
    pid,
    started: startOf(pid),
    host: hostname(),
    boot: ifThere(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: ifThere(() => readlinkSync('/proc/self/ns/pid')),
  };
}

/** Null for one that has ended and that its parent has not asked about yet. */
function startOf(pid: number): string | null {
  const stat = ifThere(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '';
  // The second field, the name in brackets, may itself hold blanks and brackets; the third is the state, the 22nd the start.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' ? null : (fields[18] ?? null);
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function ifThere<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
