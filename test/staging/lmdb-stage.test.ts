import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { open } from 'lmdb';
import { HLC_ZERO } from '../../src/domain/hlc.js';
import { StageClosedError, StageCorruptError } from '../../src/staging/lmdb/errors.js';
import { stageFolder } from '../../src/staging/lmdb/folder.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import { StageBusyError, StaleIncarnationError, type Stage } from '../../src/staging/stage.js';
import { at, deletion, EVERYTHING, shown, upsert } from './mutations.js';

let stageDir: string;
let stage: Stage;

async function all(upTo = at(1000)): Promise<string[]> {
  return (await stage.read(HLC_ZERO, upTo, EVERYTHING)).mutations.map(shown);
}

async function reopen(): Promise<void> {
  await stage.close();
  stage = openLmdbStage({ stageDir, stream: 's' });
}

beforeEach(() => {
  stageDir = mkdtempSync(path.join(tmpdir(), 'failback-stage-'));
  stage = openLmdbStage({ stageDir, stream: 's' });
});

afterEach(async () => {
  await stage.close();
  rmSync(stageDir, { recursive: true, force: true });
});

suite('incarnation (protocol rule A)', () => {
  test('an unbound stage takes nothing', async () => {
    assert.equal(stage.binding(), null);
    await assert.rejects(stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO), new StaleIncarnationError(1, null));
    await assert.rejects(stage.resolve(1, at(10)), new StaleIncarnationError(1, null));
    assert.equal(stage.figures().entries, 0);
  });

  test('rows and resolved timestamps of another incarnation change nothing', async () => {
    await stage.bind(2, at(5), 'plan');
    for (const other of [1, 3]) {
      await assert.rejects(stage.accept(other, [upsert(at(10), '[1]')], HLC_ZERO), new StaleIncarnationError(other, 2));
      await assert.rejects(stage.resolve(other, at(110)), new StaleIncarnationError(other, 2));
    }
    assert.deepEqual(stage.binding(), { incarnation: 2, floor: at(5), resolved: at(5), plan: 'plan' });
    assert.equal(stage.figures().entries, 0);
  });

  test('a body under way when the next incarnation is bound does not survive the bind', async () => {
    await stage.bind(1, at(5), 'plan');
    const outcomes = await Promise.allSettled([
      stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO),
      stage.bind(2, at(7), 'plan'),
      stage.accept(1, [upsert(at(11), '[2]')], HLC_ZERO),
      stage.resolve(1, at(110)),
      stage.accept(2, [upsert(at(12), '[3]')], HLC_ZERO),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ['fulfilled', 'fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(await all(), ['12:0:[3]={"id":1,"v":"x"}']);
    assert.equal(stage.binding()?.resolved, at(7));
  });

  test('a refused body in a group does not touch the others', async () => {
    await stage.bind(2, at(5), 'plan');
    const outcomes = await Promise.allSettled([
      stage.accept(2, [upsert(at(10), '[1]')], HLC_ZERO),
      stage.accept(1, [upsert(at(10), '[2]')], HLC_ZERO),
      stage.accept(2, [upsert(at(10), '[3]')], HLC_ZERO),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.equal(stage.figures().entries, 2);
  });

  test('renew goes on as another incarnation with everything held', async () => {
    await assert.rejects(stage.renew(1), StaleIncarnationError);
    await stage.bind(1, at(5), 'plan');
    await stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
    await stage.resolve(1, at(20));
    await stage.renew(2);
    assert.deepEqual(stage.binding(), { incarnation: 2, floor: at(5), resolved: at(20), plan: 'plan' });
    assert.equal((await all()).length, 1);
    await assert.rejects(stage.resolve(1, at(30)), StaleIncarnationError);
  });
});

suite('completeness (protocol rule B)', () => {
  test('bind empties and sets floor and resolved to the cursor', async () => {
    await stage.bind(1, at(5), 'plan');
    await stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
    await stage.resolve(1, at(20));
    await stage.bind(2, at(7), 'other');
    assert.deepEqual(stage.binding(), { incarnation: 2, floor: at(7), resolved: at(7), plan: 'other' });
    assert.equal(stage.figures().entries, 0);
    await reopen();
    assert.deepEqual(stage.binding(), { incarnation: 2, floor: at(7), resolved: at(7), plan: 'other' });
    assert.deepEqual(await all(), []);
  });

  test('resolved only advances', async () => {
    await stage.bind(1, at(5), 'plan');
    for (const resolved of [at(20), at(10)]) await stage.resolve(1, resolved);
    assert.equal(stage.binding()?.resolved, at(20));
  });

  test('purge raises the floor, so that what it deleted is not claimed', async () => {
    await stage.bind(1, at(5), 'plan');
    await stage.accept(1, [upsert(at(10), '[1]'), upsert(at(20), '[1]'), upsert(at(20, 1), '[1]')], HLC_ZERO);
    await stage.resolve(1, at(30));
    await stage.purge(at(20));
    assert.equal(stage.binding()?.floor, at(20));
    assert.equal(stage.figures().entries, 1);
    await stage.purge(at(10));
    assert.equal(stage.binding()?.floor, at(20));
    await reopen();
    assert.equal(stage.binding()?.floor, at(20));
  });

  test('a purge of many slices that is overtaken by a bind leaves the new incarnation alone', async () => {
    await stage.bind(1, at(1), 'plan');
    for (let body = 0; body < 5; body++)
      await stage.accept(
        1,
        Array.from({ length: 5000 }, (_, i) => upsert(at(10), `[${body * 5000 + i}]`)),
        HLC_ZERO,
      );
    const purged = stage.purge(at(100));
    const bound = stage.bind(2, at(2), 'plan');
    const accepted = stage.accept(2, [upsert(at(50), '[1]')], HLC_ZERO);
    await Promise.all([purged, bound, accepted]);
    assert.equal(stage.binding()?.floor, at(2));
    assert.equal(stage.figures().entries, 1);
  });
});

suite('what a row is counted as (protocol rule 10)', () => {
  test('only the committed checkpoint drops', async () => {
    await stage.bind(1, at(5), 'plan');
    await stage.resolve(1, at(30));
    const rows = [upsert(at(10), '[1]'), upsert(at(20), '[2]'), upsert(at(25), '[3]'), upsert(at(40), '[4]')];
    assert.deepEqual(await stage.accept(1, rows, at(20)), { staged: 2, dropped: 2, redelivered: 0, late: 1 });
    assert.deepEqual(
      (await all()).map((text) => text.split('=')[0]),
      ['25:0:[3]', '40:0:[4]'],
    );
  });

  test('a redelivery overwrites itself, within a body and across bodies', async () => {
    await stage.bind(1, at(5), 'plan');
    const row = upsert(at(10), '[1]');
    assert.deepEqual(await stage.accept(1, [row, row], HLC_ZERO), { staged: 1, dropped: 0, redelivered: 1, late: 0 });
    await stage.resolve(1, at(10));
    assert.deepEqual(await stage.accept(1, [row, upsert(at(11), '[1]')], HLC_ZERO), {
      staged: 1,
      dropped: 0,
      redelivered: 1,
      late: 0,
    });
    assert.equal(stage.figures().entries, 2);
  });

  test('the same row in bodies of one group', async () => {
    await stage.bind(1, at(5), 'plan');
    const results = await Promise.all([1, 2, 3].map(() => stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO)));
    assert.deepEqual(
      results.map((result) => result.redelivered),
      [0, 1, 1],
    );
  });

  test('what was purged is not called late', async () => {
    await stage.bind(1, at(5), 'plan');
    await stage.resolve(1, at(30));
    await stage.purge(at(20));
    assert.equal((await stage.accept(1, [upsert(at(15), '[1]')], at(10))).late, 0);
    assert.equal((await stage.accept(1, [upsert(at(25), '[1]')], at(10))).late, 1);
  });
});

suite('reading', () => {
  test('in time order, strictly after, up to and with the end', async () => {
    await stage.bind(1, at(1), 'plan');
    const rows = [
      upsert(at(30), '[1]'),
      upsert(at(10), '[2]', '{}', [], 300),
      deletion(at(10), '[1]'),
      upsert(at(20, 7), '[1]'),
      upsert(at(20), '[9]'),
    ];
    await stage.accept(1, rows, HLC_ZERO);
    assert.deepEqual(await all(), [
      '10:0:[1]=deleted',
      '10:300:[2]={}',
      '20:0:[9]={"id":1,"v":"x"}',
      '20:0:[1]={"id":1,"v":"x"}',
      '30:0:[1]={"id":1,"v":"x"}',
    ]);
    const span = await stage.read(at(10), at(20), EVERYTHING);
    assert.deepEqual(span.mutations.map(shown), ['20:0:[9]={"id":1,"v":"x"}']);
    assert.equal(span.end, at(20));
    assert.deepEqual(await stage.read(at(20), at(20), EVERYTHING), { mutations: [], end: at(20), cut: false });
  });

  test('a span never splits a timestamp (protocol rule 20)', async () => {
    await stage.bind(1, at(1), 'plan');
    const rows = [10, 10, 10, 20, 30, 30].map((time, i) => upsert(at(time), `[${i}]`));
    await stage.accept(1, rows, HLC_ZERO);
    const sizes: [number, bigint][] = [];
    for (let after = HLC_ZERO; after < at(50);) {
      const span = await stage.read(after, at(50), { rows: 2, bytes: 1_000_000 });
      sizes.push([span.mutations.length, span.end / at(1)]);
      after = span.end;
    }
    assert.deepEqual(sizes, [
      [3, 10n],
      [3, 50n],
    ]);
    assert.equal((await stage.read(HLC_ZERO, at(50), { rows: 100, bytes: 1 })).end, at(10));
  });

  test('a span that may split a timestamp says so, and is read on behind its last change, a long key too', async () => {
    await stage.bind(1, at(1), 'plan');
    const keys = ['["b"]', `["${'k'.repeat(5000)}"]`, '["a"]', '["c"]'];
    await stage.accept(1, [...keys.map((key) => upsert(at(10), key)), upsert(at(20), '["z"]')], HLC_ZERO);
    const found: string[] = [];
    const cuts: boolean[] = [];
    let place: Parameters<Stage['read']>[0] = HLC_ZERO;
    for (let reads = 0; reads < 5; reads++) {
      const span = await stage.read(place, at(50), { rows: 1, bytes: 1e6, maySplit: true });
      found.push(...span.mutations.map(({ key }) => Buffer.from(key).toString()));
      cuts.push(span.cut);
      place = span.cut ? (span.mutations.at(-1) ?? HLC_ZERO) : span.end;
    }
    assert.deepEqual([...found].sort(), [...keys, '["z"]'].sort());
    assert.deepEqual(cuts, [true, true, true, false, false]);
    assert.equal(place, at(50));
    const fromTable = await stage.read({ at: at(10), table: 0, key: Buffer.alloc(0) }, at(10), EVERYTHING);
    assert.equal(fromTable.mutations.length, 4);
    assert.equal(
      (await stage.read({ at: at(10), table: 1, key: Buffer.alloc(0) }, at(10), EVERYTHING)).mutations.length,
      0,
    );
  });

  test('values are bit-exact and stay so while the stage is written', async () => {
    await stage.bind(1, at(1), 'plan');
    const after = '{"id":9223372036854775807,"d":1E+30,"n":-9223372036854775808,"z":-0}';
    await stage.accept(1, [upsert(at(10), '[-9223372036854775808,1E+30]', after, ['id', 'd', 'n', 'z'])], HLC_ZERO);
    const [mutation] = (await stage.read(HLC_ZERO, at(10), EVERYTHING)).mutations;
    assert.ok(mutation);
    await stage.bind(2, at(1), 'plan');
    for (let i = 0; i < 20; i++)
      await stage.accept(2, [upsert(at(10 + i), '[0]', '{"other":"row"}', ['other'])], HLC_ZERO);
    await all();
    assert.equal(shown(mutation), `10:0:[-9223372036854775808,1E+30]=${after}`);
    assert.deepEqual(mutation.columns, ['id', 'd', 'n', 'z']);
  });

  test('column sets are kept across a restart and shared by rows', async () => {
    await stage.bind(1, at(1), 'plan');
    await stage.accept(1, [upsert(at(10), '[1]', '{}', ['a', 'é']), upsert(at(11), '[1]', '{}', ['a', 'é'])], HLC_ZERO);
    await reopen();
    await stage.accept(1, [upsert(at(12), '[1]', '{}', ['a', 'é']), upsert(at(13), '[1]', '{}', ['b'])], HLC_ZERO);
    const [one, two, three, four] = (await stage.read(HLC_ZERO, at(20), EVERYTHING)).mutations;
    assert.deepEqual(one?.columns, ['a', 'é']);
    assert.equal(one?.columns, two?.columns);
    assert.equal(one?.columns, three?.columns);
    assert.deepEqual(four?.columns, ['b']);
  });

  test('no read transaction stays open (protocol rule 13)', async () => {
    await stage.bind(1, at(1), 'plan');
    const body = () =>
      Array.from({ length: 2000 }, (_, i) => upsert(at(10), `[${i}]`, `{"v":"${'x'.repeat(500)}"}`, ['v']));
    await stage.accept(1, body(), HLC_ZERO);
    const sizes: number[] = [];
    for (let round = 0; round < 12; round++) {
      const held = await stage.read(HLC_ZERO, at(10), EVERYTHING);
      await stage.bind(round + 2, at(1), 'plan');
      await stage.accept(round + 2, body(), HLC_ZERO);
      assert.equal(held.mutations.length, 2000);
      sizes.push(lastPage(stage));
    }
    // A reader left open would keep every round's pages from being used again.
    assert.ok((sizes.at(-1) ?? 0) <= (sizes[3] ?? 0) * 1.2, `pages grew: ${sizes.join(' ')}`);
  });
});

/** The file's size in pages, asked of the environment that this process shares with the stage. */
function lastPage(_: Stage): number {
  const root = open({ path: stageFolder(stageDir, 's'), noSubdir: false, maxDbs: 3, overlappingSync: false });
  return (root.getStats() as { lastPageNumber: number }).lastPageNumber;
}

suite('keys too long for the store (protocol rule 13)', () => {
  const long = (tail: string) => `["${'k'.repeat(5000)}${tail}"]`;

  test('are kept whole, told apart and recognised', async () => {
    await stage.bind(1, at(1), 'plan');
    const inline = `["${'i'.repeat(1960)}"]`;
    const rows = [
      upsert(at(10), long('a')),
      upsert(at(10), long('b')),
      deletion(at(11), long('a')),
      upsert(at(12), inline),
      upsert(at(13), `${inline.slice(0, -2)}i"]`),
    ];
    assert.equal((await stage.accept(1, rows, HLC_ZERO)).staged, 5);
    assert.equal((await stage.accept(1, rows, HLC_ZERO)).redelivered, 5);
    const read = (await stage.read(HLC_ZERO, at(20), EVERYTHING)).mutations;
    assert.deepEqual(
      read.map((row) => Buffer.from(row.key).toString()).sort(),
      rows.map((row) => Buffer.from(row.key).toString()).sort(),
    );
    assert.equal(read.find((row) => row.at === at(11))?.after, null);
  });

  test('two keys of one hash are never taken for one', async () => {
    await stage.bind(1, at(1), 'plan');
    await stage.accept(1, [upsert(at(10), long('a'))], HLC_ZERO);
    await stage.close();
    const root = open({ path: stageFolder(stageDir, 's'), noSubdir: false, maxDbs: 3, overlappingSync: false });
    const entries = root.openDB<Buffer, Buffer>({ name: 'entries', keyEncoding: 'binary', encoding: 'binary' });
    for (const { key, value } of entries.getRange({ start: Buffer.alloc(1) })) {
      const other = Buffer.from(value);
      other[other.indexOf('kka"')] = 0x6c;
      await entries.put(key, other);
    }
    await root.close();
    stage = openLmdbStage({ stageDir, stream: 's' });
    await assert.rejects(stage.accept(1, [upsert(at(10), long('a'))], HLC_ZERO), StageCorruptError);
  });
});

suite('one owner (protocol rule 38)', () => {
  test('the same folder twice in one process is refused', async () => {
    assert.throws(() => openLmdbStage({ stageDir, stream: 's' }), StageBusyError);
    await stage.close();
    stage = openLmdbStage({ stageDir, stream: 's' });
  });

  test('the id stays with the folder (protocol rule 15)', async () => {
    const { id } = stage;
    await reopen();
    assert.equal(stage.id, id);
    const other = openLmdbStage({ stageDir, stream: 'other' });
    assert.notEqual(other.id, id);
    await other.close();
  });

  test('a closed stage takes nothing, and closing waits for what is under way', async () => {
    await stage.bind(1, at(1), 'plan');
    const accepted = stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
    await stage.close();
    assert.equal((await accepted).staged, 1);
    await assert.rejects(stage.accept(1, [], HLC_ZERO), StageClosedError);
    stage = openLmdbStage({ stageDir, stream: 's' });
    assert.equal(stage.figures().entries, 1);
  });
});

test('stream ids make folders of their own, whatever they hold', () => {
  const ids = ['a', 'A.b', '../a', 'a/b', 'a%2fb', '..', '.', 'é', 'x'.repeat(500), 'x'.repeat(501)];
  const folders = ids.map((id) => stageFolder('/stages', id));
  assert.equal(new Set(folders).size, ids.length);
  for (const folder of folders) {
    assert.equal(path.dirname(folder), '/stages');
    assert.equal(path.extname(folder), '');
  }
});

test('figures count used pages, which purging gives back', async () => {
  await stage.bind(1, at(1), 'plan');
  await stage.accept(
    1,
    Array.from({ length: 3000 }, (_, i) => upsert(at(10), `[${i}]`)),
    HLC_ZERO,
  );
  const full = stage.figures();
  assert.equal(full.entries, 3000);
  await stage.purge(at(10));
  const empty = stage.figures();
  assert.equal(empty.entries, 0);
  assert.ok(full.usedBytes > 100_000 && empty.usedBytes < 10_000, `${full.usedBytes} then ${empty.usedBytes}`);
});
