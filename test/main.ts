// Runs the tests: `npm test`, or `npm test -- test/domain test/apply/x.test.ts` for those whose path contains a word given.
import { chmodSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { endProcess, ended, spawnOwned } from '../demo/parts/owned-process.js';
import { makeTemporaryFolder } from '../demo/parts/temporary-folder.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
/** A file that hangs ends the run with its name instead of hanging it. */
const FILE_TIMEOUT_MS = 600_000;
const MOST_AT_ONCE = 4;
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

function findTests(words: readonly string[]): string[] {
  const all = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .map((file) => path.join('test', file))
    .filter((file) => file.endsWith('.test.ts') && !file.includes(`${path.sep}planted${path.sep}`))
    .sort();
  const given = words.map((word) => path.normalize(word).replace(/\/$/, ''));
  return given.length === 0 ? all : all.filter((file) => given.some((word) => file.includes(word)));
}

/** Runs one command on our terminal, in our process group; the signals that we get while it runs are handed on to it. */
async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const child = spawnOwned(command, args, { cwd: root, env, stdio: 'inherit', deathSignal: 'SIGTERM', detached: true });
  const signals = Object.keys(SIGNAL_NUMBERS) as (keyof typeof SIGNAL_NUMBERS)[];
  let got: keyof typeof SIGNAL_NUMBERS | undefined;
  const handOn = signals.map((signal) => {
    const listener = () => {
      got = signal;
      endGroup(child.pid, 'SIGTERM');
      void endProcess(child, 'SIGTERM', 10_000);
    };
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  child.once('error', (error) => console.error(`${command} cannot be started: ${error.message}`));
  await ended(child);
  // A test file that was ended by force may have left what it started.
  endGroup(child.pid, 'SIGKILL');
  for (const stop of handOn) stop();
  return got ? 128 + SIGNAL_NUMBERS[got] : (child.exitCode ?? 1);
}

function endGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, signal);
  } catch {
    // The group is empty.
  }
}

/** By the word for a server, the module of ours that starts it. */
const STARTED_BY = { mariadb: '/support/mariadb.js', h2: '/support/h2.js' } as const;

/** Without the files of a server that the person who runs the tests does not have. */
function withoutMissing(files: readonly string[]): string[] {
  const words = (process.env['FAILBACK_TEST_WITHOUT'] ?? '').split(',').filter((word) => word !== '');
  const modules = words.map((word) => {
    const found = (STARTED_BY as Record<string, string | undefined>)[word];
    if (found !== undefined) return found;
    console.error(`FAILBACK_TEST_WITHOUT names "${word}": it knows ${Object.keys(STARTED_BY).join(' and ')}`);
    process.exit(1);
  });
  const kept = files.filter((file) => {
    const text = readFileSync(path.join(root, file), 'utf8');
    return !modules.some((module) => text.includes(module));
  });
  if (kept.length < files.length)
    console.log(`left out, by FAILBACK_TEST_WITHOUT: ${files.length - kept.length} test files`);
  return kept;
}

async function main(words: readonly string[]): Promise<number> {
  const files = withoutMissing(findTests(words));
  if (files.length === 0) {
    console.error(
      `no test file's path contains ${words.join(' or ') || '.test.ts'}: paths look like test/domain/hlc.test.ts`,
    );
    return 1;
  }
  if (words.length === 0) {
    console.log('lint, format and type check');
    const code = await run('npm', ['run', '--silent', 'lint']);
    if (code !== 0) return code;
  }
  // Data folders of the tests' servers: in one place, so that an interrupted run leaves nothing.
  const temporary = makeTemporaryFolder('test');
  chmodSync(temporary, 0o755);
  try {
    const concurrency = Math.min(availableParallelism(), MOST_AT_ONCE);
    const options = ['--test-reporter=spec', `--test-concurrency=${concurrency}`, `--test-timeout=${FILE_TIMEOUT_MS}`];
    return await run(process.execPath, ['--import', 'tsx', '--test', ...options, ...files], {
      ...process.env,
      TMPDIR: temporary,
    });
  } finally {
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

process.exitCode = await main(process.argv.slice(2));
