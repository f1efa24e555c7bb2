import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BadRowError, TargetRefusedError } from '../../../src/targets/failures.js';
import type { ApplyMutation } from '../../../src/targets/target.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';
import { at, createApplyFixture, remove, upsert, windowOf } from './apply-fixture.js';

let mariadb: Mariadb;
before(async () => {
  mariadb = await startMariadb();
});
after(() => mariadb.stop());

const T = 'CREATE TABLE t (id int PRIMARY KEY, v varchar(9) UNIQUE)';
const row = (n: number, id: number, v: string): ApplyMutation => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": "${v}"}`);

test('changes applied at once are not applied again, nor undone, by the window that comes later (protocol rule 27)', async (t) => {
  const fixture = await createApplyFixture(t, mariadb, [T], ['t'], { immediate: true });
  const session = await fixture.open();
  assert.deepEqual(await session.applyAtOnce(fixture.token, [row(2, 1, 'new'), remove(3, 0, '[2]')]), {
    upserts: 1,
    deletes: 1,
    left: 0,
  });
  await session.apply(fixture.token, windowOf(0, 1, [row(1, 1, 'old'), row(1, 2, 'gone')]));
  assert.deepEqual(await fixture.rows('SELECT * FROM t'), [['1', 'new']]);
});

test('a timestamp too large to be held is written in parts of one transaction (protocol rule 20)', async (t) => {
  const fixture = await createApplyFixture(t, mariadb, [T], ['t']);
  const all = Array.from({ length: 30 }, (_, id) => row(1, id, `v${id}`));
  const parts = async function* (): AsyncIterable<readonly ApplyMutation[]> {
    for (let i = 0; i < all.length; i += 7) yield await Promise.resolve(all.slice(i, i + 7));
  };
  const session = await fixture.open();
  const figures = await session.apply(fixture.token, { ...windowOf(0, 1, all.slice(0, 1)), parts });
  assert.equal(figures.upserts, 30);
  assert.deepEqual(await fixture.rows('SELECT count(*) FROM t'), [['30']]);
  // Values change hands over the parts: what was written of them is undone, and all is written as a set.
  const swapped = [row(2, 40, 'late'), ...all.map((_, id) => row(2, id, `v${(id + 1) % 30}`))];
  const again = async function* (): AsyncIterable<readonly ApplyMutation[]> {
    for (let i = 0; i < swapped.length; i += 7) yield await Promise.resolve(swapped.slice(i, i + 7));
  };
  await session.apply(fixture.token, { ...windowOf(1, 2, swapped.slice(0, 1)), parts: again });
  assert.deepEqual(await fixture.rows('SELECT id, v FROM t WHERE id IN (0, 29, 40) ORDER BY id'), [
    ['0', 'v1'],
    ['29', 'v0'],
    ['40', 'late'],
  ]);
});

test('a dead letter is tried again when somebody has mended the table', async (t) => {
  const fixture = await createApplyFixture(t, mariadb, [T], ['t'], { onBadRow: 'deadLetter' });
  const session = await fixture.open();
  await session.apply(fixture.token, windowOf(0, 1, [row(1, 1, 'x'.repeat(12)), row(1, 2, 'ok')]));
  assert.equal(session.deadLetters(), 1);
  await fixture.admin.query('ALTER TABLE t MODIFY v varchar(20)');
  await fixture.admin.query('UPDATE failback_dead_letters SET replay = 1');
  const replaying = await fixture.open({ onBadRow: 'deadLetter' });
  assert.deepEqual(await replaying.replayDeadLetters(fixture.token, at(1)), {
    upserts: 1,
    deletes: 0,
    inSourceOrder: false,
  });
  assert.deepEqual(await fixture.rows('SELECT id FROM t ORDER BY id'), [['1'], ['2']]);
  assert.deepEqual(await fixture.rows('SELECT count(*) FROM failback_dead_letters'), [['0']]);
});

test('a foreign key by another value than the primary key: the value may pass to another row, and may not vanish', async (t) => {
  const fixture = await createApplyFixture(
    t,
    mariadb,
    [
      'CREATE TABLE p (id int PRIMARY KEY, code varchar(9) UNIQUE)',
      'CREATE TABLE c (id int PRIMARY KEY, code varchar(9), FOREIGN KEY (code) REFERENCES p (code))',
    ],
    ['p', 'c'],
  );
  const p = (n: number, id: number, code: string): ApplyMutation =>
    upsert(n, 0, `[${id}]`, `{"code": "${code}", "id": ${id}}`);
  const c = (n: number, id: number, code: string): ApplyMutation =>
    upsert(n, 1, `[${id}]`, `{"code": "${code}", "id": ${id}}`);
  await fixture.apply(1, [p(1, 1, 'a'), p(1, 2, 'b'), c(1, 1, 'a'), c(1, 2, 'b')]);
  await fixture.apply(2, [p(2, 1, 'b'), p(2, 2, 'a')]);
  assert.deepEqual(await fixture.rows('SELECT id, code FROM p ORDER BY id'), [
    ['1', 'b'],
    ['2', 'a'],
  ]);
  await assert.rejects(
    fixture.apply(3, [p(3, 1, 'z')]),
    (error) => error instanceof BadRowError && error.code === '1451' && error.key === '[1]',
  );
  await fixture.apply(3, [p(3, 1, 'z'), c(3, 2, 'z')]);
  assert.deepEqual(await fixture.rows('SELECT id, code FROM c ORDER BY id'), [
    ['1', 'a'],
    ['2', 'z'],
  ]);
});

const CHAIN =
  'CREATE TABLE n (id int PRIMARY KEY, code varchar(9) UNIQUE, up varchar(9), FOREIGN KEY (up) REFERENCES n (code) ON DELETE CASCADE)';
const link = (n: number, id: number, code: string, up: string | null): ApplyMutation =>
  upsert(n, 0, `[${id}]`, `{"code": "${code}", "id": ${id}, "up": ${JSON.stringify(up)}}`);

for (const enforcementOff of [false, true]) {
  test(`a foreign key that acts by value on its own table, enforcement ${enforcementOff ? 'off' : 'on'}: what the stream says stays`, async (t) => {
    const fixture = await createApplyFixture(t, mariadb, [CHAIN], ['n'], { enforcementOff });
    await fixture.apply(1, [link(1, 1, 'a', null), link(1, 2, 'b', 'a'), link(1, 3, 'c', 'b')]);
    // The value passes to a new row, and the rows that reference it stay.
    await fixture.apply(2, [remove(2, 0, '[1]'), link(2, 4, 'a', 'c')]);
    assert.deepEqual(await fixture.rows('SELECT * FROM n ORDER BY id'), [
      ['2', 'b', 'a'],
      ['3', 'c', 'b'],
      ['4', 'a', 'c'],
    ]);
    await fixture.apply(
      3,
      [2, 3, 4].map((id) => remove(3, 0, `[${id}]`)),
    );
    assert.deepEqual(await fixture.rows('SELECT * FROM n'), []);
  });
}

test('a foreign key that acts by value on a table that is written before its own: what the stream says stays', async (t) => {
  const ddl = [
    'CREATE TABLE p (id int PRIMARY KEY, code varchar(9) UNIQUE)',
    'CREATE TABLE c (id int PRIMARY KEY, code varchar(9), FOREIGN KEY (code) REFERENCES p (code) ON UPDATE CASCADE)',
  ];
  const fixture = await createApplyFixture(t, mariadb, ddl, ['c', 'p']);
  const [c, p] = [coded(0), coded(1)];
  await fixture.apply(1, [p(1, 1, 'a'), c(1, 1, 'a')]);
  // The source has carried the child along, and taken it back to the value, which has passed on.
  await fixture.apply(2, [p(2, 1, 'z'), p(2, 2, 'a'), c(2, 1, 'a')]);
  assert.deepEqual(await fixture.rows('SELECT code FROM c'), [['a']]);
});

function coded(table: number): (n: number, id: number, code: string) => ApplyMutation {
  return (n, id, code) => upsert(n, table, `[${id}]`, `{"code": "${code}", "id": ${id}}`);
}

test('where another one acts on a table outside the stream, no way is tried and the message says what to do', async (t) => {
  const outside = 'CREATE TABLE outside (code varchar(9), FOREIGN KEY (code) REFERENCES n (code) ON DELETE CASCADE)';
  const fixture = await createApplyFixture(t, mariadb, [CHAIN, outside], ['n']);
  await assert.rejects(
    fixture.apply(1, [link(1, 1, 'a', null)]),
    (error) => error instanceof TargetRefusedError && /into the stream, or switch enforcement off/.test(error.message),
  );
});
