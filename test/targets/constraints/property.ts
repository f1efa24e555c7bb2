import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { seededRandom } from '../../../demo/simulator/feeds/faults.js';
import type { AppliedFigures, ApplyMutation, ApplySession } from '../../../src/targets/target.js';
import type { Postgres } from '../../support/postgres.js';
import { createSource, type Source } from './source.js';
import type { State } from './tables.js';
import { randomTransaction, type Random, type Transaction } from './transactions.js';

export const SEED = Number(process.env.FAILBACK_SEED ?? 1);
/** Transactions that the source takes. */
const TRANSACTIONS = Number(process.env.FAILBACK_TRANSACTIONS ?? 1500);
const LONGEST_WINDOW = 40;

/** A target of one kind, and what applies to it. */
export interface Target {
  readonly kind: string;
  /** Applies a window with one of the settings that do not change its result. */
  apply(random: Random, from: number, to: number, changes: readonly ApplyMutation[]): Promise<AppliedFigures>;
  state(): Promise<State>;
  /** The source's state as this dialect spells it. */
  expected(state: State): State;
  /** As it was after `at(n)`. */
  restore(state: State, n: number): Promise<void>;
}

/** Settings of a session that do not change the result. */
export const SETTINGS = [7, 1000].flatMap((flushSize) =>
  [true, false].map((collapseMutations) => ({ flushSize, collapseMutations })),
);

/** Works with one of the sessions, which have `SETTINGS` in their order. */
export async function chosen<T>(
  sessions: readonly ApplySession[],
  random: Random,
  work: (session: ApplySession) => Promise<T>,
): Promise<T> {
  const place = Math.floor(random() * sessions.length);
  const session = sessions[place];
  if (session === undefined) throw new Error('no session');
  try {
    return await work(session);
  } catch (error) {
    throw new Error(`with ${JSON.stringify(SETTINGS[place])}: ${String(error)}`, { cause: error });
  }
}

/** Random transactions of the source, in windows: after each one every target is what the source is then. */
export async function followTheSource(t: TestContext, postgres: Postgres, targets: readonly Target[]): Promise<void> {
  const source = await createSource(postgres);
  t.after(() => source.close());
  const random = seededRandom(SEED);
  let taken = 0;
  let inSourceOrder = 0;
  let changes = 0;
  let was: State = [];
  for (let window = 1; taken < TRANSACTIONS; window++) {
    const length = 1 + Math.floor(random() ** 2 * LONGEST_WINDOW);
    const drawn = Array.from({ length }, () => randomTransaction(random));
    const { mutations, accepted } = await runAll(source, drawn, taken);
    const is = await source.state();
    const dice = random();
    for (const target of targets) {
      const found = await outcome(target, dice, taken, taken + accepted.length, mutations, is);
      if (found.failure !== null) {
        const { least, failure } = await shrink(source, target, dice, was, accepted, found.failure);
        assert.fail(story(target, window, was, least, failure));
      }
      if (found.inSourceOrder) inSourceOrder++;
    }
    taken += accepted.length;
    changes += mutations.length;
    was = is;
  }
  t.diagnostic(`${taken} transactions, ${changes} changes, ${inSourceOrder} windows in the source's order`);
}

interface Ran {
  readonly accepted: readonly Transaction[];
  readonly mutations: Awaited<ReturnType<Source['run']>> & object;
}

/** Runs transactions one after the other; those that the source takes get the timestamps after `n`. */
async function runAll(source: Source, transactions: readonly Transaction[], n: number): Promise<Ran> {
  const accepted: Transaction[] = [];
  const mutations: Ran['mutations'][number][] = [];
  for (const transaction of transactions) {
    const changes = await source.run(transaction, n + accepted.length + 1);
    if (changes === null || changes.length === 0) continue;
    accepted.push(transaction);
    mutations.push(...changes);
  }
  return { accepted, mutations };
}

interface Outcome {
  readonly failure: string | null;
  readonly inSourceOrder: boolean;
}

async function outcome(
  target: Target,
  dice: number,
  from: number,
  to: number,
  mutations: Ran['mutations'],
  wanted: State,
): Promise<Outcome> {
  if (from === to) return { failure: null, inSourceOrder: false };
  try {
    const { inSourceOrder } = await target.apply(seededRandom(dice * 2 ** 32), from, to, mutations);
    const found = await target.state();
    const failure = difference(target.expected(wanted), found);
    return { failure, inSourceOrder };
  } catch (error) {
    return { failure: String(error), inSourceOrder: false };
  }
}

function difference(wanted: State, found: State): string | null {
  const lines = (state: State): Set<string> => new Set(state.map(({ name, row }) => `${name} ${row}`));
  const [source, target] = [lines(wanted), lines(found)];
  const missing = [...source].filter((line) => !target.has(line)).map((line) => `- ${line}`);
  const wrong = [...target].filter((line) => !source.has(line)).map((line) => `+ ${line}`);
  return missing.length + wrong.length === 0 ? null : ['source -, target +', ...missing, ...wrong].join('\n');
}

/** The fewest statements of the window's transactions with which it still fails, from the same rows on, and how. */
async function shrink(
  source: Source,
  target: Target,
  dice: number,
  was: State,
  transactions: readonly Transaction[],
  found: string,
): Promise<{ readonly least: readonly Transaction[]; readonly failure: string }> {
  let latest = found;
  const fails = async (some: readonly Transaction[]): Promise<boolean> => {
    await source.restore(was);
    const { mutations, accepted } = await runAll(source, some, 0);
    await target.restore(was, 0);
    const { failure } = await outcome(target, dice, 0, accepted.length, mutations, await source.state());
    latest = failure ?? latest;
    return failure !== null;
  };
  const fewest = async <T>(
    list: readonly T[],
    failsWith: (some: readonly T[]) => Promise<boolean>,
  ): Promise<readonly T[]> => {
    let least = list;
    for (let i = 0; i < least.length;) {
      const fewer = least.filter((_, place) => place !== i);
      if (await failsWith(fewer)) least = fewer;
      else i++;
    }
    return least;
  };
  let least = await fewest(transactions, fails);
  for (const [i, transaction] of least.entries()) {
    const others = least;
    const statements = await fewest(transaction, (some) => fails(others.with(i, some)));
    least = others.with(i, statements);
  }
  return { least, failure: latest };
}

function story(
  target: Target,
  window: number,
  was: State,
  transactions: readonly Transaction[],
  failure: string,
): string {
  return [
    `window ${window} on the target with ${target.kind}: ${failure}`,
    'From these rows:',
    ...was.map(({ name, row }) => `  ${name} ${row}`),
    'it fails with these transactions:',
    ...transactions.map((statements) => `  BEGIN; ${statements.join(';\n    ')}; COMMIT`),
    `Replay: FAILBACK_SEED=${SEED} FAILBACK_TRANSACTIONS=${TRANSACTIONS} npm test -- the file of this test`,
  ].join('\n');
}
