// Breaks each rule on purpose and shows that its test sees it: `npm run spec`, or `npm run spec -- A "inv 3"` for some rules.
// `npm run spec -- --write` writes docs/SPEC.md instead.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLane, type Lane, type Outcome } from './lane.js';
import type { Mutation } from './mutation.js';
import { MUTATIONS } from './mutations/index.js';
import { renderSpec } from './page.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const LIMIT_MS = 120_000;
/** A broken test may wait out an `until`; one that hangs needs no more. */
const MUTATED_LIMIT_MS = 90_000;
const MOST_LANES = 2;
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

let stopping = false;

async function main(words: readonly string[]): Promise<number> {
  if (words.includes('--write')) {
    writeFileSync(path.join(root, 'docs/SPEC.md'), renderSpec(root));
    return 0;
  }
  const wanted = words.map((word) => word.replace('invariant ', 'inv '));
  const chosen = MUTATIONS.filter(({ rules }) => words.length === 0 || rules.some((rule) => wanted.includes(rule)));
  if (chosen.length === 0) {
    console.error(`no mutation for ${words.join(', ')}: rules are ${ruleNames().join(', ')}`);
    return 1;
  }
  const lanes = Array.from({ length: Math.min(MOST_LANES, availableParallelism()) }, () => createLane(root));
  for (const signal of Object.keys(SIGNAL_NUMBERS) as (keyof typeof SIGNAL_NUMBERS)[])
    process.once(signal, () => {
      stopping = true;
      void Promise.all(lanes.map((lane) => lane.remove())).then(() => process.exit(128 + SIGNAL_NUMBERS[signal]));
    });
  try {
    const controls = byTestFile(chosen);
    console.log(`control: ${chosen.length} mutations, ${controls.length} test files, nothing changed`);
    const sane = await inLanes(lanes, controls, runControl);
    if (sane.includes(false)) return 1;
    console.log('\nmutations: the test must turn red');
    const reds = await inLanes(lanes, chosen, runMutation);
    const count = reds.filter(Boolean).length;
    console.log(`\n${count} of ${chosen.length} mutations red${count < chosen.length ? ': NOT all' : ''}`);
    return count === chosen.length ? 0 : 1;
  } catch (error) {
    // The folder goes while a signal ends us.
    if (!stopping) throw error;
    return 1;
  } finally {
    await Promise.all(lanes.map((lane) => lane.remove()));
  }
}

/** Each lane takes the next item when it is free. */
async function inLanes<T>(
  lanes: readonly Lane[],
  items: readonly T[],
  work: (lane: Lane, item: T) => Promise<boolean>,
) {
  const results: boolean[] = [];
  let next = 0;
  await Promise.all(
    lanes.map(async (lane) => {
      for (let i = next++; i < items.length && !stopping; i = next++) results[i] = await work(lane, items[i] as T);
    }),
  );
  return results;
}

function byTestFile(mutations: readonly Mutation[]): readonly (readonly [string, readonly string[]])[] {
  const titles = new Map<string, Set<string>>();
  for (const { test } of mutations) titles.set(test.file, (titles.get(test.file) ?? new Set()).add(test.title));
  return [...titles].map(([file, set]) => [file, [...set]]);
}

async function runControl(lane: Lane, [file, titles]: readonly [string, readonly string[]]): Promise<boolean> {
  const outcome = await lane.run(file, titles, LIMIT_MS);
  const missing = titles.filter((title) => !outcome.passed.has(title) || outcome.failed.has(title));
  console.log(`${missing.length === 0 ? 'green ' : 'RED (!)'} ${file}: ${titles.length} tests, ${time(outcome)}`);
  if (missing.length > 0)
    console.log(`${missing.map((title) => `  not green: ${title}`).join('\n')}\n${tail(outcome)}`);
  return missing.length === 0;
}

async function runMutation(lane: Lane, mutation: Mutation): Promise<boolean> {
  const { file, test, rules, note, hangs = false } = mutation;
  const outcome = await lane.changed(mutation, () => lane.run(test.file, [test.title], MUTATED_LIMIT_MS));
  const red = outcome.failed.has(test.title) || (hangs && outcome.hung);
  const word = red ? 'red     ' : outcome.hung ? 'HANGS (!)' : outcome.passed.size > 0 ? 'GREEN (!)' : 'BROKEN (!)';
  console.log(`${word} ${rules.join(', ')}: ${note} [${file}] ${time(outcome)}`);
  if (!red) console.log(`  test: ${test.file}: ${test.title}\n${outcome.passed.size > 0 ? '' : tail(outcome)}`);
  return red;
}

function time({ seconds }: Outcome): string {
  return `${seconds.toFixed(1)} s`;
}

function tail({ output }: Outcome): string {
  return output
    .split('\n')
    .slice(0, 40)
    .map((line) => `  | ${line}`)
    .join('\n');
}

function ruleNames(): readonly string[] {
  return [...new Set(MUTATIONS.flatMap(({ rules }) => rules))].sort();
}

process.exitCode = await main(process.argv.slice(2));
