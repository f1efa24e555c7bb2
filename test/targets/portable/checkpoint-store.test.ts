import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { formatHlc, parseHlc } from '../../../src/domain/hlc.js';
import { CHECKPOINT_TABLES } from '../../../src/targets/portable/checkpoint-ddl.js';
import { BACKENDS, type Backend, type Session } from './backends.js';

const CURSOR = parseHlc('1759246920563173000.0000000007');
const LATER = parseHlc('1759246999999999999.0000000000');
const ORIGIN = { clusterId: 'c1', tableIds: { 'public.orders': '104' } };
const ORDERS = { schema: 'shop', table: 'orders' };
const ITEMS = { schema: 'shop', table: 'Items' };

for (const [name, start] of BACKENDS)
  describe(name, () => {
    let backend: Backend;
    before(async () => {
      backend = await start();
    });
    after(() => backend.stop());

    const open = async (t: TestContext, schema = backend.newSchema()): Promise<Session> => {
      const session = await backend.connect(t, schema);
      await session.store.ensureSchema();
      return session;
    };
    const tablesOf = async (session: Session): Promise<readonly string[] | null> => {
      const { schemaExists, tables } = await session.dialect.schema.read(session.client, session.schema);
      return schemaExists ? tables.map(({ table }) => table) : null;
    };

    test('the tables are made once, as ours, and survive a crash (rule 23)', async (t) => {
      const session = await open(t);
      await session.store.ensureSchema();
      const { tables } = await session.dialect.schema.read(session.client, session.schema);
      assert.deepEqual(
        tables,
        CHECKPOINT_TABLES.map((table) => ({ table, ours: true, durable: true })),
      );
    });

    test('the checkpoint row is inserted once and the row that is there is returned (rule 1)', async (t) => {
      const { store } = await open(t);
      const first = await store.insertOnce({ stream: 's1', run: 'orders', cursor: CURSOR, origin: ORIGIN });
      const other = { clusterId: 'c2', tableIds: {} };
      const second = await store.insertOnce({ stream: 's1', run: 'orders', cursor: LATER, origin: other });
      assert.deepEqual(second, first);
      assert.deepEqual(second, {
        stream: 's1',
        run: 'orders',
        applied: CURSOR,
        cursor: CURSOR,
        token: null,
        stageId: null,
        incarnation: 0,
        feedWanted: true,
        origin: ORIGIN,
      });
      assert.deepEqual(await store.read('s1'), first);
      assert.equal(await store.read('S1'), null);
      await store.setFeedWanted('s1', false);
      assert.equal((await store.read('s1'))?.feedWanted, false);
    });

    test('an HLC is kept to its last digit', async (t) => {
      const { store } = await open(t);
      for (const text of [
        '1759246920563173000.0000000000',
        '9223372036854775807.4294967295',
        '1.0000000010',
        '0.0000000000',
      ]) {
        const row = await store.insertOnce({ stream: text, run: 'r', cursor: parseHlc(text), origin: ORIGIN });
        assert.equal(formatHlc(row.cursor), text);
      }
    });

    test('where to stop, and what the attempt with the token sees there', async (t) => {
      const session = await open(t);
      const { store } = session;
      assert.equal(await store.readHold('held'), null);
      assert.equal(await store.setStopAt('held', CURSOR), false);
      await store.insertOnce({ stream: 'held', run: 'orders', cursor: CURSOR, origin: ORIGIN });
      assert.deepEqual(await store.readHold('held'), { applied: CURSOR, stopAt: null, feedWanted: true, hold: null });
      const setToken = (token: string) => session.rows(`UPDATE {checkpoint} SET token = '${token}'`);
      await setToken('mine');
      assert.equal(await store.setStopAt('held', CURSOR), true);
      const hold = { at: CURSOR, seenUpTo: LATER, newerChanges: 3 };
      await store.writeHold('held', 'zombie', hold);
      assert.deepEqual(await store.readHold('held'), { applied: CURSOR, stopAt: CURSOR, feedWanted: true, hold: null });
      await store.writeHold('held', 'mine', hold);
      await store.writeHold('held', 'zombie', { ...hold, newerChanges: 0 });
      assert.equal(await store.setStopAt('held', CURSOR), true);
      assert.deepEqual(await store.readHold('held'), { applied: CURSOR, stopAt: CURSOR, feedWanted: true, hold });
      await setToken('another');
      assert.equal((await store.readHold('held'))?.hold, null, 'the next attempt has not looked yet');
      assert.equal(await store.setStopAt('held', LATER), true);
      assert.equal(
        (await store.readHold('held'))?.hold,
        null,
        'what was seen at another stop says nothing of this one',
      );
      await setToken('next');
      await store.writeHold('held', 'next', hold);
      assert.equal(await store.setStopAt('held', null), true);
      assert.deepEqual(await store.readHold('held'), { applied: CURSOR, stopAt: null, feedWanted: true, hold: null });
      await session.rows(`UPDATE {checkpoint} SET applied = applied + 1`);
      assert.equal(await store.setStopAt('held', CURSOR), false, 'what is passed already is no stop');
      assert.equal((await store.readHold('held'))?.stopAt, null);
    });

    test('a run is remembered, and changed', async (t) => {
      const { store } = await open(t);
      const state = {
        settings: { 'kv.rangefeed.enabled': 'false', odd: '' },
        big: '9223372036854775807',
        long: 'ü漢🙂'.repeat(9000),
      };
      await store.writeRun({ run: 'orders', phase: 'prepare', state });
      await store.writeRun({ run: 'orders', phase: 'cursor', state });
      await store.writeRun({ run: 'orders', phase: 'cursor', state });
      assert.deepEqual(await store.readRun('orders'), { run: 'orders', phase: 'cursor', state });
      assert.equal(await store.readRun('none'), null);
    });

    test('a table has one claim; what is refused claims nothing (rule 33)', async (t) => {
      const a = await open(t);
      const b = await backend.connect(t, a.schema);
      assert.deepEqual(await a.store.claimTables('run-a', [ORDERS]), []);
      assert.deepEqual(await a.store.claimTables('run-a', [ORDERS]), [], 'its own claim is no obstacle');
      assert.deepEqual(await b.store.claimTables('run-b', [ITEMS, ORDERS]), [{ table: ORDERS, run: 'run-a' }]);
      assert.deepEqual(await b.store.claimTables('run-c', [ITEMS]), [], 'run-b holds nothing');
      const lower = { schema: 'shop', table: 'items' };
      assert.deepEqual(await b.store.claimTables('run-d', [lower]), [], 'names that differ in case are two');
    });

    test('of two runs that claim the same tables at once, one gets them all', async (t) => {
      const a = await open(t);
      const b = await backend.connect(t, a.schema, { lockTimeoutMs: 10_000 });
      const [ofA, ofB] = await Promise.all([
        a.store.claimTables('run-a', [ORDERS, ITEMS]),
        b.store.claimTables('run-b', [ITEMS, ORDERS]),
      ]);
      assert.deepEqual([ofA.length, ofB.length].sort(), [0, 2]);
    });

    test('the end of a run removes its own rows only, and the tables when it is the last (rule 34)', async (t) => {
      const session = await open(t);
      const { store } = session;
      for (const run of ['one', 'two']) {
        await store.insertOnce({ stream: `${run}-stream`, run, cursor: CURSOR, origin: ORIGIN });
        await store.writeRun({ run, phase: 'replicate', state: {} });
        await store.claimTables(run, [{ schema: 'shop', table: run }]);
        await session.rows(
          `INSERT INTO {checkpoint_group} (stream, group_number, run, tables_json, applied) VALUES ('${run}-stream', 1, '${run}', '[]', 1)`,
        );
        await session.rows(
          `INSERT INTO {guard} (stream, source_table, key_hash, hlc, run) VALUES ('${run}-stream', 't', 'h', 1, '${run}')`,
        );
      }
      await store.removeRun('one');
      assert.equal(await store.read('one-stream'), null);
      assert.equal(await store.readRun('one'), null);
      assert.equal((await store.read('two-stream'))?.run, 'two');
      assert.deepEqual(await session.rows('SELECT run FROM {checkpoint_group} UNION ALL SELECT run FROM {guard}'), [
        ['two'],
        ['two'],
      ]);
      const three = [{ schema: 'shop', table: 'two' }];
      assert.deepEqual(await store.claimTables('three', three), [{ table: three[0], run: 'two' }]);
      await store.removeRun('two');
      assert.equal(await store.read('two-stream'), null);
      assert.deepEqual(await tablesOf(session), backend.drops ? null : CHECKPOINT_TABLES);
      await store.removeRun('two');
      await store.writeRun({ run: 'late', phase: 'prepare', state: {} });
      assert.equal(
        (await store.readRun('late'))?.phase,
        'prepare',
        'tables that another run has dropped are made again',
      );
    });

    test('dead letters are counted and asked for by stream, and the end of a run keeps them (rules 28 and 34)', async (t) => {
      const session = await open(t);
      const { store } = session;
      for (const run of ['one', 'two']) {
        await store.insertOnce({ stream: run, run, cursor: CURSOR, origin: ORIGIN });
        for (const [table, key, hlc] of [
          ['public.a', '[1]', LATER],
          ['public.b', '[1]', LATER],
          ['public.b', '[2]', LATER],
          // Of an earlier run of the same name.
          ['public.c', '[3]', CURSOR],
        ] as const)
          await session.rows(`INSERT INTO {dead_letters} (stream, source_table, key_hash, letter_id, run, key_text, hlc)
            VALUES ('${run}', '${table}', '${key}', 'id', '${run}', '${key}', ${formatHlc(hlc)})`);
      }
      const waiting = {
        count: 3,
        tables: [
          { table: 'public.b', count: 2 },
          { table: 'public.a', count: 1 },
        ],
      };
      assert.deepEqual(await store.countDeadLetters('one'), waiting);
      assert.deepEqual(await store.countDeadLetters('three'), { count: 0, tables: [] });
      assert.equal(await store.askReplay('one'), 3);
      assert.deepEqual(
        await session.rows('SELECT DISTINCT run, source_table FROM {dead_letters} WHERE replay = 1 ORDER BY 1, 2'),
        [
          ['one', 'public.a'],
          ['one', 'public.b'],
        ],
      );
      const left = { count: 4, tables: [...waiting.tables, { table: 'public.c', count: 1 }] };
      assert.deepEqual(await store.removeRun('one'), left);
      assert.deepEqual(await store.removeRun('one'), left, 'as it must be for a second try');
      assert.equal(await store.read('one'), null);
      await store.removeRun('two');
      assert.deepEqual(await session.rows('SELECT COUNT(*) FROM {dead_letters}'), [['8']]);
      await session.rows('DELETE FROM {dead_letters}');
      assert.deepEqual(await store.removeRun('two'), { count: 0, tables: [] });
      assert.deepEqual(await tablesOf(session), backend.drops ? null : CHECKPOINT_TABLES);
    });
  });
