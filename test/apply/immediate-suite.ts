import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test, type TestContext } from 'node:test';
import { seededRandom } from '../../demo/simulator/feeds/faults.js';
import { createAtOnce, type AtOnce, type AtOnceOptions } from '../../src/apply/at-once.js';
import { formatHlc } from '../../src/domain/hlc.js';
import type { StartBench, TargetBench } from '../targets/bench.js';
import type { ApplyMutation } from '../../src/targets/target.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { until } from '../support/until.js';
import { at, remove, upsert } from '../targets/postgres/apply-fixture.js';
import { createLoopScene, incoming, SAME_SOURCE, type LoopScene } from './loop-fixture.js';

const SMALL = ['CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE)'];
const FAMILY = [
  'CREATE TABLE p (id int PRIMARY KEY)',
  'CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id))',
];
const row = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);

/** A loop with what applies at once beside it. */
interface ImmediateScene extends LoopScene {
  readonly atOnce: AtOnce;
  /** As the intake takes a body: what is returned from is acknowledged. */
  body(changes: readonly ApplyMutation[]): Promise<void>;
  values(): Promise<(string | null)[][]>;
}

async function createImmediateScene(
  t: TestContext,
  bench: TargetBench,
  ddl: readonly string[],
  tables: readonly string[],
  over: (fixture: LoopScene) => Partial<AtOnceOptions> = () => ({}),
): Promise<ImmediateScene> {
  const fixture = await createLoopScene(t, bench, ddl, tables);
  const atOnce = createAtOnce({
    stream: fixture.stream,
    token: fixture.token,
    openSession: () => fixture.openSession({ immediate: true }),
    source: SAME_SOURCE,
    waitMs: 10_000,
    restMs: 50,
    log: (line) => fixture.log.push(line),
    ...over(fixture),
  });
  t.after(() => atOnce.close());
  return {
    ...fixture,
    atOnce,
    start: (options, session) => fixture.start({ atOnce, ...options }, { immediate: true, ...session }),
    async body(changes) {
      await fixture.stageRows(changes);
      await atOnce.apply(changes.map(incoming));
    },
    values: () => fixture.rows('SELECT id, v FROM t ORDER BY id'),
  };
}

const seed = Number(process.env.FAILBACK_SEED ?? 1);

/** What is applied before it is acknowledged, on any target. */
export function immediateSuite(start: StartBench): void {
  let bench: TargetBench;
  before(async () => {
    bench = await start();
  });
  after(() => bench.stop());

  test('a body is applied before it is acknowledged, resolved or not; bodies that come together share a transaction', async (t) => {
    const fixture = await createImmediateScene(t, bench, SMALL, ['t']);
    await fixture.body([row(1, 1, 1)]);
    assert.deepEqual([await fixture.values(), await fixture.applied()], [[['1', '1']], formatHlc(at(0))]);
    await Promise.all(Array.from({ length: 30 }, (_, i) => fixture.body([row(10 + i, 10 + i, 10 + i)])));
    const { writers } = bench.words;
    const [[count] = []] = writers === null ? [] : await fixture.rows(writers);
    assert.ok(Number(count ?? 0) < 15, `${count} transactions`);
    assert.equal((await fixture.values()).length, 31);
    assert.deepEqual(fixture.atOnce.figures(), { upserts: 31, deletes: 0, left: 0 });
  });

  test('a child before its parent is acknowledged, waits in the stage, and is applied with its window (protocol rule 27)', async (t) => {
    const fixture = await createImmediateScene(t, bench, FAMILY, ['p', 'c']);
    await fixture.body([upsert(2, 1, '[10]', '{"id": 10, "p": 1}')]);
    assert.deepEqual(await fixture.rows('SELECT id FROM c'), []);
    assert.equal(fixture.stage.figures().entries, 1);
    await fixture.body([upsert(1, 0, '[1]', '{"id": 1}')]);
    assert.deepEqual(await fixture.rows('SELECT id FROM p'), [['1']]);
    fixture.start();
    await fixture.resolve(3);
    await until('the child', async () => (await fixture.rows('SELECT id FROM c')).length === 1);
    await until('no guard is left', async () => (await fixture.rows('SELECT 1 FROM {guard}')).length === 0);
  });

  test('a window in whose way stands what was applied at once waits until it may reach as far, and nothing halts', async (t) => {
    const fixture = await createImmediateScene(t, bench, SMALL, ['t']);
    fixture.start();
    // The value 5 passes from row 1 to row 2, and the delete in between comes last.
    await fixture.body([row(3, 2, 5)]);
    await fixture.body([row(1, 1, 5)]);
    await fixture.resolve(1);
    await until('the window was refused', () =>
      fixture.log.some((line) => line.includes('is in the way of this window')),
    );
    assert.deepEqual([await fixture.values(), await fixture.applied()], [[['2', '5']], formatHlc(at(0))]);
    await fixture.body([row(4, 3, 3)]);
    assert.equal((await fixture.values()).length, 1, 'something was applied at once meanwhile');
    await fixture.body([remove(2, 0, '[1]')]);
    await fixture.resolve(4);
    await until('all is applied', async () => (await fixture.applied()) === formatHlc(at(4)));
    assert.deepEqual(await fixture.values(), [
      ['2', '5'],
      ['3', '3'],
    ]);
    await fixture.body([row(5, 4, 4)]);
    assert.equal((await fixture.values()).length, 3, 'it goes on applying at once');
  });

  test('died between the commit of the rows and the acknowledgement, the body comes again and changes nothing', async (t) => {
    let port = 0;
    const fixture = await createImmediateScene(t, bench, SMALL, ['t'], (loop) => ({
      openSession: () => loop.openSession({ immediate: true, ...loop.through(port) }),
    }));
    const proxy = await startByteProxy(t, bench.port);
    ({ port } = proxy);
    proxy.arm('to-server', bench.words.commit, 'cut-after');
    await fixture.body([row(2, 7, 2)]);
    assert.equal(proxy.hits(), 1);
    await until('2 is there', async () => (await fixture.values()).length === 1);
    // A later version came by another body meanwhile; then the first one comes again.
    await until('it applies at once again', async () => {
      await fixture.body([row(3, 7, 3)]);
      return (await fixture.values())[0]?.[1] === '3';
    });
    await fixture.body([row(2, 7, 2)]);
    fixture.start();
    await fixture.resolve(3);
    await until('C is at 3', async () => (await fixture.applied()) === formatHlc(at(3)));
    assert.deepEqual(await fixture.values(), [['7', '3']]);
  });

  test('while the target is away, or says nothing, bodies are acknowledged from the stage, and the loop applies them later', async (t) => {
    let port = 0;
    const fixture = await createImmediateScene(t, bench, SMALL, ['t'], (loop) => ({
      waitMs: 100,
      openSession: () => loop.openSession({ immediate: true, connectTimeoutMs: 300, ...loop.through(port) }),
    }));
    const proxy = await startByteProxy(t, bench.port);
    ({ port } = proxy);
    proxy.arm('to-server', bench.words.begin, 'pause');
    await fixture.body([row(1, 1, 1)]);
    assert.equal(proxy.hits(), 1);
    assert.deepEqual(await fixture.values(), []);
    proxy.cutAll();
    fixture.start();
    await fixture.resolve(1);
    await until('the loop has applied it', async () => (await fixture.values()).length === 1);
  });

  test('after a takeover the old attempt applies nothing at once', async (t) => {
    const fixture = await createImmediateScene(t, bench, SMALL, ['t']);
    await fixture.body([row(1, 1, 1)]);
    const successor = await fixture.open();
    await successor.takeToken(randomUUID());
    await fixture.body([row(2, 1, 2)]);
    assert.deepEqual([await fixture.values(), fixture.atOnce.figures().left], [[['1', '1']], 1]);
  });

  test('a delete whose key may be of another column is left to the loop, which halts (protocol rule 8)', async (t) => {
    const fixture = await createImmediateScene(t, bench, SMALL, ['t'], () => ({
      source: { changed: () => null, firstOtherKey: () => Promise.resolve({ at: at(2), error: new Error() as never }) },
    }));
    await fixture.body([row(1, 1, 1), row(2, 2, 2), remove(2, 0, '[1]')]);
    assert.deepEqual(await fixture.values(), [['1', '1']]);
  });

  test(`random transactions over a unique value, every body in any order and some twice: the source at the end (FAILBACK_SEED=${seed})`, async (t) => {
    const fixture = await createImmediateScene(t, bench, SMALL, ['t']);
    const random = seededRandom(seed);
    const pick = (below: number): number => Math.floor(random() * below);
    fixture.start({ limits: { rows: 7, bytes: 1_000_000 } });
    const state = new Map<number, number>();
    let n = 1;
    for (let round = 0; round < 12; round += 1) {
      const changes: ApplyMutation[] = [];
      for (let i = 0; i < 15; i += 1, n += 1) {
        const id = 1 + pick(6);
        const taken = new Set(state.values());
        const free = [1, 2, 3, 4, 5, 6, 7].filter((v) => !taken.has(v));
        const v = free[pick(free.length)];
        if (v === undefined || (state.has(id) && pick(3) === 0)) {
          state.delete(id);
          changes.push(remove(n, 0, `[${id}]`));
        } else {
          state.set(id, v);
          changes.push(row(n, id, v));
        }
      }
      const bodies = [...changes, ...changes.filter(() => pick(4) === 0)];
      for (let i = bodies.length - 1; i > 0; i -= 1) {
        const j = pick(i + 1);
        [bodies[i], bodies[j]] = [bodies[j] as ApplyMutation, bodies[i] as ApplyMutation];
      }
      await Promise.all(bodies.map((change) => fixture.body([change])));
      // Sometimes in the middle of what has come, as a window that is cut.
      await fixture.resolve(pick(2) === 0 ? n - 1 : n - 8);
    }
    await fixture.resolve(n);
    await until('all is applied', async () => (await fixture.applied()) === formatHlc(at(n)));
    const expected = [...state].sort(([a], [b]) => a - b).map(([id, v]) => [String(id), String(v)]);
    assert.deepEqual(await fixture.values(), expected);
    assert.ok(fixture.atOnce.figures().upserts > 20, JSON.stringify(fixture.atOnce.figures()));
    assert.deepEqual(await fixture.rows('SELECT 1 FROM {guard}'), []);
  });
}
