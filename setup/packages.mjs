import { accessSync, constants, readFileSync } from 'node:fs';
import path from 'node:path';
import { runChild } from './children.mjs';
import { projectFolder } from './locations.mjs';
import { withLock } from './lock.mjs';
import { SetupProblem } from './problem.mjs';
import { say } from './say.mjs';

/** Runs `npm ci` unless node_modules already is what the lock says. */
export async function ensurePackages() {
  if (packagesMatchLock()) return;
  await withLock(path.join(projectFolder, '.cache', 'setup.lock'), async () => {
    if (packagesMatchLock()) return;
    refuseUnwritableHome();
    say('installing the npm packages of package-lock.json (about 30 s, once)');
    const [command, ...before] = npmCommand();
    const args = [...before, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
    const { code, output } = await runChild(command, args, {
      cwd: projectFolder,
      onProgress: (seconds) => say(`npm ci is at work, ${seconds} s`),
    }).catch((cause) => {
      throw new SetupProblem(`npm cannot be started (${cause.message}): install Node.js with npm`, { cause });
    });
    if (code !== 0) throw new SetupProblem(`npm ci failed (${code}):\n${firstErrors(output)}`);
  });
}

/**
 * npm writes node_modules/.package-lock.json when it has finished, and only then: what it names is there.
 * Packages for other platforms are missing from it, and are optional in the lock.
 */
function packagesMatchLock(folder = projectFolder) {
  const wanted = readPackages(path.join(folder, 'package-lock.json'));
  if (!wanted) throw new SetupProblem(`package-lock.json is missing in ${folder}: take it from the repository`);
  const installed = readPackages(path.join(folder, 'node_modules', '.package-lock.json'));
  if (!installed) return false;
  const names = new Set([...Object.keys(wanted), ...Object.keys(installed)]);
  names.delete('');
  return [...names].every((name) => {
    const want = wanted[name];
    const have = installed[name];
    if (!have) return want.optional === true || want.devOptional === true;
    return want !== undefined && want.version === have.version && want.integrity === have.integrity;
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** npm says first what is wrong and then how it is used, at length. */
function firstErrors(output) {
  const errors = output.split('\n').filter((line) => /^npm error \S/.test(line));
  return (errors.length > 0 ? errors : output.split('\n')).slice(0, 8).join('\n');
}

/** Under `npm run` the very npm that runs us, else the one on PATH. */
function npmCommand() {
  const running = process.env.npm_execpath;
  return running?.endsWith('npm-cli.js') ? [process.execPath, running] : ['npm'];
}

function refuseUnwritableHome() {
  if (process.env.npm_config_cache) return;
  try {
    accessSync(process.env.HOME, constants.W_OK);
  } catch (cause) {
    throw new SetupProblem(
      `HOME is ${process.env.HOME}, which you may not write, and npm needs it: set HOME to a folder of yours`,
      {
        cause,
      },
    );
  }
}
