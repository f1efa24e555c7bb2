import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { StartBench, TargetBench } from '../targets/bench.js';
import { at, remove, upsert } from '../targets/postgres/apply-fixture.js';
import { createLoopScene, type LoopScene } from './loop-fixture.js';

/** Far fewer than the rows of the timestamps below: they are read and written in parts. */
const LIMITS = { rows: 100, bytes: 1_000_000 };
const ROWS = 1_500;
const ids = Array.from({ length: ROWS }, (_, i) => i + 1);

const FAMILY = [
  'CREATE TABLE parent (id int PRIMARY KEY, v int)',
  'CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL, v int, FOREIGN KEY (parent_id) REFERENCES parent (id))',
];
const parent = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);
const child = (n: number, id: number, v: number) =>
  upsert(n, 1, `[${id}]`, `{"id": ${id}, "parent_id": ${id}, "v": ${v}}`);

async function applied(fixture: LoopScene, n: number): Promise<void> {
  assert.deepEqual(await fixture.start({ limits: LIMITS }).stopAt(at(n)), { ended: 'stopped', at: at(n) });
}

/** Rows of each version that whoever reads the target sees. */
const seen = (fixture: LoopScene, table: string) =>
  fixture.rows(`SELECT v, count(*) FROM ${table} GROUP BY v ORDER BY v`);

/** Timestamps that are larger than a window, on any target. */
export function largeTimestampSuite(start: StartBench): void {
  let bench: TargetBench;
  before(async () => {
    bench = await start();
  });
  after(() => bench.stop());

  test('one timestamp much larger than a window: one transaction, parents before children, deletes after and children first', async (t) => {
    const fixture = await createLoopScene(t, bench, FAMILY, ['parent', 'child']);
    await fixture.stageRows([...ids.map((id) => parent(1, id, 1)), ...ids.map((id) => child(1, id, 1))]);
    await fixture.resolve(1);
    await applied(fixture, 1);
    assert.deepEqual(await seen(fixture, 'child'), [['1', String(ROWS)]]);
    assert.deepEqual(
      [fixture.progress().windows, fixture.progress().upserts, fixture.progress().windowsInSourceOrder],
      [1, 2 * ROWS, 0],
    );
    // Odd ones go with their parents, the others change; a window of an ordinary size follows.
    const odd = ids.filter((id) => id % 2 === 1);
    const even = ids.filter((id) => id % 2 === 0);
    await fixture.stageRows([
      ...odd.flatMap((id) => [remove(2, 0, `[${id}]`), remove(2, 1, `[${id}]`)]),
      ...even.flatMap((id) => [parent(2, id, 2), child(2, id, 2)]),
      parent(3, 1, 3),
    ]);
    await fixture.resolve(3);
    await applied(fixture, 3);
    assert.deepEqual(await seen(fixture, 'child'), [['2', String(even.length)]]);
    assert.deepEqual(await seen(fixture, 'parent'), [
      ['2', String(even.length)],
      ['3', '1'],
    ]);
    assert.equal(fixture.progress().windows, 2);
    assert.equal(fixture.progress().windowsInSourceOrder, 0);
    assert.equal(fixture.progress().deletes, 2 * odd.length);
    assert.equal(await fixture.applied().then((text) => text.startsWith('1759246920563173003')), true);
  });

  test('what the constraints refuse in parts goes through as a whole: unique values rotate over all of the timestamp', async (t) => {
    const fixture = await createLoopScene(t, bench, ['CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE)'], ['t']);
    const row = (n: number, id: number, v: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${v}}`);
    await fixture.stageRows(ids.map((id) => row(1, id, id)));
    await fixture.stageRows(ids.map((id) => row(2, id, (id % ROWS) + 1)));
    await fixture.resolve(2);
    await applied(fixture, 2);
    assert.deepEqual(await fixture.rows(`SELECT count(*) FROM t WHERE v = id % ${ROWS} + 1`), [[String(ROWS)]]);
  });

  test('a foreign key that acts by a value allows no parts, and none stays behind', async (t) => {
    const ddl = [
      'CREATE TABLE parent (id int PRIMARY KEY, code int UNIQUE)',
      'CREATE TABLE child (id int PRIMARY KEY, code int, FOREIGN KEY (code) REFERENCES parent (code) ON UPDATE CASCADE ON DELETE CASCADE)',
    ];
    // The child has the lower number: no order of batches is safe.
    const fixture = await createLoopScene(t, bench, ddl, ['child', 'parent']);
    const of = (n: number, shift: number) =>
      ids.flatMap((id) => [
        upsert(n, 1, `[${id}]`, `{"id": ${id}, "code": ${id + shift}}`),
        upsert(n, 0, `[${id}]`, `{"id": ${id}, "code": ${id + shift}}`),
      ]);
    await fixture.stageRows(of(1, 0));
    await fixture.stageRows(of(2, 10_000));
    await fixture.resolve(2);
    await applied(fixture, 2);
    assert.deepEqual(await fixture.rows('SELECT count(*) FROM child WHERE code = id + 10000'), [[String(ROWS)]]);
  });

  test('a bad row in the last part: nothing of the timestamp stays, and the halt names its key', async (t) => {
    const fixture = await createLoopScene(t, bench, ['CREATE TABLE t (id int PRIMARY KEY, v smallint)'], ['t']);
    const row = (id: number) => upsert(1, 0, `[${id}]`, `{"id": ${id}, "v": ${id === 999 ? 70_000 : 1}}`);
    await fixture.stageRows(ids.map(row));
    await fixture.resolve(1);
    const end = await fixture.start({ limits: LIMITS }).ended;
    assert.ok(end.ended === 'halted' && end.error.name === 'BadRowError', end.ended);
    assert.match(end.error.message, /\.t key \[999\]/);
    assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
  });

  test('deletes of a large timestamp go children first, so that it need not be read again as a whole', async (t) => {
    const fixture = await createLoopScene(t, bench, FAMILY, ['parent', 'child']);
    await fixture.run('INSERT INTO parent VALUES (1, 1), (2, 1)', 'INSERT INTO child VALUES (1, 1, 1), (2, 2, 1)');
    const all = [remove(1, 0, '[1]'), parent(1, 2, 2), remove(1, 1, '[1]'), child(1, 2, 2)];
    const readFrom: number[] = [];
    const session = await fixture.open();
    const figures = await session.apply(fixture.token, {
      previous: at(0),
      next: at(1),
      mutations: all.slice(0, 1),
      async *parts(fromTable) {
        readFrom.push(fromTable);
        for (const one of all) if (one.table >= fromTable) yield await Promise.resolve([one]);
      },
    });
    assert.deepEqual(figures, { upserts: 2, deletes: 2, inSourceOrder: false });
    // All for the upserts, then the tables with deletes.
    assert.deepEqual(readFrom, [0, 1, 0]);
    assert.deepEqual(await fixture.rows('SELECT p.id, p.v, c.v AS of_child FROM parent p JOIN child c USING (id)'), [
      ['2', '2', '2'],
    ]);
  });
}
