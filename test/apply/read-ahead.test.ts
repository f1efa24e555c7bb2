import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { createReadAhead } from '../../src/apply/read-ahead.js';
import { HLC_ZERO } from '../../src/domain/hlc.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import type { Stage, StagedSpan } from '../../src/staging/stage.js';
import { at, EVERYTHING, shown, upsert } from '../staging/mutations.js';

let stageDir: string;
let stage: Stage;

beforeEach(async () => {
  stageDir = mkdtempSync(path.join(tmpdir(), 'failback-ahead-'));
  stage = openLmdbStage({ stageDir, stream: 's' });
  await stage.bind(1, at(0), 'plan');
});

afterEach(async () => {
  await stage.close();
  rmSync(stageDir, { recursive: true, force: true });
});

/** Rows at the seconds `from` to `to`, `each` of them at every second. */
async function stageRows(from: number, to: number, each = 1): Promise<void> {
  const rows = Array.from({ length: (to - from + 1) * each }, (_, i) =>
    upsert(at(from + Math.floor(i / each)), `[${i}]`),
  );
  await stage.accept(1, rows, HLC_ZERO);
}

const keys = ({ mutations }: StagedSpan): string[] => mutations.map(shown);

test('what is read ahead is what one read gives, whatever the limits; a timestamp is never split', async () => {
  await stageRows(1, 5, 1_300);
  for (const limits of [
    EVERYTHING,
    { rows: 700, bytes: 1e9 },
    { rows: 2_000, bytes: 1e9 },
    { rows: 1e6, bytes: 50_000 },
  ]) {
    const ahead = createReadAhead(stage, limits);
    const wanted = await stage.read(at(0), at(5), limits);
    ahead.begin(at(0), at(5));
    const found = await ahead.take(at(0), at(5));
    assert.equal(found.end, wanted.end);
    assert.deepEqual(keys(found), keys(wanted));
    assert.equal(found.mutations.length % 1_300, 0);
  }
});

test('a stop that was set meanwhile is not passed', async () => {
  await stageRows(1, 9);
  const ahead = createReadAhead(stage, EVERYTHING);
  ahead.begin(at(0), at(9));
  const found = await ahead.take(at(0), at(4));
  assert.equal(found.end, at(4));
  assert.equal(found.mutations.length, 4);
});

test('what has come since is in it, a late row too', async () => {
  await stageRows(1, 3);
  await stage.resolve(1, at(5));
  const ahead = createReadAhead(stage, EVERYTHING);
  ahead.begin(at(0), at(5));
  assert.equal((await stage.accept(1, [upsert(at(2), '["late"]')], HLC_ZERO)).late, 1);
  await stageRows(6, 7);
  const found = await ahead.take(at(0), at(7));
  assert.equal(found.end, at(7));
  assert.equal(found.mutations.length, 6);
  assert.ok(keys(found).includes('2:0:["late"]={"id":1,"v":"x"}'));
});

test('what was read from elsewhere is read again, and a reading under way can be ended', async () => {
  await stageRows(1, 4_000);
  const ahead = createReadAhead(stage, EVERYTHING);
  ahead.begin(at(3), at(4_000));
  assert.equal((await ahead.take(at(1), at(4_000))).mutations.length, 3_999);
  ahead.begin(at(0), at(4_000));
  await ahead.end();
  assert.ok((await ahead.take(at(0), at(4_000))).mutations.length < 4_000, 'it read no further');
});

const timestamp = (second: number, from: number, count: number) =>
  stage.accept(
    1,
    Array.from({ length: count }, (_, i) => upsert(at(second), `[${from + i}]`)),
    HLC_ZERO,
  );

test('a timestamp much larger than the limits is not finished: what is before it comes first, then it is read in parts', async () => {
  const limits = { rows: 500, bytes: 1e9 };
  await timestamp(1, 0, 3);
  await timestamp(2, 0, 5_000);
  await timestamp(3, 0, 1);
  const ahead = createReadAhead(stage, limits);
  ahead.begin(at(0), at(9));
  const before = await ahead.take(at(0), at(9));
  assert.deepEqual([before.mutations.length, before.end, before.cut], [3, at(1), false]);
  const large = await ahead.take(at(1), at(9));
  assert.deepEqual([large.end, large.cut], [at(2), true]);
  assert.ok(large.mutations.length < 2_000, `${large.mutations.length} are held`);
  const parts: string[][] = [];
  for await (const part of ahead.parts(at(2), 0)) parts.push(part.map(shown));
  assert.ok(
    parts.every((part) => part.length <= 500),
    'no part is larger than the limits',
  );
  const whole = await stage.read(at(1), at(2), EVERYTHING);
  assert.deepEqual(parts.flat(), keys(whole));
  const rest = await ahead.take(at(2), at(9));
  assert.deepEqual([rest.mutations.length, rest.end, rest.cut], [1, at(9), false]);
});

test('by bytes, too', async () => {
  await timestamp(1, 0, 100);
  const ahead = createReadAhead(stage, { rows: 1e6, bytes: 160 });
  assert.equal((await ahead.take(at(0), at(1))).cut, true);
  for await (const part of ahead.parts(at(1), 0)) assert.ok(part.length <= 11, `${part.length} rows of 16 bytes`);
});

test('parts begin at a table', async () => {
  const rows = [0, 1, 2].flatMap((table) =>
    ['[1]', '[2]', '[3]'].map((key) => upsert(at(1), key, '{}', ['id'], table)),
  );
  await stage.accept(1, rows, HLC_ZERO);
  const found: number[] = [];
  for await (const part of createReadAhead(stage, { rows: 2, bytes: 1e9 }).parts(at(1), 1))
    found.push(...part.map(({ table }) => table));
  assert.deepEqual(found, [1, 1, 1, 2, 2, 2]);
});

test('scanSize: so many rows are read from the stage at once', async () => {
  await stageRows(1, 100);
  const sizes: number[] = [];
  const counted: Stage = {
    ...stage,
    async read(...wish) {
      const span = await stage.read(...wish);
      sizes.push(span.mutations.length);
      return span;
    },
  };
  const ahead = createReadAhead(counted, EVERYTHING, { scanSize: 30 });
  assert.equal((await ahead.take(at(0), at(100))).mutations.length, 100);
  assert.deepEqual(sizes, [30, 30, 30, 10]);
});

test('targetApplyQueueSize: no more rows wait while a window is written, and the window is filled when it is taken', async () => {
  await stageRows(1, 100);
  let rows = 0;
  const counted: Stage = {
    ...stage,
    async read(...wish) {
      const span = await stage.read(...wish);
      rows += span.mutations.length;
      return span;
    },
  };
  const ahead = createReadAhead(counted, { rows: 80, bytes: 1e9 }, { scanSize: 10, queueSize: 20 });
  ahead.begin(at(0), at(100));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(rows, 20);
  assert.equal((await ahead.take(at(0), at(100))).mutations.length, 80);
  assert.equal(rows, 80);
});

test('what is given back is taken again, with what has come since', async () => {
  await stageRows(1, 3);
  const ahead = createReadAhead(stage, EVERYTHING);
  ahead.keep(at(0), await ahead.take(at(0), at(3)));
  await stageRows(4, 5);
  const found = await ahead.take(at(0), at(5));
  assert.deepEqual([found.mutations.length, found.end], [5, at(5)]);
});
