import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readApplyShape } from '../../../src/targets/mysql/apply-shape.js';
import { connectMysql, type MysqlClient } from '../../../src/targets/mysql/client.js';
import { describeTables } from '../../../src/targets/mysql/introspection.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';

let server: Mariadb;
let admin: MysqlClient;
before(async () => {
  server = await startMariadb();
  admin = await connect(server.url());
  for (const statement of [
    'CREATE DATABASE d CHARACTER SET utf8mb4',
    'USE d',
    'CREATE SEQUENCE s',
    'CREATE TABLE p (id bigint unsigned PRIMARY KEY, code varchar(9) COLLATE utf8mb4_bin, UNIQUE KEY once (code))',
    `CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, p bigint unsigned NOT NULL, j json, amount decimal(12,2) CHECK (amount > 0),
      at datetime(3), label enum('it''s','a\\\\b','c\\nd') CHARACTER SET latin1, twice decimal(20,2) AS (amount * 2) STORED, n bigint DEFAULT nextval(s),
      b binary(16) NOT NULL DEFAULT '', word varchar(9), CONSTRAINT named CHECK (amount < 9999), UNIQUE KEY some (p, word(1)),
      CONSTRAINT to_p FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE RESTRICT)`,
    `CREATE TRIGGER fire AFTER DELETE ON t FOR EACH ROW SET @x = 1`,
    `CREATE TABLE m (id int PRIMARY KEY) ENGINE = MyISAM PARTITION BY HASH (id) PARTITIONS 2`,
    `CREATE USER few@127.0.0.1 IDENTIFIED BY 'few'`,
    'GRANT SELECT, INSERT, UPDATE, DELETE ON t TO few@127.0.0.1',
    'GRANT SELECT, INSERT, UPDATE, DELETE ON p TO few@127.0.0.1',
  ])
    await admin.query(statement);
});
after(async () => {
  await admin.close();
  await server.stop();
});

function connect(connectionString: string): Promise<MysqlClient> {
  return connectMysql({ connectionString, applicationName: 'failback test' });
}

test('a table is described as it is, in its own spelling', async () => {
  const found = await describeTables(admin, [
    { schema: 'd', table: 'T' },
    { schema: 'D', table: 'p' },
    { schema: 'd', table: 'gone' },
    { schema: 'd', table: 'm' },
  ]);
  assert.equal(found.get('d.gone'), null);
  assert.deepEqual(found.get('D.p')?.name, { schema: 'd', table: 'p' });
  assert.equal(found.get('d.m')?.engine, 'MyISAM');
  const t = found.get('d.T');
  assert.ok(t);
  assert.deepEqual(t.name, { schema: 'd', table: 't' });
  assert.deepEqual(t.primaryKey, ['id']);
  assert.deepEqual(t.uniqueKeys, [{ name: 'some', columns: ['p', null] }]);
  assert.deepEqual([...t.checks].sort(), ['amount', 'named']);
  assert.deepEqual(t.triggers, ['fire']);
  assert.deepEqual(
    t.foreignKeysOut.map(({ name, columns, references, referencedColumns, onDelete, onUpdate }) => [
      name,
      columns,
      references.table,
      referencedColumns,
      onDelete,
      onUpdate,
    ]),
    [['to_p', ['p'], 'p', ['id'], 'CASCADE', 'RESTRICT']],
  );
  assert.deepEqual(found.get('D.p')?.foreignKeysIn, t.foreignKeysOut);
  const column = (name: string) => t.columns.find((one) => one.name === name);
  assert.equal(column('j')?.base, 'json');
  assert.equal(column('id')?.autoIncrement, true);
  assert.deepEqual([column('amount')?.precision, column('amount')?.scale, column('at')?.fraction], [12, 2, 3]);
  assert.deepEqual(column('label')?.enumLabels, ["it's", 'a\\b', 'c\nd']);
  assert.equal(column('label')?.charset, 'latin1');
  assert.equal(column('twice')?.generated, true);
  assert.equal(column('n')?.sequence, '`d`.`s`');
  assert.deepEqual([column('b')?.length, column('b')?.notNull, column('b')?.hasDefault], [16, true, true]);
  assert.equal(column('p')?.unsigned, true);
});

test('a user with privileges on the tables alone sees the same', async () => {
  const names = ['t', 'p'].map((table) => ({ schema: 'd', table }));
  const few = await connect(`mysql://few:few@127.0.0.1:${server.port}/d`);
  const described = await describeTables(few, names);
  await few.close();
  assert.deepEqual(described, await describeTables(admin, names));
});

test('what the apply knows of a table is the same for a user with privileges on the tables alone', async () => {
  const few = await connect(`mysql://few:few@127.0.0.1:${server.port}/d`);
  const ofFew = await Promise.all(['t', 'p'].map((table) => readApplyShape(few, { schema: 'd', table })));
  await few.close();
  const facts = (shapes: typeof ofFew) => JSON.parse(JSON.stringify(shapes)) as unknown;
  const ofAdmin = await Promise.all(['t', 'p'].map((table) => readApplyShape(admin, { schema: 'd', table })));
  assert.deepEqual(facts(ofFew), facts(ofAdmin));
  const [t, p] = ofFew;
  assert.equal(t?.columns.find(({ name }) => name === 'j')?.type.name, 'json');
  assert.deepEqual(t.columns.find(({ name }) => name === 'label')?.type.members, ["it's", 'a\\b', 'c\nd']);
  assert.equal(t.columns.find(({ name }) => name === 'twice')?.generated, true);
  assert.deepEqual(t.references, [{ table: { schema: 'd', table: 'p' }, columns: ['p'], referenced: ['id'] }]);
  assert.deepEqual(p?.referencedBy, [
    { table: { schema: 'd', table: 't' }, columns: ['p'], referenced: ['id'], byValue: false, acts: true },
  ]);
  assert.equal(await readApplyShape(admin, { schema: 'd', table: 'gone' }), null);
});
