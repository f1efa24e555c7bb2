import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createStageRoom } from '../../src/activities/stage-room.js';
import type { Hlc } from '../../src/domain/hlc.js';
import { answerTo } from '../../src/receiver/answers.js';
import { createIntake } from '../../src/receiver/intake.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import { budgetOf } from '../../src/staging/room.js';
import { NoRoomError } from '../../src/staging/stage.js';
import { at } from '../staging/mutations.js';
import { planOf } from '../targets/postgres/apply-fixture.js';
import { until } from '../support/until.js';

const BUDGET = budgetOf(4 * 2 ** 20);
const PAD = 'x'.repeat(1_000);

/** A receiver's intake over a real stage with a small budget; `C` is what the test says. */
async function openScene(t: TestContext) {
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-room-'));
  const stage = openLmdbStage({ stageDir, stream: 's' });
  t.after(async () => {
    await stage.close();
    rmSync(stageDir, { recursive: true });
  });
  await stage.bind(1, at(1), 'plan');
  let committed: Hlc = at(1);
  const told: (string | null)[] = [];
  const room = createStageRoom(
    stage,
    BUDGET,
    () => committed,
    (cause) => told.push(cause),
  );
  const intake = createIntake({
    stream: 's',
    plan: planOf(['t']),
    stage,
    committed: () => committed,
    mayGrow: () => room.mayGrow(),
  });
  return {
    stage,
    room,
    told,
    commit: (to: Hlc) => void (committed = to),
    /** A body with rows of a second, or with a resolved timestamp, or with both. */
    send: (rows: readonly number[], second: number, resolved: number | null = null) => {
      const payload = rows.map(
        (id) =>
          `{"after":{"id":${id},"v":"${PAD}"},"key":[${id}],"topic":"t","updated":"${second}000000000.0000000000"}`,
      );
      const end = resolved === null ? '' : `,"resolved":"${resolved}000000000.0000000000"`;
      return intake.receive(1, Buffer.from(`{"payload":[${payload.join()}]${end}}`));
    },
    used: () => stage.figures().usedBytes,
  };
}

const hundred = (from: number) => Array.from({ length: 100 }, (_, i) => from + i);

test('at the budget, with something to apply: new rows get 503, all else is taken; once it is applied there is room (protocol rule 12)', async (t) => {
  const scene = await openScene(t);
  await scene.send([1], 2, 3);
  let sent = 0;
  for (; scene.used() < BUDGET.budgetBytes; sent += 100) await scene.send(hundred(sent), 10);
  await assert.rejects(scene.send(hundred(sent), 10), NoRoomError);
  const { entries } = scene.stage.figures();
  assert.equal(entries, sent + 1, 'nothing of it was taken');
  // Not refused: rows that are staged, rows that are applied, resolved timestamps alone.
  await scene.send(hundred(0), 10);
  await scene.send([7], 1);
  await scene.send([], 0, 9);
  assert.equal(scene.stage.binding()?.resolved, at(9));
  // One new row among the staged ones is one too many, and neither is the rest of the body changed by it.
  await assert.rejects(scene.send([...hundred(0), 1_000_000], 10), NoRoomError);
  assert.equal(scene.stage.figures().entries, entries);
  assert.deepEqual(scene.told, [], 'it mends itself: no incident');

  await scene.send([], 0, 10);
  scene.commit(at(10));
  await scene.stage.purge(at(10));
  await scene.send(hundred(sent), 11);
  assert.equal(scene.stage.figures().entries, 100);
});

test('at the budget, with nothing to apply: it is overrun to the reserve, with an incident that ends by itself (protocol rule 12)', async (t) => {
  const scene = await openScene(t);
  let sent = 0;
  for (; scene.used() < BUDGET.budgetBytes + BUDGET.reserveBytes; sent += 100) await scene.send(hundred(sent), 10);
  assert.equal(scene.told.length, 1);
  assert.match(scene.told[0] ?? '', /^the stage uses 5 MiB of its budget of 4 MiB, .* rows are taken up to 6 MiB$/);
  await assert.rejects(scene.send(hundred(sent), 10), NoRoomError);
  assert.match(scene.told[1] ?? '', /no row is taken beyond 6 MiB$/);
  scene.room.tick();
  assert.equal(scene.told.length, 2);

  // The source resolves it after all: the resolved timestamp is taken, it is applied, and there is room.
  await scene.send([], 0, 10);
  scene.room.tick();
  assert.equal(scene.told.length, 2, 'not before there is room');
  scene.commit(at(10));
  await scene.stage.purge(at(10));
  scene.room.tick();
  assert.deepEqual(scene.told.slice(2), [null]);
  await scene.send(hundred(sent), 11);
  scene.room.tick();
  assert.equal(scene.told.length, 3);
});

test('what is kept for a target that is set back goes first (protocol rule 16)', async (t) => {
  const scene = await openScene(t);
  let sent = 0;
  for (; scene.used() < BUDGET.budgetBytes; sent += 100) await scene.send(hundred(sent), 10, 10);
  scene.commit(at(10));
  await assert.rejects(scene.send([1], 11), NoRoomError);
  await until('it is purged', () => scene.stage.figures().entries === 0);
  await scene.send([1], 11);
  assert.equal(scene.stage.binding()?.floor, at(10));
  assert.deepEqual(scene.told, []);
});

test('the answer is 503, short, and says when', () => {
  const { status, text } = answerTo(new NoRoomError());
  assert.equal(status, 503);
  assert.match(text, /^no room: the stage is at its budget/);
});
