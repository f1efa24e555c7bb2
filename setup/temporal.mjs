import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { runChild } from './children.mjs';
import {
  cachedTemporal,
  cacheFolder,
  findExecutable,
  findTemporal,
  isThere,
  pathFolders,
  projectFolder,
  TEMPORAL_CLI_VERSION,
} from './locations.mjs';
import { withLock } from './lock.mjs';
import { SetupProblem } from './problem.mjs';
import { say } from './say.mjs';

const MODULE = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`;

/** Makes sure of a Temporal dev server: the user's own, PATH's, the cached one; else it is downloaded or built. */
export async function ensureTemporal() {
  if (process.env.TEMPORAL_ADDRESS || findTemporal()) return;
  const cache = cacheFolder();
  try {
    mkdirSync(cache, { recursive: true });
  } catch (cause) {
    throw new SetupProblem(
      `the cache folder ${cache} cannot be made (${cause.message}): set FAILBACK_CACHE to a folder of yours`,
      { cause },
    );
  }
  await withLock(path.join(cache, 'temporal.lock'), async () => {
    if (findTemporal()) return;
    // A folder of the same file system, so that the rename into place is atomic. The lock makes it ours, and what a
    // build that was interrupted has left in it is used again.
    const workshop = path.join(cache, 'temporal-new');
    mkdirSync(workshop, { recursive: true });
    try {
      const binary = (await download(workshop)) ?? (await build(workshop));
      const place = cachedTemporal();
      mkdirSync(path.dirname(place), { recursive: true });
      chmodSync(binary, 0o755);
      renameSync(binary, place);
    } finally {
      rmSync(workshop, { recursive: true, force: true });
    }
  });
}

/** Starts the SDK's dev server once, which leaves the binary it has fetched in the folder; undefined where its host is out of reach. */
async function download(workshop) {
  const reachable = await fetch(`https://temporal.download/cli/v${TEMPORAL_CLI_VERSION}?platform=linux&arch=amd64`, {
    method: 'HEAD',
    signal: AbortSignal.timeout(3000),
  }).then(
    (answer) => answer.ok,
    () => false,
  );
  if (!reachable) return undefined;
  say('downloading Temporal (about 60 MB, once)');
  const script = `
    const { TestWorkflowEnvironment } = await import('@temporalio/testing');
    const executable = { type: 'cached-download', version: 'v${TEMPORAL_CLI_VERSION}', downloadDir: process.argv[1] };
    const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
    await environment.teardown();`;
  const { code, output } = await runChild(process.execPath, ['--input-type=module', '-e', script, workshop], {
    cwd: projectFolder,
    timeoutMs: 180_000,
    onProgress: (seconds) => say(`downloading Temporal, ${seconds} s`),
  });
  const binary = findExecutable(readdirSync(workshop).find((name) => name.includes('temporal')) ?? '-', [workshop]);
  if (code === 0 && binary) return binary;
  say(`the download of Temporal failed (${code}: ${output.split('\n').at(-1)}); building it instead`);
  return undefined;
}

async function build(workshop) {
  const go = findExecutable('go', [...pathFolders(), '/usr/local/go/bin', '/usr/lib/go/bin', '/opt/homebrew/bin']);
  if (!go) {
    throw new SetupProblem(
      'Temporal is missing: install its CLI (https://docs.temporal.io/cli) or Go, from which set-up builds it, or set TEMPORAL_ADDRESS to a running server',
    );
  }
  say(`building Temporal ${TEMPORAL_CLI_VERSION} with ${go} (3-4 minutes on two cores, once)`);
  const { code, output } = await runChild(go, ['install', '-ldflags=-s -w', MODULE], {
    cwd: workshop,
    // Its store is pure Go: without cgo no C compiler is needed.
    env: { ...process.env, GOBIN: workshop, CGO_ENABLED: '0', ...(await goCaches(go, workshop)) },
    onProgress: (seconds) => say(`building Temporal, ${seconds} s (3-4 minutes on two cores, once)`),
  });
  const binary = path.join(workshop, 'temporal');
  if (code !== 0 || !isThere(binary)) {
    throw new SetupProblem(
      `\`go install ${MODULE}\` failed (${code}): ${output}\nInstall the Temporal CLI by hand, or set TEMPORAL_ADDRESS`,
    );
  }
  return binary;
}

/** The user's own caches where there are any; else in the workshop: 3 GB that nobody has asked for do not stay. */
async function goCaches(go, workshop) {
  const names = ['GOMODCACHE', 'GOCACHE'];
  const { output } = await runChild(go, ['env', ...names]);
  const missing = names.filter((_, index) => !isThere(output.split('\n')[index] ?? ''));
  return {
    ...Object.fromEntries(missing.map((name) => [name, path.join(workshop, name.toLowerCase())])),
    // Read-only folders, as Go makes them, could not be removed.
    ...(missing.includes('GOMODCACHE') ? { GOFLAGS: `${process.env.GOFLAGS ?? ''} -modcacherw`.trim() } : {}),
  };
}
