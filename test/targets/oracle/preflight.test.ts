import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseHlc } from '../../../src/domain/hlc.js';
import { createCheckpointClient } from '../../../src/targets/oracle/checkpoint-client.js';
import { oracleCheckpointDialect } from '../../../src/targets/oracle/checkpoint-dialect.js';
import { toTargetError } from '../../../src/targets/oracle/errors.js';
import { createCheckpointStore } from '../../../src/targets/portable/checkpoint-store.js';
import { startH2, type H2 } from '../../support/h2.js';
import { createPreflightBench, problems, remedyOf, sourceTable } from './preflight-fixture.js';

const ORDERS = sourceTable('orders', { id: 'INT8', note: 'STRING(20)', price: 'DECIMAL(10,2)' });
const DDL = `CREATE TABLE "ORDERS" ("ID" NUMBER(19) PRIMARY KEY, "NOTE" VARCHAR2(20), "PRICE" NUMBER(10,2))`;

describe('preflight of Oracle, on H2', () => {
  let h2: H2;
  before(async () => {
    h2 = await startH2();
  });
  after(() => h2.stop());

  test('a table that is as the source has it, and its privileges, are found without a problem', async (t) => {
    const bench = await createPreflightBench(t, h2, DDL);
    const preflight = await bench.preflight(bench.owner, [ORDERS]);
    assert.deepEqual(problems(preflight, bench.schema), []);
    assert.deepEqual(preflight.tables.get('public.orders'), undefined);
    const table = preflight.tables.get(`${bench.schema}.orders`);
    assert.deepEqual(table?.name, { schema: bench.schema, table: 'ORDERS' });
    assert.deepEqual(table.primaryKey, ['ID']);
    assert.deepEqual(
      table.columns.map(({ name, declared }) => `${name} ${declared}`),
      ['ID NUMBER(19,0)', 'NOTE VARCHAR2(20 CHAR)', 'PRICE NUMBER(10,2)'],
    );
  });

  test('each privilege that lacks is the statement that grants it', async (t) => {
    const bench = await createPreflightBench(t, h2, DDL);
    const plain = await bench.plain();
    await bench.run(`GRANT SELECT ON "ORDERS" TO "SESSION_USER"`);
    const preflight = await bench.preflight(plain, [ORDERS]);
    assert.deepEqual(problems(preflight, bench.schema), [
      'blocking privilege.delete ORDERS',
      'blocking privilege.insert ORDERS',
      'blocking privilege.update ORDERS',
    ]);
    for (const privilege of ['INSERT', 'UPDATE', 'DELETE'])
      assert.equal(
        remedyOf(preflight, `privilege.${privilege.toLowerCase()}`),
        `GRANT ${privilege} ON "${bench.schema}"."ORDERS" TO "SESSION_USER"`,
      );
    assert.equal(
      remedyOf(preflight, 'privilege.create'),
      'GRANT CREATE ANY TABLE, COMMENT ANY TABLE TO "SESSION_USER"',
    );
    assert.equal(
      remedyOf(preflight, 'privilege.end-session'),
      'GRANT SELECT ON "SYS"."GV_$SESSION" TO "SESSION_USER"; GRANT SELECT ON "SYS"."GV_$LOCKED_OBJECT" TO "SESSION_USER"; GRANT ALTER SYSTEM TO "SESSION_USER"',
    );
    assert.equal(remedyOf(preflight, 'privilege.trigger'), 'GRANT SELECT ON "SYS"."DBA_TRIGGERS" TO "SESSION_USER"');
    // Mended one by one, as said.
    for (const finding of preflight.findings)
      if (/^privilege\.(insert|update|delete)$/.test(finding.id) && finding.remedy.kind === 'statement')
        await bench.owner.script(finding.remedy.sql);
    assert.deepEqual(problems(await bench.preflight(plain, [ORDERS]), bench.schema), []);
  });

  test('of a table that is not shown, nobody is told whether it is there', async (t) => {
    const bench = await createPreflightBench(t, h2, DDL);
    const unseen = sourceTable('unseen', { id: 'INT8' });
    const preflight = await bench.preflight(bench.owner, [unseen]);
    assert.deepEqual(problems(preflight, bench.schema), ['blocking table.missing unseen']);
    assert.equal(
      remedyOf(preflight, 'table.missing'),
      `GRANT SELECT, INSERT, UPDATE, DELETE ON "${bench.schema}"."UNSEEN" TO "SESSION_USER"`,
    );
  });

  test('columns that do not fit are named with the statement that widens them', async (t) => {
    const bench = await createPreflightBench(
      t,
      h2,
      `CREATE TABLE "T" ("ID" NUMBER(10) PRIMARY KEY, "S" VARCHAR2(5) NOT NULL, "N" NUMBER(10,4), "TS" TIMESTAMP(3), "L" NUMBER(5), "B" CLOB, "EXTRA" VARCHAR2(3) NOT NULL)`,
    );
    const source = sourceTable(
      't',
      { id: 'INT8', s: 'STRING(20)', n: 'DECIMAL(12,2)', ts: 'TIMESTAMP', l: 'STRING', b: 'STRING', gone: 'JSONB' },
      { notNull: ['id', 's'] },
    );
    const preflight = await bench.preflight(bench.owner, [source]);
    assert.deepEqual(problems(preflight, bench.schema), [
      'blocking column.incompatible T.L',
      'blocking column.missing T.gone',
      'blocking column.narrower T.ID',
      'blocking column.narrower T.N',
      'blocking column.narrower T.S',
      'blocking column.not-sent T.EXTRA',
      'blocking column.rounds T.TS',
      'warning column.empty-text T.S',
    ]);
    const table = `ALTER TABLE "${bench.schema}"."T"`;
    assert.equal(remedyOf(preflight, 'column.narrower', '.ID'), `${table} MODIFY ("ID" NUMBER(19))`);
    assert.equal(remedyOf(preflight, 'column.narrower', '.S'), `${table} MODIFY ("S" VARCHAR2(20 CHAR))`);
    assert.equal(remedyOf(preflight, 'column.narrower', '.N'), `${table} MODIFY ("N" NUMBER(14,4))`);
    assert.equal(remedyOf(preflight, 'column.rounds', '.TS'), `${table} MODIFY ("TS" TIMESTAMP(6))`);
    assert.equal(remedyOf(preflight, 'column.missing'), `${table} ADD ("GONE" CLOB CHECK ("GONE" IS JSON))`);
    assert.equal(remedyOf(preflight, 'column.not-sent'), `${table} MODIFY ("EXTRA" NULL)`);
    assert.equal(remedyOf(preflight, 'column.empty-text', '.S'), `${table} MODIFY ("S" NULL)`);
    assert.match(
      remedyOf(preflight, 'column.incompatible', '.L'),
      /ADD \("L_NEW" CLOB\).*RENAME COLUMN "L_NEW" TO "L"/,
    );
    const note = preflight.findings.find(({ id, severity }) => id === 'column.empty-text' && severity === 'note');
    assert.equal(note?.found, 'L, B');
  });

  test('keys that Oracle tells apart less than the source are refused, the empty text among them', async (t) => {
    const bench = await createPreflightBench(
      t,
      h2,
      `CREATE TABLE "C" ("ID" CHAR(2) PRIMARY KEY);
       CREATE TABLE "D" ("ID" TIMESTAMP(0) PRIMARY KEY);
       CREATE TABLE "V" ("ID" VARCHAR2(10) PRIMARY KEY);
       CREATE TABLE "K" ("ID" NUMBER(19), "W" NUMBER(19), PRIMARY KEY ("ID", "W"))`,
    );
    const sources = [
      sourceTable('c', { id: 'STRING(2)' }),
      sourceTable('d', { id: 'TIMESTAMP' }),
      sourceTable('v', { id: 'STRING(10)' }),
      sourceTable('k', { id: 'INT8', w: 'INT8' }, { notNull: ['id', 'w'] }),
    ];
    const preflight = await bench.preflight(bench.owner, sources);
    assert.deepEqual(problems(preflight, bench.schema), [
      'blocking key.coarser C.ID',
      'blocking key.coarser D.ID',
      'blocking key.coarser V.ID',
      'blocking key.differs K',
      'warning column.converts C.ID',
    ]);
    assert.equal(remedyOf(preflight, 'key.coarser', '.V.ID'), `ALTER TABLE "public"."v" ADD CHECK ("id" != '')`);
    const checked = sourceTable('v', { id: 'STRING(10)' });
    const never = { ...checked, columns: checked.columns.map((column) => ({ ...column, neverEmpty: true })) };
    assert.deepEqual(problems(await bench.preflight(bench.owner, [never]), bench.schema), []);
  });

  test('foreign keys, unique keys and checks that the source does not have are told', async (t) => {
    const bench = await createPreflightBench(
      t,
      h2,
      `CREATE TABLE "P" ("ID" NUMBER(19) PRIMARY KEY, "U" NUMBER(19) NOT NULL CONSTRAINT "P_U" UNIQUE);
       CREATE TABLE "A" ("ID" NUMBER(19) PRIMARY KEY, "P" NUMBER(19) CONSTRAINT "A_P" REFERENCES "P" ON DELETE CASCADE, CONSTRAINT "A_C" CHECK ("P" > 0));
       CREATE TABLE "O" ("ID" NUMBER(19) PRIMARY KEY, "P" NUMBER(19) CONSTRAINT "O_P" REFERENCES "P")`,
    );
    const p = sourceTable('p', { id: 'INT8', u: 'INT8' }, { notNull: ['id', 'u'] });
    const a = sourceTable('a', { id: 'INT8', p: 'INT8' });
    const foreign = {
      name: 'a_p',
      columns: ['p'],
      references: { schema: 'public', table: 'p' },
      referencedColumns: ['id'],
      onDelete: 'NO ACTION',
      onUpdate: 'NO ACTION',
    } as const;
    const without = await bench.preflight(bench.owner, [p, a], { enforcementOffWanted: true });
    assert.deepEqual(problems(without, bench.schema), [
      'warning foreign-key.referenced-from-outside P',
      'warning foreign-key.target-only A',
      'warning key.held-from-outside P',
      'warning key.unique P',
      'warning table.constraint A',
    ]);
    assert.equal(without.enforcementOff, false);
    assert.ok(without.findings.some(({ id }) => id === 'server.enforcement'));
    const differing = await bench.preflight(bench.owner, [p, { ...a, foreignKeys: [foreign] }]);
    assert.equal(
      remedyOf(differing, 'foreign-key.actions-differ'),
      `ALTER TABLE "${bench.schema}"."A" DROP CONSTRAINT "A_P"; ALTER TABLE "${bench.schema}"."A" ADD CONSTRAINT "A_P" FOREIGN KEY ("P") REFERENCES "${bench.schema}"."P" ("ID")`,
    );
  });

  test('a ring of foreign keys is named with what makes it deferrable', async (t) => {
    const bench = await createPreflightBench(
      t,
      h2,
      `CREATE TABLE "A" ("ID" NUMBER(19) PRIMARY KEY, "B" NUMBER(19));
       CREATE TABLE "B" ("ID" NUMBER(19) PRIMARY KEY, "A" NUMBER(19) CONSTRAINT "B_A" REFERENCES "A");
       ALTER TABLE "A" ADD CONSTRAINT "A_B" FOREIGN KEY ("B") REFERENCES "B"`,
    );
    const key = (columns: string, table: string) => ({
      name: `${columns}_fk`,
      columns: [columns],
      references: { schema: 'public', table },
      referencedColumns: ['id'],
      onDelete: 'NO ACTION' as const,
      onUpdate: 'CASCADE' as const,
    });
    const preflight = await bench.preflight(bench.owner, [
      sourceTable('a', { id: 'INT8', b: 'INT8' }, { foreignKeys: [key('b', 'b')] }),
      sourceTable('b', { id: 'INT8', a: 'INT8' }, { foreignKeys: [key('a', 'a')] }),
    ]);
    assert.deepEqual(
      problems(preflight, bench.schema).map((one) => one.split(' ').slice(0, 2).join(' ')),
      ['warning foreign-key.cycle'],
    );
    assert.match(remedyOf(preflight, 'foreign-key.cycle'), /ADD CONSTRAINT "A_B" .* DEFERRABLE INITIALLY IMMEDIATE/);
  });

  test("in the user's own schema the checkpoint needs a privilege and room", async (t) => {
    const bench = await createPreflightBench(t, h2, DDL);
    const preflight = await bench.preflight(bench.owner, [ORDERS], { checkpointSchema: 'SESSION_USER' });
    assert.equal(remedyOf(preflight, 'privilege.create'), 'GRANT CREATE TABLE TO "SESSION_USER"');
    assert.equal(remedyOf(preflight, 'privilege.quota'), 'ALTER USER "SESSION_USER" QUOTA 100M ON "USERS"');
    await bench.run(`
      CREATE OR REPLACE VIEW SESSION_PRIVS AS SELECT 'CREATE TABLE' AS PRIVILEGE;
      CREATE OR REPLACE VIEW USER_TS_QUOTAS AS SELECT 'USERS' AS TABLESPACE_NAME, -1 AS MAX_BYTES`);
    const mended = await bench.preflight(bench.owner, [ORDERS], { checkpointSchema: 'SESSION_USER' });
    assert.deepEqual(
      mended.findings.filter(({ id }) => id === 'privilege.create' || id === 'privilege.quota'),
      [],
    );
  });

  test('rows of this run go on, and what another run has is refused', async (t) => {
    const bench = await createPreflightBench(t, h2, DDL);
    const store = createCheckpointStore({
      client: createCheckpointClient(await h2.connect(bench.schema)),
      dialect: oracleCheckpointDialect,
      schema: bench.schema,
      lockTimeoutMs: 1000,
      toTargetError,
      close: () => Promise.resolve(),
    });
    await store.ensureSchema();
    const origin = { clusterId: 'c', tableIds: {} };
    await store.insertOnce({
      stream: 'orders-1',
      run: 'orders',
      cursor: parseHlc('1700000000000000000.0000000001'),
      origin,
    });
    await store.claimTables('orders', [{ schema: bench.schema, table: 'ORDERS' }]);
    const own = await bench.preflight(bench.owner, [ORDERS]);
    assert.deepEqual(problems(own, bench.schema), []);
    const exists = own.findings.find(({ id }) => id === 'checkpoint.exists');
    assert.equal(exists?.found, 'run orders, applied up to 1700000000000000000.0000000001');
    const other = await bench.preflight(bench.owner, [ORDERS], { run: 'other' });
    assert.deepEqual(problems(other, bench.schema), [
      'blocking checkpoint.exists stream orders-1',
      'blocking table.claimed ORDERS',
    ]);
  });

  test('what the database itself must be is asked of it', async (t) => {
    const bench = await createPreflightBench(t, h2, DDL);
    await bench.run(`
      CREATE OR REPLACE VIEW PRODUCT_COMPONENT_VERSION AS SELECT 'Oracle' AS PRODUCT, '12.2.0.1.0' AS VERSION;
      CREATE OR REPLACE VIEW NLS_DATABASE_PARAMETERS AS SELECT 'NLS_CHARACTERSET' AS PARAMETER, 'WE8ISO8859P1' AS "VALUE";
      CREATE OR REPLACE VIEW USER_RESOURCE_LIMITS AS SELECT 'SESSIONS_PER_USER' AS RESOURCE_NAME, '4' AS "LIMIT"
        UNION ALL SELECT 'IDLE_TIME', '30'`);
    const preflight = await bench.preflight(bench.owner, [ORDERS]);
    assert.deepEqual(problems(preflight, bench.schema), [
      'blocking server.connections the target',
      'blocking server.encoding the target',
      'blocking server.version the target',
      'warning server.session-limit the target',
    ]);
    assert.equal(
      remedyOf(preflight, 'server.connections'),
      'CREATE PROFILE failback_limits LIMIT SESSIONS_PER_USER 5; ALTER USER "SESSION_USER" PROFILE failback_limits',
    );
  });

  test("the sentinel's table is looked for, and said how to make", async (t) => {
    const bench = await createPreflightBench(
      t,
      h2,
      `${DDL};
       CREATE TABLE "GOOD" ("ID" VARCHAR2(64) PRIMARY KEY, "WRITTEN_AT" TIMESTAMP(6) WITH TIME ZONE NOT NULL);
       CREATE TABLE "BAD" ("ID" VARCHAR2(10) PRIMARY KEY)`,
    );
    const ask = (table: string) =>
      bench.preflight(bench.owner, [ORDERS], { sentinel: { schema: bench.schema, table } });
    const good = await ask('good');
    assert.deepEqual(problems(good, bench.schema), []);
    assert.deepEqual(good.sentinel, { schema: bench.schema, table: 'GOOD' });
    assert.deepEqual(problems(await ask('bad'), bench.schema), ['blocking sentinel.unfit BAD']);
    const none = await ask('none');
    assert.equal(
      remedyOf(none, 'sentinel.missing'),
      `CREATE TABLE "${bench.schema}"."NONE" (id VARCHAR2(64) PRIMARY KEY, written_at TIMESTAMP(6) WITH TIME ZONE NOT NULL); GRANT SELECT, INSERT, DELETE ON "${bench.schema}"."NONE" TO "SESSION_USER"`,
    );
  });
});
