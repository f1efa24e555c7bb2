import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { hlcOf } from '../../../src/domain/hlc.js';
import { connectMysql } from '../../../src/targets/mysql/client.js';
import { describeTables } from '../../../src/targets/mysql/introspection.js';
import { checkTriggersSeen } from '../../../src/targets/mysql/preflight-sight.js';
import { openMysqlCheckpointStore } from '../../../src/targets/mysql/checkpoint-store.js';
import {
  foreignKey,
  problems,
  remedyOf,
  statementOf,
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

const T = sourceTable('t', { id: 'INT8', note: 'VARCHAR(20)' });
const TABLE = 'CREATE TABLE t (id bigint PRIMARY KEY, note varchar(20))';

/** What a user needs on every table of the present database. */
function grant(privileges = 'SELECT, INSERT, UPDATE, DELETE, TRIGGER'): Promise<unknown> {
  return bench.admin(`GRANT ${privileges} ON ${bench.database()}.* TO app@127.0.0.1`);
}

/** Everything that preflight could have left behind. */
function dump(): Promise<unknown> {
  return bench.admin(`
    SELECT CONCAT_WS(' ', TABLE_SCHEMA, TABLE_NAME, CREATE_TIME, UPDATE_TIME) AS line FROM information_schema.TABLES
    WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
    UNION ALL SELECT SCHEMA_NAME FROM information_schema.SCHEMATA
    UNION ALL SELECT CONCAT_WS(' ', GRANTEE, PRIVILEGE_TYPE) FROM information_schema.USER_PRIVILEGES ORDER BY 1`);
}

test('a target in order has no problem, and nothing is left behind', async () => {
  await bench.admin(TABLE);
  await grant();
  const before = await dump();
  const result = await bench.preflight([T], 'app');
  assert.deepEqual(problems(result), []);
  assert.equal(result.enforcementOff, true);
  assert.equal(result.tables.get(`${bench.database()}.t`)?.columns.length, 2);
  assert.deepEqual(await dump(), before);
});

test('every missing privilege is named with its GRANT, DELETE included, and the GRANT mends it', async () => {
  await bench.admin(TABLE);
  await grant('SELECT, INSERT, UPDATE, TRIGGER');
  const one = await bench.preflight([T], 'app');
  assert.deepEqual(problems(one), ['blocking privilege.delete t']);
  assert.equal(remedyOf(one, 'privilege.delete'), `GRANT DELETE ON \`${bench.database()}\`.\`t\` TO 'app'@'127.0.0.1'`);

  await bench.admin(`REVOKE SELECT, INSERT, UPDATE, TRIGGER ON ${bench.database()}.* FROM app@127.0.0.1`);
  // Whoever has no privilege in a database may not connect to it.
  await assert.rejects(bench.preflight([T], 'app'), /Access denied for user 'app'@'127.0.0.1' to database/);
  await bench.admin(`CREATE TABLE other (id int);\nGRANT SELECT ON other TO app@127.0.0.1`);
  const all = await bench.preflight([T], 'app');
  assert.deepEqual(problems(all), [
    'blocking privilege.delete t',
    'blocking privilege.insert t',
    'blocking privilege.select t',
    'blocking privilege.update t',
  ]);
  for (const id of ['select', 'insert', 'update', 'delete']) await bench.admin(remedyOf(all, `privilege.${id}`));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
});

test('a privilege on some columns alone is not enough, and hides no column from the one who reads the findings', async () => {
  await bench.admin(TABLE);
  await bench.admin(`GRANT DELETE, TRIGGER ON t TO app@127.0.0.1`);
  await bench.admin(`GRANT SELECT (id), INSERT (id, note), UPDATE (id) ON t TO app@127.0.0.1`);
  const result = await bench.preflight([T], 'app');
  assert.deepEqual(problems(result), ['blocking privilege.select t', 'blocking privilege.update t']);
  for (const id of ['select', 'update']) await bench.admin(remedyOf(result, `privilege.${id}`));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
});

test('who has a privilege on one column alone is told the others, as far as he sees the columns', async () => {
  await bench.admin(TABLE);
  await bench.admin('GRANT SELECT (id) ON t TO app@127.0.0.1');
  assert.deepEqual(problems(await bench.preflight([T], 'app')), [
    'blocking privilege.delete t',
    'blocking privilege.insert t',
    'blocking privilege.select t',
  ]);
});

test("a role's privileges count", async () => {
  await bench.admin(`${TABLE};
    CREATE OR REPLACE ROLE writer;
    GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON ${bench.database()}.* TO writer;
    GRANT writer TO app@127.0.0.1;
    SET DEFAULT ROLE writer FOR app@127.0.0.1`);
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
});

test('a user who cannot create the checkpoint database is told how', async () => {
  await bench.admin(TABLE);
  await grant();
  await bench.admin('REVOKE CREATE ON `\\_failback`.* FROM app@127.0.0.1');
  const result = await bench.preflight([T], 'app');
  assert.deepEqual(problems(result), ['blocking privilege.create schema _failback']);
  const statement = remedyOf(result, 'privilege.create');
  assert.equal(statement, "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON `\\_failback`.* TO 'app'@'127.0.0.1'");
  await bench.admin(statement);
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
  const store = await openMysqlCheckpointStore(
    { connectionString: bench.url('app'), applicationName: 'failback test' },
    '_failback',
  );
  await store.ensureSchema();
  await store.close();
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
});

test('an engine without transactions is refused (rule 23)', async () => {
  await bench.admin(`${TABLE} ENGINE = MyISAM`);
  await grant();
  const result = await bench.preflight([T], 'app');
  assert.deepEqual(problems(result), ['blocking table.engine t']);
  await bench.admin(remedyOf(result, 'table.engine'));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
});

test('missing tables and views are refused; names match whatever their case', async () => {
  await bench.admin(`CREATE TABLE Orders (id bigint PRIMARY KEY, Note varchar(20));
    CREATE VIEW v AS SELECT * FROM Orders`);
  await grant();
  const result = await bench.preflight(
    [
      sourceTable('orders', { id: 'INT8', note: 'VARCHAR(20)' }),
      sourceTable('v', { id: 'INT8' }),
      sourceTable('gone', { id: 'INT8' }),
    ],
    'app',
  );
  assert.deepEqual(problems(result), ['blocking table.missing gone', 'blocking table.not-a-table v']);
  assert.equal(result.tables.get(`${bench.database()}.orders`)?.name.table, 'Orders');
  await bench.admin('CREATE TABLE ORDERS (id bigint PRIMARY KEY)');
  const twice = await bench.preflight([sourceTable('orders', { id: 'INT8' })], 'app');
  assert.deepEqual(problems(twice), ['blocking table.missing orders']);
});

test('a trigger is refused: nothing silences it; its name is seen without the privilege TRIGGER', async () => {
  await bench.admin(`${TABLE};
    CREATE TRIGGER \`the trigger\` BEFORE INSERT ON t FOR EACH ROW SET NEW.note = 'x'`);
  await grant('SELECT, INSERT, UPDATE, DELETE');
  const result = await bench.preflight([T], 'app');
  assert.deepEqual(problems(result), ['blocking trigger.fires t']);
  await bench.admin(remedyOf(result, 'trigger.fires'));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
});

test('where the privilege TRIGGER is needed to see triggers, as on MySQL, it is asked for', async () => {
  await bench.admin(TABLE);
  const look = async () => {
    const client = await connectMysql({ connectionString: bench.url('app'), applicationName: 'failback test' });
    const found = await describeTables(client, [{ schema: bench.database(), table: 't' }]);
    const [target] = [...found.values()].flatMap((table) => table ?? []);
    assert.ok(target);
    const findings = await checkTriggersSeen(client, [{ source: T, target }], 'app@127.0.0.1', 'MySQL');
    await client.close();
    return findings.map(statementOf);
  };
  await grant('SELECT');
  const statement = `GRANT TRIGGER ON \`${bench.database()}\`.\`t\` TO 'app'@'127.0.0.1'`;
  assert.deepEqual(await look(), [statement]);
  await bench.admin(statement);
  assert.deepEqual(await look(), []);
  await bench.admin(`REVOKE TRIGGER ON t FROM app@127.0.0.1`);
  assert.deepEqual(await look(), [statement]);
  await bench.admin(`GRANT TRIGGER ON \`${bench.database().slice(0, -1)}_\`.* TO app@127.0.0.1`);
  assert.deepEqual(await look(), [], 'the name of a database is a pattern');
});

test('the keys of both sides must be the same columns', async () => {
  await bench.admin(`CREATE TABLE t (id bigint NOT NULL, note varchar(20));
    CREATE TABLE u (id bigint NOT NULL, note varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY)`);
  await grant();
  const tables = [T, sourceTable('u', { id: 'INT8', note: 'VARCHAR(20)' }, { notNull: ['id', 'note'] })];
  const result = await bench.preflight(tables, 'app');
  assert.deepEqual(problems(result), ['blocking key.differs t', 'blocking key.differs u']);
  await bench.admin(remedyOf(result, 'key.differs', 't'));
  assert.deepEqual(problems(await bench.preflight(tables, 'app')), ['blocking key.differs u']);
});

/** Target type of the key, source type, and whether two keys of the source could be one there. */
const KEYS: readonly (readonly [string, string, string])[] = [
  ['varchar(20) COLLATE utf8mb4_nopad_bin', 'VARCHAR(20)', ''],
  ['varchar(20) COLLATE utf8mb4_bin', 'VARCHAR(20)', 'key.coarser'],
  ['varchar(20) COLLATE utf8mb4_general_ci', 'VARCHAR(20)', 'key.coarser'],
  ['varchar(20) COLLATE utf8mb4_unicode_nopad_ci', 'VARCHAR(20)', 'key.coarser'],
  ['varchar(500) COLLATE utf8mb4_general_ci', 'STRING', 'key.coarser'],
  ['char(8) COLLATE utf8mb4_nopad_bin', 'CHAR(8)', 'key.coarser'],
  ['char(36) COLLATE utf8mb4_general_ci', 'UUID', ''],
  ['binary(16)', 'UUID', ''],
  ['uuid', 'UUID', ''],
  ['varbinary(100)', 'BYTES', ''],
  ['binary(20)', 'BYTES', 'column.narrower key.coarser'],
  ['datetime', 'TIMESTAMP', 'key.coarser'],
  ['datetime(6)', 'TIMESTAMP', ''],
  ['datetime(3)', 'TIMESTAMP(3)', ''],
  ['decimal(10,2)', 'DECIMAL(10,4)', 'key.coarser'],
  ['decimal(10,4)', 'DECIMAL(10,4)', ''],
  ['float', 'FLOAT8', 'key.coarser'],
  ['double', 'FLOAT8', ''],
  ['double(10,2)', 'FLOAT8', 'key.coarser'],
  ['varchar(40)', 'DECIMAL(10,4)', 'column.narrower key.coarser'],
  ['varchar(40)', 'STRING COLLATE en', 'key.coarser key.unsupported'],
];

for (const [target, source, expected] of KEYS) {
  test(`a key ${source} in ${target}: ${expected || 'fits'}, and the ALTER TABLE mends it (rule 18)`, async () => {
    await bench.admin(`CREATE TABLE t (id ${target} PRIMARY KEY)`);
    await grant();
    const tables = [sourceTable('t', { id: source })];
    const result = await bench.preflight(tables, 'app');
    const ids = result.findings.filter(({ severity }) => severity === 'blocking').map(({ id }) => id);
    if (expected.includes('unsupported')) return assert.deepEqual(ids, ['key.unsupported']);
    assert.deepEqual(ids.sort().join(' '), expected);
    if (!expected.includes('coarser')) return;
    await bench.admin(remedyOf(result, 'key.coarser'));
    assert.deepEqual(
      problems(await bench.preflight(tables, 'app')).filter((one) => one.startsWith('blocking')),
      [],
    );
  });
}

test('a hash-sharded key is refused: its first column is never sent', async () => {
  await bench.admin('CREATE TABLE t (shard int, id bigint, PRIMARY KEY (shard, id))');
  await grant();
  const source = sourceTable('t', { id: 'INT8' }, { primaryKey: ['shard', 'id'] });
  const shard = { name: 'shard', type: 'INT8', nullable: false, virtual: true };
  const result = await bench.preflight([{ ...source, columns: [shard, ...source.columns] }], 'app');
  assert.ok(problems(result).includes('blocking key.virtual t.shard'));
});

test('columns: missing, narrower, never sent, refusing NULL, generated', async () => {
  await bench.admin(`CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, Note varchar(5), n int NOT NULL, own varchar(9) NOT NULL,
      filled varchar(9) NOT NULL DEFAULT '', twice int AS (n * 2) STORED, v int, latin varchar(20) CHARACTER SET latin1,
      mood enum('sad','it''s') NOT NULL)`);
  await grant();
  const source = sourceTable(
    't',
    {
      id: 'INT8',
      note: 'VARCHAR(30)',
      n: 'INT4',
      twice: 'INT4',
      latin: 'VARCHAR(20)',
      mood: 'public.mood',
      "it's": 'DECIMAL(10,2)',
      tick: 'VARCHAR(5)',
      shape: 'GEOMETRY',
    },
    { notNull: ['id', 'mood'] },
  );
  const columns = source.columns.map((column) =>
    column.name === 'mood' ? { ...column, enumLabels: ['sad', "it's", 'a\\b'] } : column,
  );
  const result = await bench.preflight(
    [{ ...source, columns: [...columns, { name: 'v', type: 'INT8', nullable: true, virtual: true }] }],
    'app',
  );
  assert.deepEqual(problems(result), [
    "blocking column.missing t.it's",
    'blocking column.missing t.shape',
    'blocking column.missing t.tick',
    'blocking column.narrower t.Note',
    'blocking column.narrower t.latin',
    'blocking column.narrower t.mood',
    'blocking column.not-sent t.own',
    'blocking column.refuses-null t.n',
    'warning column.virtual t.v',
  ]);
  assert.match(remedyOf(result, 'column.missing', 't.shape'), /^Leave the table out/);
  for (const finding of result.findings) {
    if (finding.remedy.kind === 'statement' && finding.id.startsWith('column.')) await bench.admin(finding.remedy.sql);
  }
  assert.deepEqual(problems(await bench.preflight([{ ...source, columns }], 'app')), [
    'blocking column.missing t.shape',
  ]);
  const [mood] = await bench.admin(
    `SELECT IS_NULLABLE AS nullable FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = '${bench.database()}' AND COLUMN_NAME = 'mood'`,
  );
  assert.equal(mood?.['nullable'], 'NO', 'MODIFY says all of the column anew');
  const left = await bench.preflight([{ ...source, columns }], 'app', { extraColumns: 'ignore' });
  assert.deepEqual(problems(left), []);
  const into = await bench.preflight([{ ...source, columns }], 'app', { extraColumns: { into: 'rest' } });
  assert.deepEqual(problems(into), ['blocking column.collecting t.rest']);
  await bench.admin(remedyOf(into, 'column.collecting'));
  assert.deepEqual(
    problems(await bench.preflight([{ ...source, columns }], 'app', { extraColumns: { into: 'rest' } })),
    [],
  );
});

test('foreign keys: outside the stream, on one side only, with other actions, in rings (rule 25)', async () => {
  await bench.admin(`CREATE TABLE parent (id bigint PRIMARY KEY);
    CREATE TABLE t (id bigint PRIMARY KEY, parent bigint, other bigint,
      CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE,
      CONSTRAINT to_other FOREIGN KEY (other) REFERENCES parent (id));
    CREATE TABLE stranger (id bigint PRIMARY KEY, t bigint, CONSTRAINT to_t FOREIGN KEY (t) REFERENCES t (id) ON DELETE SET NULL)`);
  await bench.admin(`GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON t TO app@127.0.0.1;
    GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON parent TO app@127.0.0.1`);
  const parent = sourceTable('parent', { id: 'INT8' });
  const t = sourceTable(
    't',
    { id: 'INT8', parent: 'INT8', other: 'INT8' },
    { foreignKeys: [foreignKey(['parent'], 'parent')] },
  );
  const result = await bench.preflight([parent, t], 'app');
  assert.deepEqual(problems(result), [
    'blocking foreign-key.actions-differ t',
    'warning foreign-key.referenced-from-outside t',
    'warning foreign-key.target-only t',
  ]);
  assert.equal(result.enforcementOff, false);
  assert.match(
    result.findings.find(({ id }) => id === 'foreign-key.referenced-from-outside')?.found ?? '',
    /to_t .*stranger ON DELETE SET NULL$/,
    'which this user may not see but by PROCESS',
  );
  await bench.admin(remedyOf(result, 'foreign-key.actions-differ'));
  await bench.admin(`DROP TABLE stranger;
    ALTER TABLE t DROP FOREIGN KEY to_other`);
  const mended = await bench.preflight([parent, t], 'app');
  assert.deepEqual(problems(mended), []);
  assert.equal(mended.enforcementOff, true);
  assert.deepEqual(problems(await bench.preflight([t], 'app')), ['warning foreign-key.references-outside t']);

  await bench.admin('REVOKE PROCESS ON *.* FROM app@127.0.0.1');
  const blind = await bench.preflight([parent, t], 'app');
  assert.equal(blind.enforcementOff, false, 'nobody knows who references these tables');
  assert.equal(remedyOf(blind, 'privilege.process'), "GRANT PROCESS ON *.* TO 'app'@'127.0.0.1'");
  await bench.admin(remedyOf(blind, 'privilege.process'));
  assert.equal((await bench.preflight([parent, t], 'app')).enforcementOff, true);
});

test('a ring of foreign keys is a note, which tells of the second attempt while they stay on', async () => {
  await bench.admin(`CREATE TABLE a (id bigint PRIMARY KEY, b bigint);
    CREATE TABLE b (id bigint PRIMARY KEY, a bigint, CONSTRAINT to_a FOREIGN KEY (a) REFERENCES a (id));
    ALTER TABLE a ADD CONSTRAINT to_b FOREIGN KEY (b) REFERENCES b (id)`);
  await grant();
  const tables = [
    sourceTable('a', { id: 'INT8', b: 'INT8' }, { foreignKeys: [foreignKey(['b'], 'b')] }),
    sourceTable('b', { id: 'INT8', a: 'INT8' }, { foreignKeys: [foreignKey(['a'], 'a')] }),
  ];
  for (const [enforcementOffWanted, words] of [
    [true, /not checked while/],
    [false, /takes a second attempt/],
  ] as const) {
    const result = await bench.preflight(tables, 'app', { enforcementOffWanted });
    assert.deepEqual(problems(result), []);
    assert.match(result.findings.find(({ id }) => id === 'foreign-key.cycle')?.message ?? '', words);
  }
});

test('unique keys and constraints that the source does not have are warnings, and so are coarser ones', async () => {
  await bench.admin(
    `CREATE TABLE t (id bigint PRIMARY KEY, note varchar(20) COLLATE utf8mb4_bin UNIQUE CHECK (note <> ''), j json)`,
  );
  await grant();
  const t = sourceTable('t', { id: 'INT8', note: 'VARCHAR(20)', j: 'JSONB' });
  assert.deepEqual(problems(await bench.preflight([t], 'app')), ['warning key.unique t', 'warning table.constraint t']);
  const same = { ...t, uniqueKeys: [['note']] };
  assert.deepEqual(problems(await bench.preflight([same], 'app')), ['warning table.constraint t']);
  await bench.admin('ALTER TABLE t MODIFY note varchar(20) COLLATE utf8mb4_general_ci');
  assert.deepEqual(problems(await bench.preflight([same], 'app')), ['warning key.unique t']);
  await bench.admin('ALTER TABLE t DROP KEY note, ADD UNIQUE KEY note (note(5))');
  assert.deepEqual(problems(await bench.preflight([same], 'app')), ['warning key.unique t']);
});

test('unique values that cannot change hands because of a table outside the stream', async () => {
  await bench.admin(`CREATE TABLE t (id bigint PRIMARY KEY, note varchar(20) COLLATE utf8mb4_bin, UNIQUE KEY once (note));
    CREATE TABLE stranger (t bigint, CONSTRAINT to_t FOREIGN KEY (t) REFERENCES t (id))`);
  await grant();
  const t = { ...T, uniqueKeys: [['note']] };
  const result = await bench.preflight([t], 'app', { enforcementOffWanted: false });
  assert.deepEqual(problems(result), ['warning key.held-from-outside t']);
  await bench.admin('DROP TABLE stranger');
  assert.deepEqual(problems(await bench.preflight([t], 'app', { enforcementOffWanted: false })), []);
});

test("another run's claim and another run's checkpoint row refuse; one's own is continued (rules 33 and 1)", async () => {
  await bench.admin(TABLE);
  await grant();
  const store = await openMysqlCheckpointStore(
    { connectionString: bench.url('app'), applicationName: 'failback test' },
    '_failback',
  );
  const table = { schema: bench.database(), table: 't' };
  await store.ensureSchema();
  await store.claimTables('other', [table]);
  const origin = { clusterId: 'c', tableIds: {} };
  await store.insertOnce({ stream: 'orders-1', run: 'other', cursor: hlcOf(5n), origin });
  assert.deepEqual(problems(await bench.preflight([T], 'app')), [
    'blocking checkpoint.exists stream orders-1',
    'blocking table.claimed t',
  ]);
  await store.removeRun('other');
  await store.ensureSchema();
  await store.claimTables('orders', [table]);
  await store.insertOnce({ stream: 'orders-1', run: 'orders', cursor: hlcOf(5n), origin });
  const own = await bench.preflight([T], 'app');
  assert.deepEqual(problems(own), []);
  assert.match(own.findings.find(({ id }) => id === 'checkpoint.exists')?.found ?? '', /applied up to 5\.0000000000$/);

  await bench.admin('REVOKE UPDATE ON `\\_failback`.* FROM app@127.0.0.1');
  const closed = await bench.preflight([T], 'app');
  assert.ok(problems(closed).length > 0);
  assert.ok(problems(closed).every((problem) => problem.startsWith('blocking privilege.checkpoint')));
  for (const { id, remedy } of closed.findings)
    if (id === 'privilege.checkpoint' && remedy.kind === 'statement') await bench.admin(remedy.sql);
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);

  await bench.admin('ALTER TABLE _failback.failback_checkpoint ENGINE = Aria');
  const engine = await bench.preflight([T], 'app');
  assert.deepEqual(problems(engine), ['blocking checkpoint.engine _failback.failback_checkpoint']);
  await bench.admin(remedyOf(engine, 'checkpoint.engine'));
  assert.deepEqual(problems(await bench.preflight([T], 'app')), []);
  await store.close();
});

test('tables of the source that would share one table on the target are refused', async () => {
  await bench.admin(TABLE);
  await grant();
  const into = (schema: string, table: string) => ({
    source: { ...T, table: { schema, table } },
    target: { schema: bench.database(), table },
  });
  for (const other of [into('s2', 't'), into('public', 'T')]) {
    const shared = await bench.preflight([], 'app', { tables: [into('public', 't'), other] });
    assert.deepEqual(problems(shared), ['blocking table.shared t']);
  }
});

test("the drain's sentinel table: missing, unfit, closed", async () => {
  await grant('CREATE');
  const sentinel = { schema: bench.database(), table: 'sentinel' };
  const check = () => bench.preflight([], 'app', { sentinel });
  await grant();
  const missing = await check();
  assert.deepEqual(problems(missing), ['blocking sentinel.missing sentinel']);
  await bench.admin(`CREATE TABLE sentinel (id varchar(9) PRIMARY KEY, written_at datetime, own int NOT NULL)`);
  const unfit = await check();
  assert.deepEqual(problems(unfit), ['blocking sentinel.unfit sentinel']);
  assert.match(unfit.findings.find(({ id }) => id === 'sentinel.unfit')?.found ?? '', /36.*column own has no default/);
  await bench.admin('DROP TABLE sentinel');
  await bench.admin(remedyOf(missing, 'sentinel.missing'));
  const fit = await check();
  assert.deepEqual(problems(fit), []);
  assert.deepEqual(fit.sentinel, sentinel);
  await bench.admin(`REVOKE DELETE ON ${bench.database()}.* FROM app@127.0.0.1`);
  const closed = await check();
  assert.deepEqual(problems(closed), ['blocking privilege.delete sentinel']);
  await bench.admin(remedyOf(closed, 'privilege.delete'));
  assert.deepEqual(problems(await check()), []);
});

test('immediate mode says what readers see, and which rows wait', async () => {
  await bench.admin(`CREATE TABLE p (id bigint PRIMARY KEY);
    CREATE TABLE t (id bigint PRIMARY KEY, note varchar(20), p bigint, FOREIGN KEY (p) REFERENCES p (id))`);
  await grant();
  const tables = [T, sourceTable('p', { id: 'INT8' })].map((table) =>
    table === T ? sourceTable('t', { id: 'INT8', note: 'VARCHAR(20)', p: 'INT8' }) : table,
  );
  const result = await bench.preflight(tables, 'app', { immediate: true });
  assert.deepEqual(problems(result), [
    'warning apply.immediate apply.mode',
    'warning apply.immediate.foreign-keys apply.mode',
    'warning foreign-key.target-only t',
  ]);
});
