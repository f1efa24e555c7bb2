import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { createReadAhead } from '../../src/apply/read-ahead.js';
import { createSharedReads } from '../../src/apply/shared-reads.js';
import type { Hlc } from '../../src/domain/hlc.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import type { SpanLimits, Stage } from '../../src/staging/stage.js';
import { at, EVERYTHING, shown, upsert } from '../staging/mutations.js';
import { HLC_ZERO } from '../../src/domain/hlc.js';

let stageDir: string;
let stage: Stage;
let reads: number;

beforeEach(async () => {
  stageDir = mkdtempSync(path.join(tmpdir(), 'failback-shared-'));
  stage = openLmdbStage({ stageDir, stream: 's' });
  await stage.bind(1, at(0), 'plan');
  reads = 0;
});

afterEach(async () => {
  await stage.close();
  rmSync(stageDir, { recursive: true, force: true });
});

/** The stage, and how often it was read. */
const counted = (): Stage => ({
  ...stage,
  read(...wish) {
    reads++;
    return stage.read(...wish);
  },
});

/** `rows` changes of the table at one second. */
async function stageRows(second: number, table: number, rows: number): Promise<void> {
  const changes = Array.from({ length: rows }, (_, i) => upsert(at(second), `[${i}]`, '{}', ['id'], table));
  await stage.accept(1, changes, HLC_ZERO);
}

/** All windows of a group as its loop takes them; each is a window of the whole, without the other tables. */
async function windows(tables: readonly number[], limits: SpanLimits, scanSize?: number): Promise<string[][]> {
  const view = createSharedReads(counted(), { scanSize, rows: 10_000, bytes: 1e9 }).viewOf(tables);
  const ahead = createReadAhead(view, limits, scanSize === undefined ? {} : { scanSize });
  const found: string[][] = [];
  for (let after: Hlc = at(0); after < at(20);) {
    const span = await ahead.take(after, at(20));
    assert.ok(span.end > after, 'it gets on');
    if (span.cut) {
      const rows: string[] = [];
      for await (const part of ahead.parts(span.end, 0)) {
        assert.ok(part.length <= limits.rows, `${part.length} in a part`);
        rows.push(...part.map(shown));
      }
      found.push(rows);
    } else if (span.mutations.length > 0) found.push(span.mutations.map(shown));
    after = span.end;
  }
  return found;
}

test('a group reads its own tables, whole timestamps, within the limits, however much of others is between', async () => {
  for (let second = 1; second <= 19; second++) await stageRows(second, second % 3, (second * 7) % 5);
  await stageRows(7, 0, 40);
  await stageRows(9, 2, 3_000);
  await stageRows(9, 1, 2);
  await stageRows(20, 1, 900);
  const all = (await stage.read(at(0), at(20), EVERYTHING)).mutations;
  for (const tables of [[0], [1], [2], [0, 2], [0, 1, 2], [7]])
    for (const rows of [1, 3, 50, 100_000])
      for (const scanSize of [1, 7, undefined]) {
        const found = await windows(tables, { rows, bytes: 1e9 }, scanSize);
        const wanted = all.filter(({ table }) => tables.includes(table));
        assert.deepEqual(found.flat(), wanted.map(shown), `tables ${tables.join()}, ${rows} rows, ${scanSize}`);
        const seconds = found.map((window) => new Set(window.map((row) => row.split(':')[0])));
        const total = seconds.reduce((sum, set) => sum + set.size, 0);
        assert.equal(total, new Set(wanted.map((row) => row.at)).size, 'no timestamp is in two windows');
      }
});

test('what one group has read the others need not read again', async () => {
  for (let second = 1; second <= 20; second++) await stageRows(second, second % 4, 50);
  const shared = createSharedReads(counted(), { scanSize: 100, rows: 10_000, bytes: 1e9 });
  let alone = 0;
  for (const table of [0, 1, 2, 3]) {
    const ahead = createReadAhead(shared.viewOf([table]), EVERYTHING, { scanSize: 100 });
    assert.equal((await ahead.take(at(0), at(20))).mutations.length, 250);
    if (table === 0) alone = reads;
  }
  assert.equal(reads, alone);
});

test('a row that came late is seen by whoever has not passed it', async () => {
  await stageRows(1, 0, 1);
  await stageRows(3, 1, 1);
  await stage.resolve(1, at(5));
  const shared = createSharedReads(counted(), { rows: 10_000, bytes: 1e9 });
  assert.equal((await shared.viewOf([0]).read(at(0), at(5), EVERYTHING)).mutations.length, 1);
  await stageRows(2, 1, 1);
  assert.equal((await shared.viewOf([1]).read(at(0), at(5), EVERYTHING)).mutations.length, 2);
});

test('no more is kept than the limits say, and nothing of it is purged for the others', async () => {
  for (let second = 1; second <= 10; second++) await stageRows(second, second % 2, 100);
  const shared = createSharedReads(counted(), { scanSize: 100, rows: 250, bytes: 1e9 });
  const [even, odd] = [shared.viewOf([0]), shared.viewOf([1])];
  await createReadAhead(even, EVERYTHING, { scanSize: 100 }).take(at(0), at(10));
  await even.purge(at(10));
  const before = reads;
  assert.equal((await createReadAhead(odd, EVERYTHING, { scanSize: 100 }).take(at(0), at(10))).mutations.length, 500);
  assert.ok(reads > before, 'what was dropped is read again');
});
