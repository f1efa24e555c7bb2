import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seededRandom } from '../../demo/simulator/feeds/faults.js';
import { formatHlc } from '../../src/domain/hlc.js';
import type { ApplyMutation } from '../../src/targets/target.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { at } from '../targets/postgres/apply-fixture.js';
import { createSource } from '../targets/constraints/source.js';
import { TABLES, type State } from '../targets/constraints/tables.js';
import { randomTransaction, type Random } from '../targets/constraints/transactions.js';
import { constrainedSchema, TRIGGERS } from '../targets/postgres/constraints/schema.js';
import { readState } from '../targets/postgres/constraints/state.js';
import { createLoopFixture } from './loop-fixture.js';

const SEED = Number(process.env.FAILBACK_SEED ?? 1);
/** Transactions that the source takes, for each kind of target. */
const TRANSACTIONS = Number(process.env.FAILBACK_TRANSACTIONS ?? 200);
const LONGEST_SPAN = 25;

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

for (const enforcementOff of [false, true]) {
  test(`constraints, stage and loop, enforcement ${enforcementOff ? 'off' : 'on'}: delivered in any order, again, and with the loop ended on the way, the target is the source at each resolved timestamp (FAILBACK_SEED=${SEED})`, async (t) => {
    const source = await createSource(postgres);
    t.after(() => source.close());
    const ddl = `${constrainedSchema('mixed')} ${enforcementOff ? TRIGGERS : ''}`;
    const target = await createLoopFixture(t, postgres, ddl, TABLES);
    const random = seededRandom(SEED);
    // Windows are cut in the middle of what one resolved timestamp covers.
    const start = () => target.start({ limits: { rows: 17, bytes: 10_000 } }, { enforcementOff, flushSize: 7 });
    let loop = start();

    const states = new Map<number, State>();
    const sent: ApplyMutation[] = [];
    let waiting: ApplyMutation[] = [];
    let taken = 0;
    for (let resolved = 0; resolved < TRANSACTIONS;) {
      for (const end = taken + 1 + Math.floor(random() * LONGEST_SPAN); taken < end;) {
        const changes = await source.run(randomTransaction(random), taken + 1);
        if (changes === null || changes.length === 0) continue;
        waiting.push(...changes);
        states.set(++taken, await source.state());
      }
      // All up to the timestamp to be resolved, and some that are newer, as they come; and some of what came before, of any age.
      const next = taken - Math.floor(random() * Math.min(5, taken - resolved - 1));
      const due = waiting.filter((change) => change.at <= at(next) || random() < 0.5);
      waiting = waiting.filter((change) => !due.includes(change));
      sent.push(...due);
      const again = sent.filter(() => random() < 0.1);
      for (const body of bodies(random, [...shuffled(random, due), ...shuffled(random, again)])) {
        await target.stageRows(body);
      }
      await target.resolve(next);
      if (random() < 0.2) {
        await loop.abort();
        loop = start();
      }
      await until(`applied up to ${next}`, async () => (await target.applied()) === formatHlc(at(next)));
      assert.deepEqual(await readState(target.admin), states.get(next), `at resolved timestamp ${next}`);
      resolved = next;
    }
  });
}

function shuffled<T>(random: Random, list: readonly T[]): readonly T[] {
  return list
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

function bodies(random: Random, changes: readonly ApplyMutation[]): readonly (readonly ApplyMutation[])[] {
  const parts: ApplyMutation[][] = [[]];
  for (const change of changes) {
    if (random() < 0.2) parts.push([]);
    parts.at(-1)?.push(change);
  }
  return parts.filter((part) => part.length > 0);
}
