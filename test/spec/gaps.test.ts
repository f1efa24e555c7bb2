import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createOwners } from '../../src/activities/owners.js';
import { HLC_ZERO, hlcOf } from '../../src/domain/hlc.js';
import { createIntake } from '../../src/receiver/intake.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import type { Stage } from '../../src/staging/stage.js';
import { planOf } from '../targets/postgres/apply-fixture.js';

// Rules that no other test guards.

function openStage(t: TestContext): Stage {
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-gap-'));
  const stage = openLmdbStage({ stageDir, stream: 's' });
  t.after(async () => {
    await stage.close();
    rmSync(stageDir, { recursive: true });
  });
  return stage;
}

test('a resolved timestamp never passes rows that the stage refused (protocol rule B)', async (t) => {
  const stage = openStage(t);
  await stage.bind(1, hlcOf(5n), 'plan');
  let full = true;
  const intake = createIntake({
    stream: 's',
    plan: planOf(['t']),
    committed: () => HLC_ZERO,
    // Room runs out between the rows and the resolved timestamp.
    stage: {
      ...stage,
      accept: (...body) => (full ? Promise.reject(new Error('no room')) : stage.accept(...body)),
    },
  });
  const body = Buffer.from(
    '{"payload":[{"after":{"id":1},"key":[1],"topic":"t","updated":"7.0000000000"}],"resolved":"9.0000000000"}',
  );
  await assert.rejects(intake.receive(1, body), /no room/);
  assert.equal(stage.binding()?.resolved, hlcOf(5n));
  full = false;
  await intake.receive(1, body);
  assert.equal(stage.binding()?.resolved, hlcOf(9n));
  assert.equal(stage.figures().entries, 1);
});

test('a resolved timestamp that comes late takes nothing back (protocol rule B)', async (t) => {
  const stage = openStage(t);
  await stage.bind(1, hlcOf(5n), 'plan');
  for (const resolved of [20n, 10n]) {
    await stage.resolve(1, hlcOf(resolved));
    assert.equal(stage.binding()?.resolved, hlcOf(20n));
  }
});

test('a second attempt in one process aborts the first and waits until it has let go (protocol rule 38)', async () => {
  const owners = createOwners();
  const first = await owners.take('s');
  assert.equal((await owners.take('another')).signal.aborted, false);
  let taken = false;
  const taking = owners.take('s').then((ownership) => {
    taken = true;
    return ownership;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(first.signal.aborted, true);
  assert.equal(taken, false);
  first.letGo();
  const second = await taking;
  assert.equal(second.signal.aborted, false);
  // The first is long gone: what it says late takes nothing from the second.
  first.letGo();
  const third = owners.take('s');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(second.signal.aborted, true);
  second.letGo();
  assert.equal((await third).signal.aborted, false);
});
