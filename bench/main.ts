// Runs the benchmarks one after the other: `npm run bench`, or `npm run bench -- apply receive` for some.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Each prints ratios to a baseline that it has measured in the same run. */
const ALL = ['scan', 'stage', 'receive', 'apply', 'live', 'parallel', 'conflicts', 'backlog', 'lag', 'restart'];

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !ALL.includes(name));
if (unknown !== undefined) {
  console.error(`there is no benchmark "${unknown}": known are ${ALL.join(', ')}`);
  process.exit(1);
}
for (const name of wanted.length > 0 ? wanted : ALL) {
  console.log(`\n== ${name}`);
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', file], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
