import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import type { AttemptOptions } from '../../src/apply/attempt.js';
import type { Stage } from '../../src/staging/stage.js';
import { until } from '../support/until.js';
import type { Scene, StartBench, TargetBench } from '../targets/bench.js';
import { at } from '../targets/postgres/apply-fixture.js';
import { createAttempting, type Attempting, type RunningAttempt } from './attempt-fixture.js';
import { family, numberOf, PAIRS } from './groups-fixture.js';
import { randomFamilies } from './groups-source.js';

const DDL = ['a', 'b'].flatMap((pair) => [
  `CREATE TABLE ${pair}_parent (id int PRIMARY KEY, total int)`,
  `CREATE TABLE ${pair}_child (id int PRIMARY KEY, parent int NOT NULL, v int, FOREIGN KEY (parent) REFERENCES ${pair}_parent (id))`,
]);
const TABLES = ['a_parent', 'a_child', 'b_parent', 'b_child'];

interface GroupsScene extends Scene, Pick<Attempting, 'stageOf'> {
  /** An attempt that applies by groups. */
  begin(stage: Stage, over?: Partial<AttemptOptions>): RunningAttempt;
  /** Waits until the groups' rows are so (`group:applied`), and the stream's row, where it is given. */
  awaitApplied(groups: string, stream?: number): Promise<void>;
}

async function createGroupsScene(t: TestContext, bench: TargetBench): Promise<GroupsScene> {
  const scene = await bench.scene(t, DDL, TABLES);
  const { schema } = scene.options().plan[0]?.target ?? { schema: 'public' };
  const plan = PAIRS.map((table) => ({ ...table, target: { ...table.target, schema } }));
  const attempting = createAttempting(t, scene.stream, () => scene.openSession());
  return {
    ...scene,
    stageOf: (host) => attempting.stageOf(host),
    begin: (stage, over = {}) =>
      attempting.start(stage, {
        plan,
        openSession: (group) => scene.openSession({ plan, ...(group === undefined ? {} : { group }) }),
        ...over,
      }),
    async awaitApplied(wanted, stream) {
      await until(`groups ${wanted}, stream ${stream ?? 'anywhere'}`, async () => {
        const rows = await scene.rows('SELECT group_number, applied FROM {checkpoint_group} ORDER BY group_number');
        const groups = rows.map(([number, applied]) => `${number}:${numberOf(applied ?? '')}`).join(' ');
        const found = `${groups} / ${numberOf(await scene.applied())}`;
        if (stream === undefined ? found.startsWith(`${wanted} /`) : found === `${wanted} / ${stream}`) return true;
        throw new Error(`found ${found}`);
      });
    },
  };
}

/** Tables that are applied by groups, on any target (protocol rule 26). */
export function groupsSuite(start: StartBench): void {
  let bench: TargetBench;
  before(async () => {
    bench = await start();
  });
  after(() => bench.stop());

  test('a reader sees in each group only what the source was in, at every commit, and in the end everything', async (t) => {
    const fixture = await createGroupsScene(t, bench);
    const source = randomFamilies(7);
    const attempt = fixture.begin(await fixture.stageOf('a'), { limits: { rows: 40, bytes: 1_000_000 } });
    await attempt.taken();
    const read = await fixture.reader();
    let [reads, over] = [0, false];
    const reading = (async () => {
      for (; !over; reads++)
        for (const pair of ['a', 'b']) {
          const rows = await read(
            `SELECT p.id FROM ${pair}_parent p WHERE total <> (SELECT coalesce(sum(v), 0) FROM ${pair}_child c WHERE c.parent = p.id)`,
          );
          assert.deepEqual(rows, [], `pair ${pair}`);
        }
    })();
    const TRANSACTIONS = 2_000;
    for (let n = 1; n <= TRANSACTIONS; n += 25) await attempt.receiveChanges(1, source.commit(n, n + 24), n + 24);
    await fixture.awaitApplied(`0:${TRANSACTIONS} 1:${TRANSACTIONS}`);
    over = true;
    await reading;
    assert.ok(reads > 10, `${reads} reads`);
    for (const [table, rows] of Object.entries(source.tables())) {
      const columns = table.endsWith('parent') ? ['id', 'total'] : ['id', 'parent', 'v'];
      const wanted = rows.map(([text = '']) => {
        const row = JSON.parse(text) as Record<string, number>;
        return columns.map((column) => String(row[column]));
      });
      assert.deepEqual(await fixture.rows(`SELECT ${columns.join(', ')} FROM ${table} ORDER BY id`), wanted, table);
    }
  });

  test('a group whose rows are locked holds up no other, and the stream’s row stays with it', async (t) => {
    const fixture = await createGroupsScene(t, bench);
    const stage = await fixture.stageOf('a');
    const attempt = fixture.begin(stage, { limits: { rows: 2, bytes: 1_000_000 } });
    await attempt.taken();
    // Somebody else is writing the same row.
    const other = await fixture.reader();
    await other('BEGIN');
    await other('INSERT INTO b_parent VALUES (4, 0)');
    const families = [family(1, 'a'), family(2, 'b'), family(3, 'a'), family(4, 'b'), family(5, 'a')];
    await attempt.receiveChanges(1, families.flat(), 5);
    await fixture.awaitApplied('0:5 1:2', 2);
    assert.deepEqual(await fixture.rows('SELECT count(*) FROM a_child'), [['3']]);
    assert.equal(attempt.applied(), at(2), 'what is reported is what all have');
    await until('it says which', () =>
      attempt.log.some((line) => new RegExp(`group 1: .*${bench.words.lockTimeout}`).test(line)),
    );
    await attempt.receiveChanges(1, family(6, 'a'), 6);
    await fixture.awaitApplied('0:6 1:2', 2);
    assert.ok((stage.binding()?.floor ?? 0n) <= at(2), 'what it still needs is not purged');
    await other('ROLLBACK');
    await fixture.awaitApplied('0:6 1:6', 6);
    assert.deepEqual(await fixture.rows('SELECT count(*) FROM b_child'), [['2']]);
    await until('what all have is purged', () => stage.figures().entries === 0);
  });
}
