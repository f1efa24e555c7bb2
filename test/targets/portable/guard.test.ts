import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { formatHlc } from '../../../src/domain/hlc.js';
import { createGuard } from '../../../src/targets/portable/guard.js';
import { inTransaction } from '../../../src/targets/portable/sql-client.js';
import { BACKENDS, type Backend } from './backends.js';
import { at, change, createFixture, PLAN, STREAM, type Fixture } from './fixture.js';

for (const [name, start] of BACKENDS)
  describe(name, () => {
    let backend: Backend;
    before(async () => {
      backend = await start();
    });
    after(() => backend.stop());

    const guardOf = (fixture: Fixture) => createGuard(fixture, STREAM, PLAN);
    const raise = (fixture: Fixture, changes: readonly ReturnType<typeof change>[]) =>
      inTransaction(fixture.client, () => guardOf(fixture).raise(changes));

    test('only what is newer than all that is applied of its key passes (protocol rule 27)', async (t) => {
      const fixture = await createFixture(t, backend);
      const guard = guardOf(fixture);
      assert.deepEqual([await guard.any(), await guard.furthest()], [false, null]);
      await raise(fixture, [change(1, 0, '[7]'), change(2, 0, '[7]'), change(5, 1, '[7]')]);
      await raise(fixture, [change(1, 0, '[7]')]);
      assert.deepEqual([await guard.any(), await guard.furthest()], [true, at(5)]);
      const all = [
        change(1, 0, '[7]'),
        change(2, 0, '[7]'),
        change(3, 0, '[7]'),
        change(3, 1, '[7]'),
        change(1, 0, '[8]'),
      ];
      assert.deepEqual(await guard.newer(all), [all[2], all[4]]);
      assert.deepEqual(await guard.newer([]), []);
      const seen = [];
      const parts = async function* () {
        for (const one of all) yield await Promise.resolve([one]);
      };
      for await (const part of guard.newerParts(parts)(0)) seen.push(part);
      assert.deepEqual(seen, [[all[2]], [all[4]]]);
    });

    test('guards go with the window that passes them, no further, and the run’s name is theirs', async (t) => {
      const fixture = await createFixture(t, backend);
      await raise(fixture, [change(1, 0, '[1]'), change(2, 0, '[2]'), change(3, 0, '[3]')]);
      await guardOf(fixture).prune(at(2));
      assert.deepEqual(
        await fixture.rows(`SELECT stream, source_table, run, ${fixture.dialect.hlcText('hlc')} AS hlc FROM {guard}`),
        [[STREAM, 'public.a', 'run', formatHlc(at(3))]],
      );
    });

    test('more keys than a statement takes', async (t) => {
      const fixture = await createFixture(t, backend);
      const many = Array.from({ length: 1203 }, (_, i) => change(1 + (i % 2), 0, `["${'k'.repeat(3000)}", ${i}]`));
      await raise(fixture, many);
      const again = many.map(({ key }, i) =>
        change(
          2,
          0,
          Buffer.from(key)
            .toString()
            .replace(/^/, i === 1202 ? ' ' : ''),
        ),
      );
      const newer = await guardOf(fixture).newer(again);
      assert.equal(newer.length, 602);
      await raise(fixture, again);
      assert.deepEqual(await fixture.rows('SELECT COUNT(*) AS guards FROM {guard}'), [['1204']]);
    });

    test('rows of no stream have no guard', async (t) => {
      const fixture = await createFixture(t, backend);
      await fixture.rows('DELETE FROM {checkpoint}');
      await raise(fixture, [change(1, 0, '[1]')]);
      assert.equal(await guardOf(fixture).any(), false);
    });
  });
