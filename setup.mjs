// Gets what the demo and the tests need. Runs before `npm ci`, so it imports Node's own modules only.
import { existsSync } from 'node:fs';
import { endChildren } from './setup/children.mjs';
import { releaseLocks } from './setup/lock.mjs';
import { ensurePackages } from './setup/packages.mjs';
import { ensurePostgres } from './setup/postgres.mjs';
import { SetupProblem } from './setup/problem.mjs';
import { say } from './setup/say.mjs';
import { ensureTemporal } from './setup/temporal.mjs';
import { requireTestServers } from './setup/test-servers.mjs';

const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

async function main() {
  const [purpose, ...rest] = process.argv.slice(2);
  if (rest.length > 0 || (purpose !== undefined && purpose !== 'demo' && purpose !== 'test')) {
    throw new SetupProblem(
      `unknown argument ${JSON.stringify(rest[0] ?? purpose)}: use \`node setup.mjs [demo|test]\``,
    );
  }
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 11)) {
    throw new SetupProblem(
      `this is Node.js ${process.versions.node}, and Failback needs 20.11 or later: https://nodejs.org`,
    );
  }
  if (!process.env.HOME || !existsSync(process.env.HOME)) {
    throw new SetupProblem(
      `HOME is ${process.env.HOME ? `${process.env.HOME}, which is not there` : 'not set'}, and npm and the caches need one: set HOME to a folder of yours`,
    );
  }
  if (purpose === 'test') requireTestServers();
  await ensurePackages();
  await ensurePostgres();
  await ensureTemporal();
}

async function stop(signal) {
  say(`stopped by ${signal}`);
  await endChildren();
  releaseLocks();
  process.exit(128 + SIGNAL_NUMBERS[signal]);
}

for (const signal of Object.keys(SIGNAL_NUMBERS)) process.once(signal, () => void stop(signal));

// npm hands SIGTERM to its shell, which dies of it without telling us: then we have a new parent.
const parent = process.ppid;
setInterval(() => process.ppid !== parent && void stop('SIGTERM'), 250).unref();

main().catch(async (error) => {
  await endChildren();
  process.exitCode = 1;
  process.stderr.write(error instanceof SetupProblem ? `set-up: ${error.message}\n` : `${error.stack}\n`);
});
