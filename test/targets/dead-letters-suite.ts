import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { TargetUnavailableError } from '../../src/targets/failures.js';
import type { AppliedFigures, ApplySession } from '../../src/targets/target.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { until } from '../support/until.js';
import type { Scene, StartBench, TargetBench } from './bench.js';
import { at, remove, upsert, windowOf } from './postgres/apply-fixture.js';

const SMALL = ['CREATE TABLE t (id int PRIMARY KEY, v smallint)'];
const row = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);
const TOO_MUCH = 70_000;
const FAMILY = [
  'CREATE TABLE parent (id int PRIMARY KEY, v smallint)',
  'CREATE TABLE child (id int PRIMARY KEY, parent int NOT NULL, FOREIGN KEY (parent) REFERENCES parent (id))',
];
const parent = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);
const child = (n: number, id: number, of: number) => upsert(n, 1, `[${id}]`, `{"id": ${id}, "parent": ${of}}`);

async function createDeadScene(
  t: TestContext,
  bench: TargetBench,
  ddl: readonly string[],
  tables: readonly string[],
): Promise<Scene> {
  const scene = await bench.scene(t, ddl, tables);
  return { ...scene, open: (over) => scene.open({ onBadRow: 'deadLetter', ...over }) };
}

/** Table, key, row, place, and what the target objects to. */
const letters = (fixture: Scene, { words: { letterKey, letterCode } }: TargetBench) =>
  fixture.rows(
    `SELECT source_table, ${letterKey}, row_json, column_name, ${letterCode} FROM {dead_letters} ORDER BY hlc, source_table, ${letterKey}`,
  );
const keysOf = async (
  fixture: Scene,
  { words: { letterKey } }: TargetBench,
): Promise<readonly (string | null | undefined)[]> =>
  (
    await fixture.rows(`SELECT concat(source_table, ' ', ${letterKey}) FROM {dead_letters} ORDER BY hlc, ${letterKey}`)
  ).map(([key]) => key);
const ask = (fixture: Scene) => fixture.run('UPDATE {dead_letters} SET replay = (1 = 1)');

/** As the apply loop asks, until there was something to try. */
async function replayed(fixture: Scene, session: ApplySession, n: number): Promise<AppliedFigures> {
  const outcome = await until('the replay', async () => {
    try {
      return await session.replayDeadLetters(fixture.token, at(n));
    } catch (error) {
      return error as Error;
    }
  });
  if (outcome instanceof Error) throw outcome;
  return outcome;
}

/** Changes that the target never takes, on any target (protocol rule 28). */
export function deadLettersSuite(start: StartBench): void {
  let bench: TargetBench;
  before(async () => {
    bench = await start();
  });
  after(() => bench.stop());

  test('a later change of the key supersedes the letter in its own transaction: an upsert, a delete, a refusal (protocol rule 28)', async (t) => {
    const fixture = await createDeadScene(t, bench, SMALL, ['t']);
    const session = await fixture.open();
    const bad = [1, 2, 3, 4].map((id) => row(1, id, TOO_MUCH + id));
    await session.apply(fixture.token, windowOf(0, 1, bad));
    assert.equal(session.deadLetters(), 4);
    // Another session, as after a restart: it finds them.
    const next = await fixture.open();
    await next.apply(fixture.token, windowOf(1, 2, [row(2, 1, 1), remove(2, 0, '[2]'), row(2, 3, TOO_MUCH)]));
    assert.deepEqual(
      (await letters(fixture, bench)).map(([, key, after]) => [key, after]),
      [
        ['[4]', '{"id": 4, "v": 70004}'],
        ['[3]', '{"id": 3, "v": 70000}'],
      ],
    );
    assert.equal(next.deadLetters(), 2);
    // It is superseded whatever the setting: a new start of the run may have another.
    const halting = await fixture.open({ onBadRow: 'halt' });
    await halting.apply(fixture.token, windowOf(2, 3, [row(3, 3, 3), row(3, 4, 4)]));
    assert.deepEqual(await letters(fixture, bench), []);
    assert.equal(halting.deadLetters(), 0);
    assert.deepEqual(await fixture.rows('SELECT id FROM t ORDER BY id'), [['1'], ['3'], ['4']]);
  });

  for (const collapseMutations of [true, false]) {
    test(`a letter is superseded within its own window, collapsed ${collapseMutations}`, async (t) => {
      const fixture = await createDeadScene(t, bench, SMALL, ['t']);
      const session = await fixture.open({ collapseMutations });
      const changes = [
        row(1, 1, TOO_MUCH),
        row(1, 2, TOO_MUCH),
        row(1, 3, TOO_MUCH),
        row(1, 4, 4),
        row(2, 1, 1),
        remove(2, 0, '[2]'),
        row(3, 3, TOO_MUCH + 1),
        row(3, 4, TOO_MUCH),
      ];
      await session.apply(fixture.token, windowOf(0, 3, changes));
      assert.deepEqual(
        (await letters(fixture, bench)).map(([, key, after]) => [key, after]),
        [
          ['[3]', '{"id": 3, "v": 70001}'],
          ['[4]', '{"id": 4, "v": 70000}'],
        ],
      );
      assert.equal(session.deadLetters(), 2);
      assert.deepEqual(await fixture.rows('SELECT id, v FROM t WHERE id < 4'), [['1', '1']]);
    });
  }

  test('rows, letters and checkpoint are one transaction: cut before its COMMIT, none of them is there (protocol rule 28)', async (t) => {
    const fixture = await createDeadScene(t, bench, SMALL, ['t']);
    const first = await fixture.open();
    await first.apply(fixture.token, windowOf(0, 1, [row(1, 1, TOO_MUCH)]));
    const proxy = await startByteProxy(t, bench.port);
    const session = await fixture.open(fixture.through(proxy.port));
    const window = windowOf(1, 2, [row(2, 1, 1), row(2, 2, TOO_MUCH), row(2, 3, 3)]);
    proxy.arm('to-server', bench.words.commit, 'cut-before');
    await assert.rejects(session.apply(fixture.token, window), (error: unknown) => {
      assert.ok(error instanceof TargetUnavailableError && error.commitUnknown);
      return true;
    });
    const next = await fixture.open();
    assert.equal((await next.readLocked())?.applied, at(1));
    assert.deepEqual(await keysOf(fixture, bench), ['public.t [1]']);
    assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
    await next.apply(fixture.token, window);
    assert.deepEqual(await keysOf(fixture, bench), ['public.t [2]']);
    assert.deepEqual(await fixture.rows('SELECT id FROM t ORDER BY id'), [['1'], ['3']]);
  });

  test('who has lost the token writes no letter and replays none (protocol rule C)', async (t) => {
    const fixture = await createDeadScene(t, bench, SMALL, ['t']);
    const old = await fixture.open();
    await old.apply(fixture.token, windowOf(0, 1, [row(1, 1, TOO_MUCH)]));
    await (await fixture.open()).takeToken('young');
    await fixture.run(bench.words.toInteger('t', 'v'));
    await ask(fixture);
    await assert.rejects(old.apply(fixture.token, windowOf(1, 2, [row(2, 2, 2)])), { name: 'FenceLostError' });
    await assert.rejects(replayed(fixture, old, 1), { name: 'FenceLostError' });
    assert.deepEqual(await keysOf(fixture, bench), ['public.t [1]']);
    assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
  });

  test('a child of a parent that is put aside goes there too, in the same window and later; a replay takes both', async (t) => {
    const fixture = await createDeadScene(t, bench, FAMILY, ['parent', 'child']);
    const session = await fixture.open();
    const both = [parent(1, 1, TOO_MUCH), child(1, 10, 1), parent(1, 2, 2), child(1, 20, 2)];
    await session.apply(fixture.token, windowOf(0, 1, both));
    await session.apply(fixture.token, windowOf(1, 2, [child(2, 11, 1), child(2, 21, 2)]));
    assert.deepEqual(
      (await letters(fixture, bench)).map(([table, key, , , code]) => [table, key, code]),
      [
        ['public.child', '[10]', bench.words.noParent],
        ['public.parent', '[1]', bench.words.outOfRange],
        ['public.child', '[11]', bench.words.noParent],
      ],
    );
    assert.deepEqual(await fixture.rows('SELECT id FROM child ORDER BY id'), [['20'], ['21']]);
    await fixture.run(bench.words.toInteger('parent', 'v'));
    await ask(fixture);
    const figures = await replayed(fixture, session, 2);
    assert.equal(figures.upserts, 3);
    assert.deepEqual(await letters(fixture, bench), []);
    assert.deepEqual(await fixture.rows('SELECT id FROM child ORDER BY id'), [['10'], ['11'], ['20'], ['21']]);
  });

  test('a replay takes letters that wait for later ones, in more than one turn', async (t) => {
    const ddl = ['CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, v smallint)', 'INSERT INTO t VALUES (1, 1, 1)'];
    const fixture = await createDeadScene(t, bench, ddl, ['t']);
    const session = await fixture.open();
    const full = (n: number, id: number, u: number, v: number) =>
      upsert(n, 0, `[${id}]`, `{"id": ${id}, "u": ${u}, "v": ${v}}`);
    // Row 1 gives its value away and is refused, so that row 2 cannot have it; row 1 changes again later, and is refused again.
    await session.apply(fixture.token, windowOf(0, 2, [full(1, 1, 5, TOO_MUCH), full(2, 2, 1, 2)]));
    await session.apply(fixture.token, windowOf(2, 3, [full(3, 1, 6, TOO_MUCH)]));
    assert.deepEqual(await keysOf(fixture, bench), ['public.t [2]', 'public.t [1]']);
    await fixture.run(bench.words.toInteger('t', 'v'));
    await ask(fixture);
    await until('both are taken', async () => {
      await session.replayDeadLetters(fixture.token, at(3));
      return session.deadLetters() === 0;
    });
    assert.deepEqual(await fixture.rows('SELECT id, u FROM t ORDER BY id'), [
      ['1', '6'],
      ['2', '1'],
    ]);
  });

  test('what the target takes since it was mended is not put aside', async (t) => {
    const fixture = await createDeadScene(t, bench, SMALL, ['t']);
    const session = await fixture.open();
    await session.apply(fixture.token, windowOf(0, 1, [row(1, 1, TOO_MUCH)]));
    await fixture.run(bench.words.toInteger('t', 'v'));
    await session.apply(fixture.token, windowOf(1, 2, [row(2, 2, TOO_MUCH)]));
    assert.deepEqual(await keysOf(fixture, bench), ['public.t [1]']);
    assert.deepEqual(await fixture.rows('SELECT v FROM t'), [['70000']]);
  });

  test('a letter that is superseded after somebody asked is not replayed', async (t) => {
    const fixture = await createDeadScene(t, bench, SMALL, ['t']);
    const session = await fixture.open();
    await session.apply(fixture.token, windowOf(0, 1, [row(1, 1, TOO_MUCH), row(1, 2, TOO_MUCH)]));
    await fixture.run(bench.words.toInteger('t', 'v'));
    await ask(fixture);
    await session.apply(fixture.token, windowOf(1, 2, [row(2, 1, 1), remove(2, 0, '[2]')]));
    assert.equal(session.deadLetters(), 0);
    assert.equal(await session.replayDeadLetters(fixture.token, at(2)), null);
    assert.deepEqual(await fixture.rows('SELECT id, v FROM t'), [['1', '1']]);
  });
}
