import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hlcOf } from '../../../src/domain/hlc.js';
import type { SourceTable } from '../../../src/domain/source-table.js';
import { TargetRefusedError } from '../../../src/targets/failures.js';
import { connectMysql } from '../../../src/targets/mysql/client.js';
import { createMysqlDriver } from '../../../src/targets/mysql/driver.js';
import type { TargetDriver } from '../../../src/targets/driver.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';
import { foreignKey, sourceTable } from './preflight-fixture.js';

let server: Mariadb;
let driver: TargetDriver;

before(async () => {
  server = await startMariadb({ settings: { 'innodb-flush-log-at-trx-commit': '1', 'innodb-doublewrite': 'ON' } });
  const admin = await connectMysql({ connectionString: server.url(), applicationName: 'failback test' });
  for (const statement of [
    'CREATE DATABASE shop CHARACTER SET utf8mb4',
    'USE shop',
    'CREATE TABLE Parents (id bigint PRIMARY KEY)',
    'CREATE TABLE kids (id bigint PRIMARY KEY, parent bigint, FOREIGN KEY (parent) REFERENCES Parents (id))',
    'CREATE SEQUENCE s',
    'CREATE TABLE counted (id bigint DEFAULT nextval(s) PRIMARY KEY)',
    'INSERT INTO counted VALUES (5000)',
  ])
    await admin.query(statement);
  await admin.close();
  driver = createMysqlDriver(server.url('shop'), { run: 'orders' });
});
after(() => server.stop());

const KIDS = sourceTable('kids', { id: 'INT8', parent: 'INT8' }, { foreignKeys: [foreignKey(['parent'], 'parents')] });
const PARENTS = sourceTable('parents', { id: 'INT8' });
const into = (source: SourceTable) => ({ source, target: { schema: 'shop', table: source.table.table } });

test('it says where its tables and its checkpoint are', async () => {
  assert.equal(driver.defaultSchema, 'shop');
  assert.equal(driver.checkpointSchema, '_failback');
  assert.deepEqual(await driver.sinkPath('shop'), ['shop']);
  assert.equal(createMysqlDriver(server.url('shop'), { run: 'r', checkpointSchema: 'shop' }).checkpointSchema, 'shop');
});

test('preflight orders the tables, in the spelling of the target', async () => {
  const { findings, order, references, enforcementOff } = await driver.preflight({
    tables: [into(KIDS), into(PARENTS)],
    run: 'orders',
    enforcementOffWanted: true,
    sentinel: null,
    extraColumns: 'error',
  });
  assert.deepEqual(
    findings.filter(({ severity }) => severity !== 'note').map(({ message }) => message),
    [],
  );
  assert.deepEqual(
    order.map(({ table }) => table),
    ['Parents', 'kids'],
  );
  assert.deepEqual(
    references.map((key) => [key.table.table, key.references.table]),
    [['kids', 'Parents']],
  );
  assert.equal(enforcementOff, true);
});

test('a store, a snapshot and a comparison plan', async () => {
  const store = await driver.openStore();
  await store.ensureSchema();
  await store.insertOnce({
    stream: 'orders-1',
    run: 'orders',
    cursor: hlcOf(7n),
    origin: { clusterId: 'c', tableIds: {} },
  });
  await store.close();
  const snapshot = await driver.openSnapshot();
  assert.equal(await snapshot.applied('orders-1'), hlcOf(7n));
  const [plan] = await driver.planComparison([into(PARENTS)]);
  assert.ok(plan);
  assert.deepEqual(plan.target, { schema: 'shop', table: 'Parents' });
  assert.equal(await snapshot.count(plan), 0);
  await snapshot.close();
  await assert.rejects(
    driver.planComparison([into(sourceTable('gone', { id: 'INT8' }))]),
    /shop\.gone cannot be compared/,
  );
});

test('sequences are set beyond the rows, and said', async () => {
  const answer = await driver.alignSequences([{ schema: 'shop', table: 'counted' }]);
  assert.deepEqual(answer, { done: ['`shop`.`s` of shop.counted.id now gives 5001 (was 1)'], remains: [] });
});

test('a wrong password is refused, and not shown', async () => {
  const wrong = createMysqlDriver(`mysql://failback:hunter2@127.0.0.1:${server.port}/shop`, { run: 'orders' });
  await assert.rejects(wrong.openSnapshot(), (error: Error) => {
    assert.ok(error instanceof TargetRefusedError);
    assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /hunter2/);
    return true;
  });
});
