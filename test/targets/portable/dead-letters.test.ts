import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { formatHlc } from '../../../src/domain/hlc.js';
import { createDeadLetterRows } from '../../../src/targets/portable/dead-letters.js';
import type { NewLetter } from '../../../src/targets/session/dead-letter-box.js';
import { BACKENDS, type Backend } from './backends.js';
import { at, createFixture, PLAN, STREAM, type Fixture } from './fixture.js';

const MOST = { letters: 500, bytes: 1_000_000 };
const letter = (n: number, key: string, over: Partial<NewLetter> = {}): NewLetter => ({
  sourceTable: 'public.a',
  key,
  row: `{"id": ${n}}`,
  hlc: formatHlc(at(n)),
  column: 'v',
  code: '1264',
  reason: 'out of range',
  ...over,
});

for (const [name, start] of BACKENDS)
  describe(name, () => {
    let backend: Backend;
    before(async () => {
      backend = await start();
    });
    after(() => backend.stop());

    const lettersOf = (fixture: Fixture, tables?: readonly number[]) =>
      createDeadLetterRows(fixture, {
        stream: STREAM,
        plan: PLAN,
        ...(tables === undefined ? {} : { group: { number: 1, tables } }),
      });

    test('a letter keeps key and row as they were sent', async (t) => {
      const fixture = await createFixture(t, backend);
      const letters = lettersOf(fixture);
      const long = 'k'.repeat(5_000);
      const sent = [
        letter(1, String.raw`["a\u0000"]`, { row: String.raw`{"id": "a\u0000 \\ ' ? :1", "n":   1.50}` }),
        letter(2, `["${long}"]`, { row: `{"id": "${long}", "v": "ü 漢 🙂"}`, column: null, reason: '' }),
        letter(3, '["b"]', { row: null }),
      ];
      await letters.insert(sent);
      assert.deepEqual(await letters.look(), { waiting: 3, asked: false });
      assert.deepEqual(await letters.asked(MOST), []);
      await fixture.store.askReplay(STREAM);
      assert.deepEqual(await letters.look(), { waiting: 3, asked: true });
      const asked = await letters.asked(MOST);
      assert.deepEqual(
        asked.map(({ sourceTable, key, row, hlc }) => [sourceTable, key, row, hlc]),
        sent.map(({ sourceTable, key, row, hlc }) => [sourceTable, key, row, hlc]),
      );
      assert.deepEqual(await fixture.rows('SELECT run, column_name, error_code FROM {dead_letters} ORDER BY hlc'), [
        ['run', 'v', '1264'],
        ['run', null, '1264'],
        ['run', 'v', '1264'],
      ]);
    });

    test('a later change of a key takes its letters away, of its table only (protocol rule 28)', async (t) => {
      const fixture = await createFixture(t, backend);
      const letters = lettersOf(fixture);
      // At the cursor: an earlier run's of the same name.
      await letters.insert([
        letter(0, '[1]'),
        letter(1, '[1]'),
        letter(2, '[1]'),
        letter(1, '[2]'),
        letter(1, '[1]', { sourceTable: 'public.b' }),
      ]);
      assert.equal((await letters.look()).waiting, 4);
      const keys = Array.from({ length: 600 }, (_, i) => ({ sourceTable: 'public.a', key: `[${i + 1000}]` }));
      assert.equal(await letters.supersede([...keys, { sourceTable: 'public.a', key: '[1]' }]), 2);
      assert.deepEqual(
        await fixture.rows('SELECT source_table, key_text FROM {dead_letters} ORDER BY hlc, source_table'),
        [
          ['public.a', '[1]'],
          ['public.a', '[2]'],
          ['public.b', '[1]'],
        ],
      );
    });

    test('those that are tried again come in time order, within the limits, and one at least', async (t) => {
      const fixture = await createFixture(t, backend);
      const letters = lettersOf(fixture);
      await letters.insert([letter(3, '[3]'), letter(1, '[1]'), letter(2, '[2]'), letter(0, '[0]')]);
      await fixture.store.askReplay(STREAM);
      const keys = async (most: typeof MOST) => (await letters.asked(most)).map(({ key }) => key);
      assert.deepEqual(await keys(MOST), ['[1]', '[2]', '[3]']);
      assert.deepEqual(await keys({ ...MOST, letters: 2 }), ['[1]', '[2]']);
      assert.deepEqual(await keys({ ...MOST, bytes: 1 }), ['[1]']);
    });

    test('a group sees the letters of its tables', async (t) => {
      const fixture = await createFixture(t, backend);
      await lettersOf(fixture).insert([letter(1, '[1]'), letter(2, '[1]', { sourceTable: 'public.b' })]);
      await fixture.store.askReplay(STREAM);
      const ofB = lettersOf(fixture, [1]);
      assert.deepEqual(await ofB.look(), { waiting: 1, asked: true });
      assert.deepEqual(
        (await ofB.asked(MOST)).map(({ sourceTable }) => sourceTable),
        ['public.b'],
      );
      assert.deepEqual(await lettersOf(fixture, []).look(), { waiting: 0, asked: false });
      assert.deepEqual(await lettersOf(fixture, []).asked(MOST), []);
    });

    test('what is taken goes, what is refused again stays with its newer error', async (t) => {
      const fixture = await createFixture(t, backend);
      const letters = lettersOf(fixture);
      await letters.insert([letter(1, '[1]'), letter(2, '[2]'), letter(3, '[3]')]);
      await fixture.store.askReplay(STREAM);
      const [one, two, three] = await letters.asked(MOST);
      await letters.remove([one?.id ?? '']);
      const newer = { column: null, code: '1452', reason: 'no parent' };
      await letters.refusedAgain([
        { id: two?.id ?? '', ...newer, replay: false },
        { id: three?.id ?? '', ...newer, replay: true },
      ]);
      assert.deepEqual(
        await fixture.rows('SELECT key_text, column_name, error_code, reason, replay FROM {dead_letters} ORDER BY hlc'),
        [
          ['[2]', null, '1452', 'no parent', '0'],
          ['[3]', null, '1452', 'no parent', '1'],
        ],
      );
    });
  });
