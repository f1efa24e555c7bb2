import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { isRoot, postgresLocation, projectFolder } from '../../setup/locations.mjs';
import { requireTestServers } from '../../setup/test-servers.mjs';
import { isAlive, startProcess } from '../support/processes.js';
import { until } from '../support/until.js';

const scratch = mkdtempSync(path.join(tmpdir(), 'failback-setup-'));
chmodSync(scratch, 0o755);
after(() => rmSync(scratch, { recursive: true, force: true }));

/**
 * A clone under a folder that nobody else may enter, whose node_modules is ready but for what is cheap to make. A
 * `temporal` of its own stands on PATH: set-up looks for the file only.
 */
function makeClone(name: string, { links = true } = {}) {
  const parent = path.join(scratch, name);
  const folder = path.join(parent, 'failback');
  mkdirSync(parent, { mode: 0o700 });
  mkdirSync(folder);
  for (const part of ['setup', 'setup.mjs', 'package.json', 'package-lock.json']) {
    cpSync(path.join(projectFolder, part), path.join(folder, part), { recursive: true });
  }
  const modules = path.join(folder, 'node_modules');
  const { packageFolder } = postgresLocation();
  const postgres = path.join(modules, path.relative(path.join(projectFolder, 'node_modules'), packageFolder));
  const isLink = (file: string) =>
    linkTargets(packageFolder).some((target) => path.join(packageFolder, target) === file);
  cpSync(packageFolder, postgres, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (file) => links || !isLink(file),
  });
  cpSync(path.join(projectFolder, 'node_modules/.package-lock.json'), path.join(modules, '.package-lock.json'));
  const bin = path.join(parent, 'bin');
  mkdirSync(bin);
  writeFileSync(path.join(bin, 'temporal'), '#!/bin/sh\n', { mode: 0o755 });
  const cache = path.join(scratch, `${name}-cache`);
  const env = {
    PATH: `${bin}:${process.env['PATH']}`,
    HOME: parent,
    FAILBACK_CACHE: cache,
    TEMPORAL_ADDRESS: undefined,
  };
  return { folder, postgres, cache, bin, env };
}

function linkTargets(packageFolder: string): string[] {
  const list = path.join(packageFolder, 'native/pg-symlinks.json');
  if (!existsSync(list)) return [];
  return (JSON.parse(readFileSync(list, 'utf8')) as { target: string }[]).map(({ target }) => target);
}

function setUp(
  clone: { folder: string; env: Record<string, string | undefined> },
  env: Record<string, string | undefined> = {},
) {
  const servers = { FAILBACK_TEST_WITHOUT: 'mariadb,h2' };
  return startProcess(process.execPath, ['setup.mjs', 'test'], {
    cwd: clone.folder,
    env: { ...servers, ...clone.env, ...env },
  });
}

test('a clone in a 0700 folder, installed without install scripts, gets runnable PostgreSQL binaries; the second run says nothing', async () => {
  const clone = makeClone('scriptless', { links: false });
  const first = setUp(clone);
  assert.equal(await first.exit(), 0, first.output());
  const native = isRoot()
    ? path.join(clone.cache, readdirSync(clone.cache)[0] ?? '')
    : path.join(clone.postgres, 'native');
  for (const target of linkTargets(clone.postgres))
    assert.ok(existsSync(path.join(native, '..', target.replace(/^native/, path.basename(native)))), target);
  const identity = isRoot() ? { uid: 65_534, gid: 65_534 } : {};
  const { status, stdout } = spawnSync(path.join(native, 'bin/postgres'), ['--version'], {
    encoding: 'utf8',
    cwd: '/',
    ...identity,
  });
  assert.equal(status, 0);
  assert.match(stdout, /^postgres \(PostgreSQL\) \d+/);
  const second = setUp(clone);
  assert.equal(await second.exit(), 0);
  assert.equal(second.output(), '');
});

test('two set-ups at the same time both succeed, and leave no half copy', async () => {
  const clone = makeClone('twice', { links: false });
  const both = [setUp(clone), setUp(clone)];
  for (const one of both) assert.equal(await one.exit(), 0, one.output());
  if (isRoot()) assert.equal(readdirSync(clone.cache).length, 1);
});

/** A stand-in for npm or go that says its pid and stays. */
function plantSleeper(file: string, pidFile: string): void {
  writeFileSync(file, `#!/bin/sh\nsleep 60 &\necho $$ $! > ${pidFile}\nwait\n`, { mode: 0o755 });
}

test('packages that are not those of the lock are installed; SIGTERM ends npm with its children and gives the lock back', async () => {
  const clone = makeClone('outdated');
  rmSync(path.join(clone.folder, 'node_modules/.package-lock.json'));
  const pidFile = path.join(scratch, 'npm.pids');
  plantSleeper(path.join(clone.bin, 'npm'), pidFile);
  const run = setUp(clone, { npm_execpath: undefined });
  const pids = await until(
    'npm at work',
    () => existsSync(pidFile) && /^\d+ \d+$/m.exec(readFileSync(pidFile, 'utf8'))?.[0].split(' ').map(Number),
  );
  assert.ok(existsSync(path.join(clone.folder, '.cache/setup.lock')));
  run.signal('SIGTERM');
  assert.equal(await run.exit(), 143);
  await until('the end of npm and its child', () => !pids.some(isAlive));
  assert.equal(existsSync(path.join(clone.folder, '.cache/setup.lock')), false);
});

test('a dead set-up holds nobody up; a living one is awaited', async () => {
  const clone = makeClone('locked');
  const lock = path.join(clone.folder, '.cache/setup.lock');
  const hidden = path.join(clone.folder, 'node_modules/.package-lock.json');
  const dead = spawnSync('true').pid;
  mkdirSync(path.dirname(lock));
  rmSync(hidden);
  symlinkSync('/bin/true', path.join(clone.bin, 'npm'));
  writeFileSync(lock, JSON.stringify({ pid: dead, host: hostname() }));
  const first = setUp(clone, { npm_execpath: undefined });
  assert.equal(await first.exit(), 0, first.output());
  assert.match(first.output(), /installing the npm packages/);

  writeFileSync(lock, JSON.stringify({ pid: process.pid, host: hostname() }));
  utimesSync(lock, new Date(0), new Date(0));
  const second = setUp(clone, { npm_execpath: undefined });
  await until('the second waits', () => second.output().includes(`another set-up is at work (process ${process.pid}`));
  rmSync(lock);
  assert.equal(await second.exit(), 0, second.output());
});

/** A stand-in for Go, which tells what it was given and builds at once. */
function plantGo(bin: string, home: string, told: string): void {
  const script = `#!/bin/sh
if [ "$1" = env ]; then echo ${home}/mod; echo ${home}/build; exit; fi
echo "$GOMODCACHE $GOCACHE $GOFLAGS" > ${told}
for at in $GOMODCACHE $GOCACHE; do mkdir -p $at/deep; done
echo built > $GOBIN/temporal
`;
  writeFileSync(path.join(bin, 'go'), script, { mode: 0o755 });
}

test('Temporal is built with the caches of Go that are there; others do not stay', async () => {
  const clone = makeClone('building');
  rmSync(path.join(clone.bin, 'temporal'));
  const told = path.join(scratch, 'go.told');
  const home = path.join(scratch, 'go-home');
  plantGo(clone.bin, home, told);
  const path0 = { PATH: `${clone.bin}:/usr/bin:/bin` };
  const workshop = path.join(clone.cache, 'temporal-new');
  const place = path.join(clone.cache, 'temporal-cli-1.5.1');

  const first = setUp(clone, path0);
  assert.equal(await first.exit(), 0, first.output());
  assert.equal(readFileSync(told, 'utf8'), `${workshop}/gomodcache ${workshop}/gocache -modcacherw\n`);
  assert.equal(readFileSync(path.join(place, 'temporal'), 'utf8'), 'built\n');
  assert.equal(existsSync(workshop), false);
  assert.equal(existsSync(home), false);

  rmSync(place, { recursive: true });
  for (const cache of ['mod', 'build']) mkdirSync(path.join(home, cache), { recursive: true });
  const second = setUp(clone, { ...path0, GOMODCACHE: undefined, GOCACHE: undefined, GOFLAGS: '-buildvcs=false' });
  assert.equal(await second.exit(), 0, second.output());
  assert.equal(readFileSync(told, 'utf8'), '  -buildvcs=false\n');
});

test('what is missing is said in one line', async () => {
  const clone = makeClone('lacking');
  const cases: [Record<string, string | undefined>, RegExp][] = [
    [{ HOME: undefined }, /^set-up: HOME is not set, [^\n]*\n$/],
    [{ HOME: '/nonexistent' }, /^set-up: HOME is \/nonexistent, which is not there, [^\n]*\n$/],
    [
      { FAILBACK_CACHE: path.join(clone.folder, 'setup.mjs/cache') },
      /^set-up: [^\n]*setup\.mjs\/cache[^\n]*set FAILBACK_CACHE[^\n]*\n$/m,
    ],
  ];
  rmSync(path.join(clone.bin, 'temporal'));
  for (const [env, line] of cases) {
    const run = setUp(clone, { PATH: clone.bin, ...env });
    assert.equal(await run.exit(), 1);
    assert.match(run.output(), line);
  }
});

test('servers of the tests that are missing are named in one line, with their packages and how to do without', () => {
  assert.throws(() => requireTestServers({ PATH: '/nonexistent' }), {
    name: 'SetupProblem',
    message:
      /Java \(java\): apt-get install .*default-jre-headless, or leave those tests out with FAILBACK_TEST_WITHOUT=.*h2$/,
  });
  requireTestServers({ PATH: '/nonexistent', FAILBACK_TEST_WITHOUT: 'mariadb,h2' });
});
