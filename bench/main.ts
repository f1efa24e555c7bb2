// Runs the benchmarks one after the other: `npm run bench`, or `npm run bench -- apply receive` for some; `--target mysql` for another target.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readBenchArguments } from './arguments.js';

/** Each prints ratios to a baseline that it has measured in the same run. */
const ALL = ['scan', 'stage', 'receive', 'apply', 'live', 'parallel', 'conflicts', 'backlog', 'lag', 'restart'];
/** Those that have a target, and can be asked for another one. */
const ON_ANY_TARGET = ['apply', 'lag'];

const { dialect, names } = readBenchArguments();
const known = dialect === 'postgres' ? ALL : ON_ANY_TARGET;
const unknown = names.find((name) => !known.includes(name));
if (unknown !== undefined) {
  console.error(`there is no benchmark "${unknown}" of ${dialect}: known are ${known.join(', ')}`);
  process.exit(1);
}
for (const name of names.length > 0 ? names : known) {
  console.log(`\n== ${name}`);
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const target = ON_ANY_TARGET.includes(name) ? ['--target', dialect] : [];
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', file, ...target], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
