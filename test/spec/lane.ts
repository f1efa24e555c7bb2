import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { endProcess, spawnOwned } from '../../demo/parts/owned-process.js';
import { escapeRegExp } from './titles.js';

const LEFT_OUT = new Set(['node_modules', '.git', '.cache', '.stage']);

/** A copy of the project in which files are changed and tests run. */
export interface Lane {
  /** Runs `work` while `find` is replaced. @throws when it does not occur exactly once */
  changed<T>(change: { file: string; find: string; replace: string }, work: () => Promise<T>): Promise<T>;
  /** Runs the tests of these titles in one file. */
  run(file: string, titles: readonly string[], limitMs: number): Promise<Outcome>;
  remove(): Promise<void>;
}

export interface Outcome {
  readonly passed: ReadonlySet<string>;
  readonly failed: ReadonlySet<string>;
  /** The time was up. */
  readonly hung: boolean;
  readonly seconds: number;
  /** What the runner printed, for people. */
  readonly output: string;
}

export function createLane(root: string): Lane {
  const folder = mkdtempSync(path.join(tmpdir(), 'failback-spec-'));
  // Servers of the tests may run as another user.
  chmodSync(folder, 0o755);
  const copy = path.join(folder, 'project');
  const temporary = path.join(folder, 'tmp');
  mkdirSync(temporary, { mode: 0o755 });
  cpSync(root, copy, { recursive: true, filter: (source) => !LEFT_OUT.has(path.relative(root, source)) });
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  let end: (() => Promise<void>) | null = null;
  return {
    async changed({ file, find, replace }, work) {
      const place = path.join(copy, file);
      const before = readFileSync(place, 'utf8');
      writeFileSync(place, replaceOnce(before, find, replace, file));
      try {
        return await work();
      } finally {
        writeFileSync(place, before);
      }
    },
    async run(file, titles, limitMs) {
      const patterns = titles.map((title) => `--test-name-pattern=${escapeRegExp(title)}`);
      const started = performance.now();
      const child = spawnOwned(
        process.execPath,
        ['--import', 'tsx', '--test', '--test-reporter=tap', ...patterns, file],
        { cwd: copy, env: { ...process.env, TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
      );
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
      end = async () => {
        signalGroup(child.pid, 'SIGTERM');
        await endProcess(child, 'SIGTERM', 5_000);
        signalGroup(child.pid, 'SIGKILL');
      };
      let hung = false;
      const limit = setTimeout(() => {
        hung = true;
        void end?.();
      }, limitMs);
      await new Promise<void>((resolve) => child.once('close', () => resolve()));
      clearTimeout(limit);
      signalGroup(child.pid, 'SIGKILL');
      end = null;
      return { ...readTap(output, titles), hung, seconds: (performance.now() - started) / 1000, output };
    },
    async remove() {
      await end?.();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

export function replaceOnce(text: string, find: string, replace: string, file: string): string {
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`${file} holds the text to be changed ${count} times instead of once: ${find}`);
  return text.replace(find, () => replace);
}

/** Which of the titles passed and failed. A file that cannot even be loaded passes and fails none of them. */
export function readTap(output: string, titles: readonly string[]): { passed: Set<string>; failed: Set<string> } {
  const passed = new Set<string>();
  const failed = new Set<string>();
  for (const [, not, escaped = '', directive] of output.matchAll(/^ *(not )?ok \d+ - (.*?)( # (?:SKIP|TODO).*)?$/gm)) {
    const title = escaped.replace(/\\(.)/g, '$1');
    if (directive === undefined && titles.includes(title)) (not ? failed : passed).add(title);
  }
  return { passed, failed };
}

function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, signal);
  } catch {
    // The group is empty.
  }
}
