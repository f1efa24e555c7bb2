import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, suite, test, type TestContext } from 'node:test';
import { HLC_ZERO, type Hlc } from '../../src/domain/hlc.js';
import { connectStage, cutOff } from '../../src/staging/sql/connection.js';
import { StageCorruptError } from '../../src/staging/sql/errors.js';
import { preflightStage } from '../../src/staging/sql/preflight.js';
import { createSqlStaging } from '../../src/staging/sql/staging.js';
import { StageBusyError, StageUnavailableError, type Stage, type StagedMutation } from '../../src/staging/stage.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { startPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { at, EVERYTHING, shown, upsert } from './mutations.js';
import { makeSqlScene, postgresServer, stopServers, type SqlStageScene } from './stage-kinds.js';

// What only the stage in a database has; what every stage does is in stage.test.ts.

const LONG = `["${'k'.repeat(5000)}a"]`;

let scene: SqlStageScene;
beforeEach(async () => {
  scene = await makeSqlScene((await postgresServer()).url('postgres'));
});
/** Run before the scene ends, last first. */
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end; end = ends.pop()) await end();
  await scene.end();
});
after(stopServers);

async function keys(stage: Stage): Promise<readonly string[]> {
  return (await stage.read(HLC_ZERO, at(1000), EVERYTHING)).mutations.map((one) => shown(one).split('=')[0] ?? '');
}

/** Opened, bound to incarnation 1 at 5, and closed with the test. */
async function boundStage(t: TestContext, open = () => scene.open('s')): Promise<Stage> {
  const stage = await open();
  t.after(() => stage.close());
  await stage.bind(1, at(5), 'plan');
  return stage;
}

suite('one owner (protocol rule 38)', () => {
  test('whoever opens last has the stage: the one before writes, reads and purges nothing more', async (t) => {
    const first = await boundStage(t);
    await first.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
    await first.resolve(1, at(20));
    const second = await scene.open('s');
    t.after(() => second.close());
    assert.equal(second.id, first.id);
    assert.deepEqual(second.binding(), { incarnation: 1, floor: at(5), resolved: at(20), plan: 'plan' });
    await assert.rejects(first.accept(1, [upsert(at(30), '[2]')], HLC_ZERO), StageBusyError);
    await assert.rejects(first.resolve(1, at(40)), StageBusyError);
    await assert.rejects(first.bind(2, at(40), 'plan'), StageBusyError);
    await assert.rejects(first.renew(2), StageBusyError);
    await assert.rejects(first.purge(at(20)), StageBusyError);
    await assert.rejects(first.read(HLC_ZERO, at(20), EVERYTHING), StageBusyError);
    await first.close();
    assert.deepEqual(await keys(second), ['10:0:[1]']);
    await second.accept(1, [upsert(at(30), '[2]')], HLC_ZERO);
    await second.resolve(1, at(40));
    assert.equal(second.binding()?.resolved, at(40));
  });

  test('each kind of write is refused after another has opened the stage, be it the first to meet it', async (t) => {
    const writes: readonly ((stage: Stage) => Promise<unknown>)[] = [
      (stage) => stage.resolve(1, at(40)),
      (stage) => stage.bind(2, at(40), 'plan'),
      (stage) => stage.renew(2),
      (stage) => stage.purge(at(20)),
      (stage) => stage.accept(1, [upsert(at(30), '[2]', '{}', ['a column set of its own'])], HLC_ZERO),
    ];
    for (const write of writes) {
      const first = await boundStage(t);
      await first.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
      const second = await scene.open('s');
      await assert.rejects(write(first), StageBusyError);
      await second.close();
      const third = await scene.open('s');
      assert.deepEqual(third.binding(), { incarnation: 1, floor: at(5), resolved: at(5), plan: 'plan' });
      assert.deepEqual(await keys(third), ['10:0:[1]']);
      await third.close();
      await first.close();
    }
  });

  test('a body under way while another opens the stage is either there for the other or refused', async (t) => {
    const first = await boundStage(t);
    const accepting = Promise.allSettled(
      Array.from({ length: 40 }, (_, i) => first.accept(1, [upsert(at(10 + i), `[${i}]`)], HLC_ZERO)),
    );
    const second = await scene.open('s');
    t.after(() => second.close());
    const found = await keys(second);
    const taken = (await accepting).filter(({ status }) => status === 'fulfilled').length;
    assert.equal(found.length, taken);
  });
});

suite('the connection is lost', () => {
  for (const deed of ['cut-before', 'cut-after', 'hold-answer'] as const) {
    test(`in the middle of a body (${deed}): it is not acknowledged, and its redelivery is complete`, async (t) => {
      const proxy = await startByteProxy(t, (await postgresServer()).port);
      const stage = await boundStage(t, () => scene.openThrough(proxy.port, 's'));
      await stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
      await stage.resolve(1, at(20));
      const done = proxy.arm('to-server', 'INSERT INTO', deed);
      const body = [upsert(at(15), '[2]'), upsert(at(30), '[3]')];
      const lateBefore = stage.lateRows();
      const accepting = stage.accept(1, body, HLC_ZERO);
      const refused = assert.rejects(accepting, StageUnavailableError);
      await until('the deed', done);
      if (deed === 'hold-answer') {
        await until('it is committed', async () => (await count('failback_entries')) === 3);
        proxy.cutAll();
      }
      await refused;
      assert.ok(stage.lateRows() > lateBefore, 'what was read before may lack its late row');
      const again = await stage.accept(1, body, HLC_ZERO);
      assert.equal(again.staged + again.redelivered, 2);
      if (deed === 'cut-before') assert.equal(again.staged, 2);
      if (deed === 'hold-answer') assert.equal(again.redelivered, 2);
      assert.equal(again.late, 1, 'a late row is an alarm, also when its first coming had no answer');
      assert.deepEqual(await keys(stage), ['10:0:[1]', '15:0:[2]', '30:0:[3]']);
      assert.equal(stage.figures().entries, 3);
    });
  }

  test('while a resolved timestamp is written: what is known afterwards is what is there', async (t) => {
    const proxy = await startByteProxy(t, (await postgresServer()).port);
    const stage = await boundStage(t, () => scene.openThrough(proxy.port, 's'));
    const done = proxy.arm('to-server', 'SET resolved', 'hold-answer');
    const refused = assert.rejects(stage.resolve(1, at(50)), StageUnavailableError);
    await until('the deed', done);
    await until('it is committed', async () => (await column('resolved')).startsWith('50'));
    proxy.cutAll();
    await refused;
    assert.equal(stage.binding()?.resolved, at(5), 'not before it is known');
    await stage.accept(1, [upsert(at(60), '[1]')], HLC_ZERO);
    assert.equal(stage.binding()?.resolved, at(50));
  });

  test('a statement that arrives after its connection was given up changes nothing', async (t) => {
    const proxy = await startByteProxy(t, (await postgresServer()).port);
    const stage = await boundStage(t, () => scene.openThrough(proxy.port, 's'));
    const { rows } = await scene.sql.query<{ token: string }>(`SELECT token FROM ${scene.schema}.failback_stages`);
    proxy.cutAll();
    await until('the next connection', async () => {
      await stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
      return true;
    });
    const late = await scene.sql.query(
      `UPDATE ${scene.schema}.failback_stages SET incarnation = 9 WHERE stream = 's' AND token = $1`,
      [rows[0]?.token],
    );
    assert.equal(late.rowCount, 0);
    await stage.purge(at(10));
  });

  test('its database is away and back: nothing is taken meanwhile, and everything goes on', async (t) => {
    const server = await startPostgres();
    t.after(() => server.stop());
    const own = await makeSqlScene(server.url('postgres'));
    const stage = await boundStage(t, () => own.open('s'));
    await stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
    await stage.resolve(1, at(20));
    await server.kill();
    await assert.rejects(stage.accept(1, [upsert(at(30), '[2]')], HLC_ZERO), StageUnavailableError);
    await assert.rejects(stage.read(HLC_ZERO, at(20), EVERYTHING), StageUnavailableError);
    await assert.rejects(stage.purge(at(10)), StageUnavailableError);
    await assert.rejects(own.open('s'), StageUnavailableError);
    await server.restart();
    await until('it takes rows', () => stage.accept(1, [upsert(at(30), '[2]')], HLC_ZERO));
    await until('it is read', async () => (await keys(stage)).length === 2);
    assert.equal(stage.binding()?.resolved, at(20));
    await own.sql.end().catch(() => undefined);
  });
});

suite('what the database does', () => {
  test('a conflict (40001) is tried again, and the body is there once', async (t) => {
    const stage = await boundStage(t);
    await scene.sql.query(`
      CREATE SEQUENCE ${scene.schema}.conflicts;
      CREATE FUNCTION ${scene.schema}.conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('${scene.schema}.conflicts') <= 3 THEN RAISE EXCEPTION 'restart transaction' USING ERRCODE = '40001'; END IF;
        RETURN NEW; END $$;
      CREATE TRIGGER conflict BEFORE INSERT ON ${scene.schema}.failback_entries FOR EACH ROW EXECUTE FUNCTION ${scene.schema}.conflict()`);
    assert.equal((await stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO)).staged, 1);
    const { rows } = await scene.sql.query<{ n: string }>(`SELECT last_value AS n FROM ${scene.schema}.conflicts`);
    assert.equal(rows[0]?.n, '4');
    assert.deepEqual(await keys(stage), ['10:0:[1]']);
  });

  test('a commit is flushed, whatever the database’s own default is (protocol rule 14)', async (t) => {
    await scene.sql.query(`
      ALTER DATABASE postgres SET synchronous_commit = off;
      CREATE TABLE ${scene.schema}.seen (setting text);
      CREATE FUNCTION ${scene.schema}.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO ${scene.schema}.seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
      CREATE TRIGGER see BEFORE INSERT ON ${scene.schema}.failback_entries FOR EACH ROW EXECUTE FUNCTION ${scene.schema}.see()`);
    ends.push(() => scene.sql.query('ALTER DATABASE postgres RESET synchronous_commit'));
    const stage = await boundStage(t);
    await stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
    const { rows } = await scene.sql.query<{ setting: string }>(`SELECT DISTINCT setting FROM ${scene.schema}.seen`);
    assert.deepEqual(rows, [{ setting: 'on' }]);
  });

  test('nothing stays open between two reads (protocol rule 13)', async (t) => {
    const stage = await boundStage(t);
    await stage.accept(1, [upsert(at(10), '[1]'), upsert(at(20), '[2]')], HLC_ZERO);
    await stage.read(HLC_ZERO, at(50), { rows: 1, bytes: 1_000 });
    const { rows } = await scene.sql.query<{ state: string }>(
      `SELECT DISTINCT state FROM pg_stat_activity WHERE application_name = 'failback test'`,
    );
    assert.deepEqual(rows, [{ state: 'idle' }]);
  });

  test('two keys of one hash are never taken for one (protocol rule 13)', async (t) => {
    const stage = await boundStage(t);
    await stage.accept(1, [upsert(at(10), LONG, '{"v":"one"}')], HLC_ZERO);
    await scene.sql.query(`UPDATE ${scene.schema}.failback_entries SET whole = overlay(whole PLACING 'l' FROM 10)`);
    await assert.rejects(stage.accept(1, [upsert(at(10), LONG, '{"v":"two"}')], HLC_ZERO), StageCorruptError);
    const [kept] = (await stage.read(HLC_ZERO, at(50), EVERYTHING)).mutations;
    assert.equal(Buffer.from(kept?.after ?? []).toString(), '{"v":"one"}');
  });

  test('bodies of many megabytes and bytes of every kind go through in parts', async (t) => {
    const stage = await boundStage(t);
    const big = `{"v":"${'é\\u0000"\\\\'.replaceAll('"', '\\"').repeat(200_000)}"}`;
    const rows = Array.from({ length: 12 }, (_, i) => upsert(at(10 + i), `[${i}]`, big, ['v']));
    assert.equal((await stage.accept(1, rows, HLC_ZERO)).staged, 12);
    let after: Hlc = HLC_ZERO;
    const found: StagedMutation[] = [];
    while (after < at(50)) {
      const span = await stage.read(after, at(50), { rows: 1_000, bytes: big.length * 2 });
      assert.ok(span.mutations.length <= 3, `${span.mutations.length} rows in one span`);
      found.push(...span.mutations);
      after = span.end;
    }
    assert.equal(found.length, 12);
    for (const { after: bytes } of found) assert.ok(Buffer.from(bytes ?? []).equals(Buffer.from(big)));
  });

  test('a timestamp of more rows than a page is read whole, or in parts where it may be split', async (t) => {
    const stage = await boundStage(t);
    const rows = Array.from({ length: 12_000 }, (_, i) => upsert(at(10), `[${i}]`, '{}', ['v'], i % 3));
    await stage.accept(1, [...rows, upsert(at(11), '[0]')], HLC_ZERO);
    const whole = await stage.read(HLC_ZERO, at(50), { rows: 10, bytes: 1_000 });
    assert.deepEqual([whole.mutations.length, whole.end], [12_000, at(10)]);
    type Place = Parameters<Stage['read']>[0];
    let place: Place = HLC_ZERO;
    const seen = new Set<string>();
    for (let reads = 0; reads < 20 && place !== at(50); reads++) {
      const limits = { rows: 1_000, bytes: 1_000_000, maySplit: true };
      const span = (await stage.read(place, at(50), limits)) as Awaited<ReturnType<Stage['read']>> & { cut: boolean };
      for (const one of span.mutations) seen.add(shown(one));
      place = span.cut ? (span.mutations.at(-1) as unknown as Place) : span.end;
    }
    assert.deepEqual([seen.size, place], [12_001, at(50)]);
  });

  test('what an earlier fill has left goes with the next purge, in slices', async (t) => {
    const stage = await boundStage(t);
    for (const from of [0, 15_000])
      await stage.accept(
        1,
        Array.from({ length: 15_000 }, (_, i) => upsert(at(10), `[${from + i}]`, '{}', ['v'])),
        HLC_ZERO,
      );
    await stage.bind(2, at(7), 'plan');
    await stage.accept(2, [upsert(at(8), '[1]'), upsert(at(9), '[2]')], HLC_ZERO);
    assert.equal(await count('failback_entries'), 30_002);
    await stage.purge(at(8));
    assert.equal(await count('failback_entries'), 1);
    assert.deepEqual([await keys(stage), stage.figures().entries], [['9:0:[2]'], 1]);
  });
});

suite('a staging schema', () => {
  const staging = (schema: string, createSchema = true) =>
    createSqlStaging(scene.database.connectionString, { connection: 'x', schema, createSchema }, 'run');
  const exists = async (schema: string): Promise<boolean> =>
    (await scene.sql.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema])).rowCount === 1;

  test('is made on request, shared by streams, and gone with the last of them', async () => {
    const place = staging('postgres."Made here"');
    for (const stream of ['one', 'two']) {
      const stage = await place.open(stream);
      await stage.bind(1, at(5), 'plan');
      await stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
      await stage.close();
    }
    assert.equal(await place.remove('one'), 'our rows in staging schema postgres."Made here" are removed');
    const two = await place.open('two');
    assert.deepEqual(await keys(two), ['10:0:[1]']);
    await two.close();
    assert.equal(await place.remove('two'), 'staging schema postgres."Made here" is removed');
    assert.equal(await exists('Made here'), false);
    assert.equal(await place.remove('two'), null);
  });

  test('that somebody else uses, or has made, stays', async () => {
    await scene.sql.query('CREATE SCHEMA theirs; CREATE TABLE theirs.own (id int); CREATE SCHEMA given');
    await (await staging('postgres.theirs').open('s')).close();
    assert.equal(
      await staging('postgres.theirs').remove('s'),
      'our tables in staging schema postgres.theirs are removed',
    );
    await (await staging('postgres.given', false).open('s')).close();
    assert.equal(
      await staging('postgres.given', false).remove('s'),
      'our tables in staging schema postgres.given are removed',
    );
    assert.deepEqual([await exists('theirs'), await exists('given')], [true, true]);
    await scene.sql.query('DROP SCHEMA theirs CASCADE; DROP SCHEMA given');
  });

  test('whoever still has the stage open after its removal writes nothing', async () => {
    const place = staging(`postgres.${scene.schema}`, false);
    const keep = await place.open('other');
    const stage = await place.open('s');
    await stage.bind(1, at(5), 'plan');
    await place.remove('s');
    await assert.rejects(stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO), StageBusyError);
    assert.equal(await count('failback_entries'), 0);
    await stage.close();
    await keep.close();
  });

  test('lacks: every privilege is named with its statement, and the statements are enough', async () => {
    await scene.sql.query('CREATE ROLE stager LOGIN; REVOKE CREATE ON DATABASE postgres FROM PUBLIC');
    ends.push(() => scene.sql.query('DROP OWNED BY stager; DROP ROLE stager'));
    const url = (await postgresServer()).url('postgres', 'stager');
    const look = async (schema: string, createSchema: boolean) => {
      const connection = await connectStage({ ...scene.database, connectionString: url });
      try {
        return await preflightStage(connection, schema, createSchema);
      } finally {
        cutOff(connection.client);
      }
    };
    const statements = async (schema: string, createSchema: boolean): Promise<readonly string[]> =>
      (await look(schema, createSchema)).map(({ remedy }) => (remedy.kind === 'statement' ? remedy.sql : ''));
    const grant = async (sqls: readonly string[]): Promise<void> => {
      for (const sql of sqls) await scene.sql.query(sql);
    };

    assert.deepEqual(await statements('absent', false), ['CREATE SCHEMA "absent"']);
    assert.deepEqual(await statements('absent', true), ['GRANT CREATE ON DATABASE "postgres" TO "stager"']);
    // Tables that the administrator has made.
    const schema = `"${scene.schema}"`;
    assert.deepEqual(await statements(scene.schema, false), [`GRANT USAGE ON SCHEMA ${schema} TO "stager"`]);
    await grant(await statements(scene.schema, false));
    const needed = await statements(scene.schema, false);
    assert.equal(needed.length, 12);
    assert.equal(needed[0], `GRANT SELECT ON TABLE ${schema}.failback_stages TO "stager"`);
    await grant(needed);
    assert.deepEqual(await look(scene.schema, false), []);
    const mine = createSqlStaging(
      url,
      { connection: 'x', schema: `postgres.${scene.schema}`, createSchema: false },
      'r',
    );
    const stage = await mine.open('s');
    await stage.bind(1, at(5), 'plan');
    await stage.accept(1, [upsert(at(10), '[1]')], HLC_ZERO);
    await stage.purge(at(10));
    await stage.close();
    // They are not ours to drop.
    assert.equal(await mine.remove('s'), `our rows in staging schema postgres.${scene.schema} are removed`);
    // And a schema in which we make them.
    await scene.sql.query(`DROP SCHEMA ${schema} CASCADE; CREATE SCHEMA ${schema}`);
    assert.deepEqual(await statements(scene.schema, false), [
      `GRANT USAGE ON SCHEMA ${schema} TO "stager"`,
      `GRANT CREATE ON SCHEMA ${schema} TO "stager"`,
    ]);
    await grant(await statements(scene.schema, false));
    await (await mine.open('s')).close();
  });

  test('of a database that is not there, or cannot be reached, is said without the password', async () => {
    const url = new URL(scene.database.connectionString);
    url.password = 'geheim';
    const wrong = createSqlStaging(url.toString(), { connection: 'x', schema: 'nowhere.s', createSchema: true }, 'run');
    await assert.rejects(wrong.preflight(), (error: unknown) => {
      assert.ok(error instanceof StageUnavailableError);
      assert.match(
        error.message,
        /staging schema nowhere\.s, checking it: database "nowhere" does not exist \(3D000\)/,
      );
      return !error.message.includes('geheim');
    });
  });
});

async function count(table: string): Promise<number> {
  const { rows } = await scene.sql.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${scene.schema}.${table}`);
  return rows[0]?.n ?? 0;
}

async function column(name: 'resolved'): Promise<string> {
  const { rows } = await scene.sql.query<Record<string, string>>(`SELECT ${name} FROM ${scene.schema}.failback_stages`);
  return rows[0]?.[name] ?? '';
}
