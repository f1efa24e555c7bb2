import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BadRowError, FenceLostError, TargetUnavailableError } from '../../../src/targets/failures.js';
import { startH2, type H2 } from '../../support/h2.js';
import { at, remove, upsert, windowOf } from '../postgres/apply-fixture.js';
import { createSessionFixture } from './session-fixture.js';

const ITEMS = `CREATE TABLE "ITEMS" ("ID" NUMBER(10) PRIMARY KEY, "NAME" VARCHAR2(5))`;
const item = (n: number, id: number, name: string) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "name": "${name}"}`);

describe('the apply session on Oracle (statements run by H2 in its Oracle mode)', () => {
  let h2: H2;
  before(async () => {
    h2 = await startH2();
  });
  after(() => h2.stop());

  test('windows advance the checkpoint together with their rows', async (t) => {
    const { open, rows, store, stream } = await createSessionFixture(t, h2, ITEMS, ['ITEMS']);
    const session = await open();
    const taken = await session.takeToken('one');
    assert.equal(taken?.applied, at(0));
    const figures = await session.apply('one', windowOf(0, 3, [item(1, 1, 'a'), item(2, 1, 'b'), item(3, 2, 'c')]));
    assert.deepEqual(figures, { upserts: 2, deletes: 0, inSourceOrder: false });
    await session.apply('one', windowOf(3, 5, []));
    await session.apply('one', windowOf(5, 6, [remove(6, 0, '[2]')]));
    assert.deepEqual(await rows('SELECT * FROM "ITEMS"'), [['1', 'b']]);
    assert.equal((await store.read(stream))?.applied, at(6));
  });

  test('who has lost the token writes no row', async (t) => {
    const { open, rows, store, stream } = await createSessionFixture(t, h2, ITEMS, ['ITEMS']);
    const first = await open();
    await first.takeToken('one');
    const second = await open();
    await second.takeToken('two');
    await assert.rejects(first.apply('one', windowOf(0, 1, [item(1, 1, 'a')])), FenceLostError);
    await second.apply('two', windowOf(0, 2, [item(2, 2, 'b')]));
    assert.deepEqual(await rows('SELECT * FROM "ITEMS"'), [['2', 'b']]);
    assert.equal((await store.read(stream))?.applied, at(2));
  });

  test('a bad row halts the window as a whole', async (t) => {
    const { open, rows, store, stream } = await createSessionFixture(t, h2, ITEMS, ['ITEMS']);
    const session = await open();
    await session.takeToken('one');
    await assert.rejects(
      session.apply('one', windowOf(0, 2, [item(1, 1, 'a'), item(2, 2, 'too long')])),
      (error: unknown) => error instanceof BadRowError && error.key === '[2]' && error.column === 'NAME',
    );
    assert.deepEqual(await rows('SELECT COUNT(*) FROM "ITEMS"'), [['0']]);
    assert.equal((await store.read(stream))?.applied, at(0));
  });

  test('a bad row is put aside, and taken when it is tried again after the mend', async (t) => {
    const { open, rows, store, stream, admin } = await createSessionFixture(t, h2, ITEMS, ['ITEMS']);
    const session = await open({ onBadRow: 'deadLetter' });
    await session.takeToken('one');
    await session.apply('one', windowOf(0, 2, [item(1, 1, 'a'), item(2, 2, 'too long')]));
    assert.equal(session.deadLetters(), 1);
    assert.deepEqual(await rows('SELECT "ID" FROM "ITEMS"'), [['1']]);
    await admin.script('ALTER TABLE "ITEMS" ALTER COLUMN "NAME" VARCHAR2(20)');
    await store.askReplay(stream);
    const again = await open({ onBadRow: 'deadLetter' });
    await again.takeToken('two');
    const figures = await again.replayDeadLetters('two', at(2));
    assert.equal(figures?.upserts, 1);
    assert.equal(again.deadLetters(), 0);
    assert.deepEqual(await rows('SELECT * FROM "ITEMS" ORDER BY "ID"'), [
      ['1', 'a'],
      ['2', 'too long'],
    ]);
  });

  test('at once, with a guard until the window comes', async (t) => {
    const { open, rows, store, stream } = await createSessionFixture(t, h2, ITEMS, ['ITEMS']);
    const session = await open({ immediate: true });
    await session.takeToken('one');
    const done = await session.applyAtOnce('one', [item(3, 1, 'new')]);
    assert.deepEqual(done, { upserts: 1, deletes: 0, left: 0 });
    await session.apply('one', windowOf(0, 2, [item(2, 1, 'old'), item(2, 2, 'b')]));
    assert.deepEqual(await rows('SELECT * FROM "ITEMS" ORDER BY "ID"'), [
      ['1', 'new'],
      ['2', 'b'],
    ]);
    await session.apply('one', windowOf(2, 3, [item(3, 1, 'new')]));
    assert.equal((await store.read(stream))?.applied, at(3));
  });

  test('a row that somebody else holds is worth another attempt, and the session goes on', async (t) => {
    const { open, rows, admin } = await createSessionFixture(t, h2, ITEMS, ['ITEMS']);
    const session = await open();
    await session.takeToken('one');
    await session.apply('one', windowOf(0, 1, [item(1, 1, 'a')]));
    await admin.execute(`UPDATE "ITEMS" SET "NAME" = 'x'`);
    await assert.rejects(
      session.apply('one', windowOf(1, 2, [item(2, 1, 'b')])),
      (error: unknown) => error instanceof TargetUnavailableError && error.code === 'ORA-30006',
    );
    await admin.rollback();
    await session.apply('one', windowOf(1, 2, [item(2, 1, 'b')]));
    assert.deepEqual(await rows('SELECT * FROM "ITEMS"'), [['1', 'b']]);
  });

  test('a timestamp in parts is one transaction', async (t) => {
    const { open, rows } = await createSessionFixture(t, h2, ITEMS, ['ITEMS']);
    const session = await open({ flushSize: 2 });
    await session.takeToken('one');
    const all = [1, 2, 3, 4, 5].map((id) => item(1, id, 'x'));
    const figures = await session.apply('one', {
      ...windowOf(0, 1, all.slice(0, 2)),
      async *parts() {
        yield await Promise.resolve(all.slice(0, 3));
        yield all.slice(3);
      },
    });
    assert.equal(figures.upserts, 5);
    assert.deepEqual(await rows('SELECT COUNT(*) FROM "ITEMS"'), [['5']]);
  });
});
