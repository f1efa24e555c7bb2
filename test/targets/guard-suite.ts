import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test, type TestContext } from 'node:test';
import { formatHlc } from '../../src/domain/hlc.js';
import { FenceLostError, OutrunError, TargetUnavailableError } from '../../src/targets/failures.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { until } from '../support/until.js';
import type { Scene, StartBench, TargetBench } from './bench.js';
import { at, remove, upsert, windowOf } from './postgres/apply-fixture.js';

const SMALL = ['CREATE TABLE t (id int PRIMARY KEY, v smallint)'];
const UNIQUE = ['CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE)'];
const FAMILY = [
  'CREATE TABLE p (id int PRIMARY KEY)',
  'CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id))',
];
const row = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);
const parent = (n: number, id: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}}`);
const child = (n: number, id: number, p: number) => upsert(n, 1, `[${id}]`, `{"id": ${id}, "p": ${p}}`);

async function createGuardScene(
  t: TestContext,
  bench: TargetBench,
  ddl: readonly string[],
  tables: readonly string[],
): Promise<Scene> {
  const scene = await bench.scene(t, ddl, tables);
  return { ...scene, open: (over) => scene.open({ immediate: true, ...over }) };
}

const guards = async (fixture: Scene): Promise<readonly (string | null | undefined)[]> =>
  (await fixture.rows('SELECT hlc FROM {guard} ORDER BY hlc')).map(([hlc]) => hlc);
const values = (fixture: Scene) => fixture.rows('SELECT id, v FROM t ORDER BY id');

/** What the session applies at once, on any target (protocol rule 27). */
export function guardSuite(start: StartBench): void {
  let bench: TargetBench;
  before(async () => {
    bench = await start();
  });
  after(() => bench.stop());

  test('1, 2, 3, 2 applied at once end at 3, and the window that brings them changes nothing (protocol rule 27)', async (t) => {
    const fixture = await createGuardScene(t, bench, SMALL, ['t']);
    const session = await fixture.open();
    for (const n of [1, 2, 3, 2]) await session.applyAtOnce(fixture.token, [row(n, 7, n)]);
    assert.deepEqual(await values(fixture), [['7', '3']]);
    assert.equal(await fixture.applied(), formatHlc(at(0)));
    const figures = await session.apply(fixture.token, windowOf(0, 2, [row(1, 7, 1), row(2, 7, 2)]));
    assert.deepEqual([figures.upserts, await values(fixture)], [0, [['7', '3']]]);
    assert.deepEqual(await guards(fixture), [formatHlc(at(3))]);
  });

  test('a key that was deleted at once stays deleted when an older change of it comes late: at once, or in its window (protocol rule 27)', async (t) => {
    const fixture = await createGuardScene(t, bench, SMALL, ['t']);
    const session = await fixture.open();
    await session.applyAtOnce(fixture.token, [remove(5, 0, '[7]')]);
    assert.deepEqual(await session.applyAtOnce(fixture.token, [row(4, 7, 4)]), { upserts: 0, deletes: 0, left: 0 });
    assert.deepEqual(await values(fixture), []);
    await session.apply(fixture.token, windowOf(0, 4, [row(4, 7, 4)]));
    assert.deepEqual(await values(fixture), []);
  });

  test('guards go with the window that passes them, no further, and what then comes again is dropped by the checkpoint (protocol rules 11, 27)', async (t) => {
    const fixture = await createGuardScene(t, bench, SMALL, ['t']);
    const session = await fixture.open();
    const changes = [row(1, 1, 1), remove(2, 0, '[2]'), row(3, 3, 3)];
    assert.deepEqual(await session.applyAtOnce(fixture.token, changes), { upserts: 2, deletes: 1, left: 0 });
    await session.apply(fixture.token, windowOf(0, 2, changes.slice(0, 2)));
    assert.deepEqual(await guards(fixture), [formatHlc(at(3))]);
    const again = await session.applyAtOnce(fixture.token, [row(1, 2, 9), row(2, 1, 9), row(2, 3, 9)]);
    assert.deepEqual(again, { upserts: 0, deletes: 0, left: 0 });
    assert.deepEqual(await values(fixture), [
      ['1', '1'],
      ['3', '3'],
    ]);
  });

  test('a child before its parent is left, and the rest of the same group is applied (protocol rule 27)', async (t) => {
    const fixture = await createGuardScene(t, bench, FAMILY, ['p', 'c']);
    const session = await fixture.open();
    const group = [parent(1, 1), child(1, 10, 1), child(2, 20, 2)];
    assert.deepEqual(await session.applyAtOnce(fixture.token, group), { upserts: 2, deletes: 0, left: 1 });
    assert.deepEqual(await fixture.rows('SELECT id FROM c'), [['10']]);
    // What was refused has left no guard: its window applies it.
    await session.apply(fixture.token, windowOf(0, 2, [parent(1, 1), child(1, 10, 1), parent(2, 2), child(2, 20, 2)]));
    assert.deepEqual(await fixture.rows('SELECT id, p FROM c ORDER BY id'), [
      ['10', '1'],
      ['20', '2'],
    ]);
  });

  test('a family of tables in which a foreign key acts is never applied at once', async (t) => {
    const acting = [
      'CREATE TABLE p (id int PRIMARY KEY)',
      'CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)',
      'CREATE TABLE other (id int PRIMARY KEY)',
    ];
    const fixture = await createGuardScene(t, bench, acting, ['p', 'c', 'other']);
    await fixture.run('INSERT INTO p VALUES (1)', 'INSERT INTO c VALUES (10, 1)');
    const session = await fixture.open();
    const group = [remove(2, 0, '[1]'), upsert(2, 2, '[5]', '{"id": 5}')];
    assert.deepEqual(await session.applyAtOnce(fixture.token, group), { upserts: 1, deletes: 0, left: 1 });
    assert.deepEqual(await fixture.rows('SELECT id FROM c'), [['10']]);
  });

  test('a window that what was applied at once stands in the way of is refused up to where that reaches, and a longer one is applied', async (t) => {
    for (const onBadRow of ['halt', 'deadLetter'] as const) {
      const fixture = await createGuardScene(t, bench, UNIQUE, ['t']);
      const session = await fixture.open({ onBadRow });
      // The value 5 passes from row 1 to row 2; the delete in between is still on its way.
      const source = [row(1, 1, 5), remove(2, 0, '[1]'), row(3, 2, 5)];
      await session.applyAtOnce(fixture.token, source.slice(2));
      await assert.rejects(session.apply(fixture.token, windowOf(0, 1, source.slice(0, 1))), (error) => {
        assert.ok(error instanceof OutrunError, String(error));
        return error.upTo === at(3);
      });
      assert.equal(await fixture.applied(), formatHlc(at(0)));
      await session.apply(fixture.token, windowOf(0, 3, source));
      assert.deepEqual(await values(fixture), [['2', '5']]);
      assert.deepEqual(await guards(fixture), []);
      assert.deepEqual(await fixture.rows('SELECT 1 FROM {dead_letters}'), []);
    }
  });

  test('who has lost the token applies nothing at once (protocol rules C, 27)', async (t) => {
    const fixture = await createGuardScene(t, bench, SMALL, ['t']);
    const old = await fixture.open();
    await old.applyAtOnce(fixture.token, [row(1, 1, 1)]);
    const successor = await fixture.open();
    await successor.takeToken(randomUUID());
    await assert.rejects(old.applyAtOnce(fixture.token, [row(2, 1, 2)]), FenceLostError);
    assert.deepEqual(await values(fixture), [['1', '1']]);
  });

  test('row and guard are one transaction: cut before its COMMIT, neither is there; cut after it, both are (protocol rule 27)', async (t) => {
    for (const commits of [false, true]) {
      const fixture = await createGuardScene(t, bench, SMALL, ['t']);
      const proxy = await startByteProxy(t, bench.port);
      const session = await fixture.open({ ...fixture.through(proxy.port), connectTimeoutMs: 2000 });
      proxy.arm('to-server', bench.words.commit, commits ? 'cut-after' : 'cut-before');
      await assert.rejects(session.applyAtOnce(fixture.token, [row(2, 1, 2)]), TargetUnavailableError);
      assert.equal(proxy.hits(), 1);
      const there = commits ? 1 : 0;
      await until(`${there} rows`, async () => (await values(fixture)).length === there);
      assert.equal((await guards(fixture)).length, there);
      // CockroachDB sends it again; nothing of it is lost, or comes twice.
      const again = await (await fixture.open()).applyAtOnce(fixture.token, [row(2, 1, 2)]);
      assert.deepEqual(again, { upserts: 1 - there, deletes: 0, left: 0 });
      assert.deepEqual(await values(fixture), [['1', '2']]);
    }
  });

  test('a dead letter is not tried again over a newer change that was applied at once, and that change’s window takes it away (rules 27, 28)', async (t) => {
    const fixture = await createGuardScene(t, bench, SMALL, ['t']);
    const session = await fixture.open({ onBadRow: 'deadLetter' });
    await session.apply(fixture.token, windowOf(0, 1, [row(1, 1, 70_000)]));
    await fixture.run(bench.words.toInteger('t', 'v'), 'UPDATE {dead_letters} SET replay = (1 = 1)');
    await session.applyAtOnce(fixture.token, [row(3, 1, 3)]);
    const figures = await until('the replay', () => session.replayDeadLetters(fixture.token, at(1)));
    assert.equal(figures.upserts, 0);
    assert.deepEqual(await values(fixture), [['1', '3']]);
    await session.apply(fixture.token, windowOf(1, 3, [row(3, 1, 3)]));
    assert.deepEqual([await values(fixture), session.deadLetters()], [[['1', '3']], 0]);
  });

  test('guards that another mode has left are respected until they are passed, each timestamp by itself or not', async (t) => {
    for (const collapseMutations of [true, false]) {
      const fixture = await createGuardScene(t, bench, SMALL, ['t']);
      const before = await fixture.open();
      await before.applyAtOnce(fixture.token, [row(3, 7, 3)]);
      await before.close();
      const session = await fixture.open({ immediate: false, collapseMutations });
      await session.apply(fixture.token, windowOf(0, 1, [row(1, 7, 1)]));
      assert.deepEqual(await values(fixture), [['7', '3']]);
      await session.apply(fixture.token, windowOf(1, 3, [row(2, 7, 2), row(3, 7, 3)]));
      assert.deepEqual([await values(fixture), await guards(fixture)], [[['7', '3']], []]);
      await session.apply(fixture.token, windowOf(3, 4, [row(4, 7, 4)]));
      assert.deepEqual(await values(fixture), [['7', '4']]);
    }
  });

  test('a timestamp that comes in parts is checked part by part', async (t) => {
    const fixture = await createGuardScene(t, bench, SMALL, ['t']);
    const session = await fixture.open();
    await session.applyAtOnce(fixture.token, [row(3, 1, 3), row(5, 2, 5)]);
    const all = [row(3, 1, 33), row(3, 2, 33), row(3, 3, 33)];
    const parts = async function* () {
      for (const change of all) yield await Promise.resolve([change]);
    };
    const figures = await session.apply(fixture.token, { ...windowOf(0, 3, all.slice(0, 1)), parts });
    assert.equal(figures.upserts, 1);
    assert.deepEqual(await values(fixture), [
      ['1', '3'],
      ['2', '5'],
      ['3', '33'],
    ]);
  });
}
