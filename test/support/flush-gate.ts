import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('./flush-gate.c', import.meta.url));

/** Holds up, counts or fails the flushes of a process that is started with `env`. */
export interface FlushGate {
  readonly env: Readonly<Record<string, string>>;
  /** From now on flushes wait. */
  hold(): void;
  /** Lets them go on. */
  release(): void;
  /** From now on (until `false`) the store's writes fail as on a full disk. */
  full(isFull: boolean): void;
  /** Flushes that began to wait, and flushes that ended. */
  entered(): number;
  flushed(): number;
  remove(): void;
}

/** Compiles the shim with the system's C compiler (Debian: gcc and libc6-dev). */
export function createFlushGate(): FlushGate {
  const folder = mkdtempSync(path.join(tmpdir(), 'failback-gate-'));
  const library = path.join(folder, 'flush-gate.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-ldl'], { stdio: 'pipe' });
  const file = (name: string) => path.join(folder, name);
  const count = (name: string) => (existsSync(file(name)) ? statSync(file(name)).size : 0);
  return {
    env: { LD_PRELOAD: library, FLUSH_GATE: folder },
    hold: () => writeFileSync(file('hold'), ''),
    release: () => rmSync(file('hold'), { force: true }),
    full(isFull) {
      if (isFull) writeFileSync(file('full'), '');
      else rmSync(file('full'), { force: true });
    },
    entered: () => count('entered'),
    flushed: () => count('flushed'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
