import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { hlcOf } from '../../../src/domain/hlc.js';
import { openPostgresCheckpointStore } from '../../../src/targets/postgres/checkpoint-store.js';
import {
  foreignKey,
  problems,
  remedyOf,
  sourceTable,
  startPreflightBench,
  type PreflightBench,
} from './preflight-fixture.js';

let bench: PreflightBench;
before(async () => {
  bench = await startPreflightBench();
});
after(() => bench.stop());
beforeEach(() => bench.fresh());

const T = sourceTable('t', { id: 'INT8', note: 'STRING' });
const GRANTS = `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app, replicator`;

/** Everything that preflight could have left behind. */
async function dump(): Promise<unknown> {
  const [row] = await bench.admin(`
    SELECT (SELECT array_agg(nspname::text ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)') AS schemas,
      (SELECT array_agg(format('%s:%s:%s:%s', c.oid::regclass, c.relkind, c.relpersistence, c.relacl) ORDER BY c.oid) FROM pg_class c) AS relations,
      (SELECT array_agg(r.rolname::text ORDER BY r.rolname) FROM pg_roles r) AS roles`);
  return row;
}

test('a target in order has no problem, and nothing is left behind', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text);
    CREATE TABLE fired (n int); CREATE FUNCTION fire() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS
      'BEGIN PERFORM set_config(''failback.fired'', ''yes'', false); RAISE EXCEPTION ''fired''; END';
    CREATE TRIGGER tr BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION fire(); ${GRANTS}`);
  const before = await dump();
  const result = await bench.preflight([T], 'replicator');
  assert.deepEqual(problems(result), []);
  assert.equal(result.enforcementOff, true);
  assert.equal(result.tables.get('public.t')?.columns.length, 2);
  assert.deepEqual(await dump(), before);
});

test('every missing privilege is named with its GRANT, DELETE included, and the GRANT mends it', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text); GRANT SELECT, INSERT, UPDATE ON t TO app`);
  const one = await bench.preflight([T], 'app');
  assert.deepEqual(problems(one), ['blocking privilege.delete public.t']);
  assert.equal(remedyOf(one, 'privilege.delete'), 'GRANT DELETE ON "public"."t" TO "app"');

  await bench.admin('REVOKE ALL ON t FROM app');
  const all = await bench.preflight([T], 'app');
  assert.deepEqual(problems(all), [
    'blocking privilege.delete public.t',
    'blocking privilege.insert public.t',
    'blocking privilege.select public.t',
    'blocking privilege.update public.t',
  ]);
  for (const id of ['select', 'insert', 'update', 'delete']) await bench.admin(remedyOf(all, `privilege.${id}`));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);

  await bench.admin('REVOKE USAGE ON SCHEMA public FROM PUBLIC');
  const hidden = await bench.preflight([T], 'app');
  assert.deepEqual(problems(hidden), ['blocking privilege.usage schema public']);
  await bench.admin(remedyOf(hidden, 'privilege.usage'));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
});

test('a privilege on some columns alone is not enough', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text);
    GRANT SELECT, DELETE ON t TO app; GRANT INSERT (id, note), UPDATE (id) ON t TO app`);
  assert.deepEqual(problems(await bench.preflight([T], 'app')), ['blocking privilege.update public.t']);
});

test('a role that cannot create the checkpoint schema is told how', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text); ${GRANTS}`);
  await bench.admin(`DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM app', current_database()); END $$`);
  const result = await bench.preflight([T], 'app');
  assert.deepEqual(problems(result), ['blocking privilege.create schema _failback']);
  await bench.admin(`CREATE SCHEMA _failback`);
  const inside = await bench.preflight([T], 'app');
  assert.equal(remedyOf(inside, 'privilege.create'), 'GRANT USAGE, CREATE ON SCHEMA "_failback" TO "app"');
  await bench.admin(remedyOf(inside, 'privilege.create'));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
});

test('an UNLOGGED table or partition is refused (rule 23)', async () => {
  await bench.admin(`CREATE UNLOGGED TABLE t (id bigint PRIMARY KEY, note text); ${GRANTS}`);
  const result = await bench.preflight([T], 'app');
  assert.deepEqual(problems(result), ['blocking table.unlogged public.t']);
  await bench.admin(remedyOf(result, 'table.unlogged'));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
});

test('policies, rules and tables that are none are refused', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
    CREATE TABLE u (id bigint PRIMARY KEY, note text); CREATE RULE r AS ON UPDATE TO u DO INSTEAD NOTHING;
    CREATE VIEW v AS SELECT * FROM t; ${GRANTS}`);
  const [u, v, gone] = ['u', 'v', 'gone'].map((name) => sourceTable(name, { id: 'INT8', note: 'STRING' }));
  assert.ok(u && v && gone);
  const result = await bench.preflight([T, u, v, gone], 'app');
  assert.deepEqual(problems(result), [
    'blocking table.missing public.gone',
    'blocking table.not-a-table public.v',
    'blocking table.row-security public.t',
    'blocking table.rule public.u',
  ]);
  assert.equal(result.tables.get('public.gone'), null);
});

test('triggers are refused unless they can be silenced; those that fire always are named either way', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER plain AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ${GRANTS}`);
  const on = await bench.preflight([T], 'app');
  assert.deepEqual(problems(on), ['blocking trigger.fires public.t']);
  assert.equal(on.enforcementOff, false);
  assert.match(
    remedyOf(on, 'privilege.replication-role'),
    /^GRANT SET ON PARAMETER session_replication_role TO "app"$/,
  );
  assert.deepEqual(problems(await bench.preflight([T], 'replicator')), []);
  const unwanted = await bench.preflight([T], 'replicator', { enforcementOffWanted: false });
  assert.deepEqual(problems(unwanted), ['blocking trigger.fires public.t']);

  await bench.admin('ALTER TABLE t ENABLE ALWAYS TRIGGER plain');
  const always = await bench.preflight([T], 'replicator');
  assert.deepEqual(problems(always), ['blocking trigger.always public.t']);
  await bench.admin(remedyOf(always, 'trigger.always'));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
});

test('the keys of both sides must be the same columns', async () => {
  await bench.admin(`CREATE TABLE t (id bigint, note text); CREATE TABLE u (id bigint, note text PRIMARY KEY);
    CREATE TABLE w (id bigint PRIMARY KEY DEFERRABLE, note text); ${GRANTS}`);
  const result = await bench.preflight(
    [
      T,
      sourceTable('u', { id: 'INT8', note: 'STRING' }, { notNull: ['id', 'note'] }),
      sourceTable('w', { id: 'INT8', note: 'STRING' }),
    ],
    'app',
  );
  assert.deepEqual(problems(result), [
    'blocking key.deferrable public.w',
    'blocking key.differs public.t',
    'blocking key.differs public.u',
  ]);
  assert.equal(remedyOf(result, 'key.differs', 'public.t'), 'ALTER TABLE "public"."t" ADD PRIMARY KEY ("id")');
});

/** Target type of the key, source type, and whether two keys of the source could be one there. */
const KEYS: readonly (readonly [string, string, string])[] = [
  ['text', 'STRING', ''],
  ['text COLLATE loose', 'STRING', 'key.coarser'],
  ['char(8)', 'STRING', 'column.narrower key.coarser'],
  ['timestamptz(0)', 'TIMESTAMPTZ', 'key.coarser'],
  ['timestamptz', 'TIMESTAMPTZ', ''],
  ['numeric(10,2)', 'DECIMAL(10,4)', 'key.coarser'],
  ['numeric', 'DECIMAL', ''],
  ['text', 'DECIMAL', 'key.coarser'],
  ['real', 'FLOAT8', 'key.coarser'],
  ['text', 'STRING COLLATE en', 'key.unsupported'],
  ['interval', 'INTERVAL', 'key.unsupported'],
];

for (const [target, source, expected] of KEYS) {
  test(`a key ${source} in ${target}: ${expected || 'fits'} (rule 18)`, async () => {
    await bench.admin(`CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE t (id ${target} PRIMARY KEY); ${GRANTS}`);
    const result = await bench.preflight([sourceTable('t', { id: source })], 'app');
    const ids = result.findings.filter(({ severity }) => severity === 'blocking').map(({ id }) => id);
    assert.deepEqual(ids.sort().join(' '), expected);
  });
}

test('a hash-sharded key is refused: its first column is never sent', async () => {
  await bench.admin(`CREATE TABLE t (shard int, id bigint, PRIMARY KEY (shard, id)); ${GRANTS}`);
  const source = sourceTable('t', { id: 'INT8' }, { primaryKey: ['shard', 'id'] });
  const shard = { name: 'shard', type: 'INT8', nullable: false, virtual: true };
  const result = await bench.preflight([{ ...source, columns: [shard, ...source.columns] }], 'app');
  assert.ok(problems(result).includes('blocking key.virtual public.t.shard'));
});

test('columns: missing, narrower, never sent, refusing NULL, identity', async () => {
  await bench.admin(`CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Note" varchar(5), n int NOT NULL, own text NOT NULL,
      filled text NOT NULL DEFAULT '', other int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (n * 2) STORED,
      v int); ${GRANTS}`);
  const source = sourceTable(
    't',
    {
      id: 'INT8',
      note: 'STRING',
      n: 'INT4',
      other: 'INT4',
      twice: 'INT4',
      "it's": 'DECIMAL(10,2)',
      shape: 'GEOMETRY',
    },
    { notNull: ['id', 'other'] },
  );
  const result = await bench.preflight(
    [{ ...source, columns: [...source.columns, { name: 'v', type: 'INT8', nullable: true, virtual: true }] }],
    'app',
  );
  assert.deepEqual(problems(result), [
    'blocking column.identity-always public.t.other',
    "blocking column.missing public.t.it's",
    'blocking column.missing public.t.shape',
    'blocking column.narrower public.t.Note',
    'blocking column.not-sent public.t.own',
    'blocking column.refuses-null public.t.n',
    'warning column.virtual public.t.v',
  ]);
  assert.match(remedyOf(result, 'column.missing', 'public.t.shape'), /^Leave the table out/);
  for (const finding of result.findings) {
    if (finding.remedy.kind === 'statement' && finding.id.startsWith('column.')) await bench.admin(finding.remedy.sql);
  }
  assert.deepEqual(problems(await bench.preflight([source], 'app')), ['blocking column.missing public.t.shape']);
});

test('foreign keys: outside the stream, on one side only, with other actions, in rings (rule 25)', async () => {
  await bench.admin(`
    CREATE TABLE p (id bigint PRIMARY KEY); CREATE TABLE outside (id bigint PRIMARY KEY);
    CREATE TABLE t (id bigint PRIMARY KEY, p bigint CONSTRAINT to_p REFERENCES p ON DELETE CASCADE,
      o bigint CONSTRAINT to_outside REFERENCES outside);
    CREATE TABLE stranger (id bigint PRIMARY KEY, t bigint CONSTRAINT from_stranger REFERENCES t); ${GRANTS}`);
  const p = sourceTable('p', { id: 'INT8' });
  const t = sourceTable('t', { id: 'INT8', p: 'INT8', o: 'INT8' }, { foreignKeys: [foreignKey(['p'], 'p')] });
  const mixed = await bench.preflight([p, t], 'replicator');
  assert.equal(mixed.enforcementOff, false, 'the role may, but tables outside would be left unchecked');
  assert.deepEqual(problems(mixed), [
    'blocking foreign-key.actions-differ public.t',
    'warning foreign-key.referenced-from-outside public.t',
    'warning foreign-key.references-outside public.t',
  ]);
  await bench.admin('DROP TABLE stranger; ALTER TABLE t DROP CONSTRAINT to_outside');
  const alone = await bench.preflight([p, t], 'replicator');
  assert.equal(alone.enforcementOff, true);
  assert.deepEqual(problems(alone), ['warning foreign-key.actions-differ public.t']);
  await bench.admin(remedyOf(alone, 'foreign-key.actions-differ'));
  assert.deepEqual(problems(await bench.preflight([p, t], 'app')), []);

  const without = await bench.preflight([p, { ...t, foreignKeys: [] }], 'replicator');
  assert.equal(without.enforcementOff, false, 'the source does not enforce it');
  assert.deepEqual(problems(without), ['warning foreign-key.target-only public.t']);
});

test('a ring of foreign keys is a warning until it can be checked late', async () => {
  await bench.admin(`CREATE TABLE a (id bigint PRIMARY KEY, b bigint); CREATE TABLE b (id bigint PRIMARY KEY, a bigint REFERENCES a);
    ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b; ${GRANTS}`);
  const tables = [
    sourceTable('a', { id: 'INT8', b: 'INT8' }, { foreignKeys: [foreignKey(['b'], 'b')] }),
    sourceTable('b', { id: 'INT8', a: 'INT8' }, { foreignKeys: [foreignKey(['a'], 'a')] }),
  ];
  const result = await bench.preflight(tables, 'app');
  assert.deepEqual(problems(result), ['warning foreign-key.cycle public.a, public.b']);
  await bench.admin(remedyOf(result, 'foreign-key.cycle'));
  assert.deepEqual(problems(await bench.preflight(tables, 'app')), []);
});

test('unique keys and constraints that the source does not have are warnings', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text UNIQUE CHECK (note <> '')); ${GRANTS}`);
  assert.deepEqual(problems(await bench.preflight([T], 'app')), [
    'warning key.unique public.t',
    'warning table.constraint public.t',
  ]);
  const same = await bench.preflight([{ ...T, uniqueKeys: [['note']] }], 'app');
  assert.deepEqual(problems(same), ['warning table.constraint public.t']);
});

test('a deferrable key that the source does not have keeps enforcement on: PostgreSQL would not check it (rule 25)', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text, CONSTRAINT once UNIQUE (note) DEFERRABLE,
    CONSTRAINT apart EXCLUDE USING hash (note WITH =) DEFERRABLE); ${GRANTS}`);
  const result = await bench.preflight([T], 'replicator');
  assert.equal(result.enforcementOff, false);
  assert.deepEqual(problems(result), [
    'warning key.unchecked public.t',
    'warning key.unchecked public.t',
    'warning key.unique public.t',
    'warning table.constraint public.t',
  ]);
  for (const { id, remedy } of result.findings) {
    if (id === 'key.unchecked' && remedy.kind === 'statement') await bench.admin(remedy.sql);
  }
  const mended = await bench.preflight([T], 'replicator');
  assert.equal(mended.enforcementOff, true);
  assert.deepEqual(problems(mended), ['warning key.unique public.t', 'warning table.constraint public.t']);
  await bench.admin(
    'ALTER TABLE t DROP CONSTRAINT apart, DROP CONSTRAINT once, ADD CONSTRAINT once UNIQUE (note) DEFERRABLE',
  );
  const same = await bench.preflight([{ ...T, uniqueKeys: [['note']] }], 'replicator');
  assert.equal(same.enforcementOff, true, 'the source has checked it');
  assert.deepEqual(problems(same), []);
});

test('unique values that cannot change hands because of a table outside the stream', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text CONSTRAINT once UNIQUE);
    CREATE TABLE stranger (t bigint CONSTRAINT to_t REFERENCES t ON DELETE CASCADE); ${GRANTS}`);
  const t = { ...T, uniqueKeys: [['note']] };
  const result = await bench.preflight([t], 'app', { enforcementOffWanted: false });
  assert.deepEqual(problems(result), ['warning key.held-from-outside public.t']);
  await bench.admin(remedyOf(result, 'key.held-from-outside'));
  assert.deepEqual(problems(await bench.preflight([t], 'app', { enforcementOffWanted: false })), []);
});

test("another run's claim and another run's checkpoint row refuse; one's own is continued (rules 33 and 1)", async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text); ${GRANTS}`);
  const [row] = await bench.admin('SELECT current_database() AS name');
  const connection = { connectionString: bench.server.url(String(row?.name), 'app'), applicationName: 'failback test' };
  const store = await openPostgresCheckpointStore(connection, '_failback');
  await store.ensureSchema();
  await store.claimTables('other', [T.table]);
  const origin = { clusterId: 'c', tableIds: {} };
  await store.insertOnce({ stream: 'orders-1', run: 'other', cursor: hlcOf(5n), origin });
  assert.deepEqual(problems(await bench.preflight([T], 'app')), [
    'blocking checkpoint.exists stream orders-1',
    'blocking table.claimed public.t',
  ]);
  await store.removeRun('other');
  await store.ensureSchema();
  await store.claimTables('orders', [T.table]);
  await store.insertOnce({ stream: 'orders-1', run: 'orders', cursor: hlcOf(5n), origin });
  const own = await bench.preflight([T], 'app');
  assert.deepEqual(problems(own), []);
  assert.match(own.findings.find(({ id }) => id === 'checkpoint.exists')?.found ?? '', /applied up to 5\.0000000000$/);
  const stranger = await bench.preflight([T], 'replicator');
  assert.ok(problems(stranger).every((problem) => problem.startsWith('blocking privilege.checkpoint')));
  assert.ok(problems(stranger).some((problem) => problem.endsWith('.dead_letters')));
  await store.close();
});

test('tables of the source that would share one table on the target are refused: of one name in two schemas, or alike but for case', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note text); CREATE SCHEMA s2; CREATE TABLE s2.t (LIKE t INCLUDING ALL); ${GRANTS};
    GRANT USAGE ON SCHEMA s2 TO replicator; GRANT SELECT, INSERT, UPDATE, DELETE ON s2.t TO replicator`);
  const other = { ...T, table: { schema: 's2', table: 't' } };
  const folded = { ...T, table: { schema: 'public', table: 'T' } };
  const into = (source: typeof T, schema: string) => ({ source, target: { ...source.table, schema } });

  const own = await bench.preflight([], 'replicator', { tables: [into(T, 'public'), into(other, 's2')] });
  assert.deepEqual(problems(own), []);
  assert.deepEqual(
    [...own.tables.values()].map((table) => table?.name.schema),
    ['public', 's2'],
  );

  for (const tables of [
    [into(T, 'public'), into(other, 'public')],
    [into(T, 'public'), into(folded, 'public')],
  ]) {
    const shared = await bench.preflight([], 'replicator', { tables });
    assert.deepEqual(problems(shared), ['blocking table.shared public.t']);
    assert.match(remedyOf(shared, 'table.shared'), /leave all but one out/);
  }
});
