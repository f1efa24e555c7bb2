import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  boundOf,
  columnFit,
  conversionOf,
  fittingType,
  type ColumnFit,
} from '../../../src/targets/mysql/column-fit.js';
import { connectMysql, type MysqlClient } from '../../../src/targets/mysql/client.js';
import { describeTables } from '../../../src/targets/mysql/introspection.js';
import type { TargetColumn } from '../../../src/targets/mysql/table-shape.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';

let server: Mariadb;
let client: MysqlClient;
before(async () => {
  server = await startMariadb();
  client = await connectMysql({ connectionString: server.url(), applicationName: 'failback test' });
  await client.query('CREATE DATABASE d CHARACTER SET utf8mb4');
});
after(async () => {
  await client.close();
  await server.stop();
});

/** A column of this type as the server itself describes it. */
async function column(type: string): Promise<TargetColumn> {
  await client.query(`CREATE OR REPLACE TABLE d.t (c ${type})`);
  const [table] = [...(await describeTables(client, [{ schema: 'd', table: 't' }])).values()];
  const [found] = table?.columns ?? [];
  assert.ok(found);
  return found;
}

const FITS: readonly (readonly [string, string, ColumnFit])[] = [
  ['INT8', 'bigint', 'fits'],
  ['INT8', 'int', 'narrower'],
  ['INT8', 'bigint unsigned', 'bounded'],
  ['INT8', 'int unsigned', 'narrower'],
  ['INT4', 'int', 'fits'],
  ['INT4', 'mediumint', 'narrower'],
  ['INT4', 'int unsigned', 'bounded'],
  ['INT2', 'smallint', 'fits'],
  ['INT2', 'tinyint', 'narrower'],
  ['INT2', 'year', 'bounded'],
  ['INT8', 'decimal(19,0)', 'fits'],
  ['INT8', 'decimal(18,0)', 'narrower'],
  ['INT8', 'decimal(20,2)', 'narrower'],
  ['INT8', 'double', 'incompatible'],
  ['INT8', 'varchar(20)', 'fits'],
  ['INT8', 'varchar(5)', 'narrower'],
  ['OID', 'int unsigned', 'fits'],
  ['OID', 'int', 'narrower'],
  ['DECIMAL', 'decimal(65,30)', 'bounded'],
  ['DECIMAL', 'decimal(30,10)', 'rounds'],
  ['DECIMAL(10,2)', 'decimal(10,2)', 'fits'],
  ['DECIMAL(10,2)', 'decimal(12,4)', 'fits'],
  ['DECIMAL(10,2)', 'decimal(10,4)', 'narrower'],
  ['DECIMAL(10,2)', 'decimal(12,1)', 'rounds'],
  ['DECIMAL(10,2)', 'decimal(10,2) unsigned', 'bounded'],
  ['DECIMAL', 'double', 'incompatible'],
  ['DECIMAL', 'longtext', 'fits'],
  ['FLOAT8', 'double', 'bounded'],
  ['FLOAT8', 'double(10,2)', 'rounds'],
  ['FLOAT8', 'float', 'rounds'],
  ['FLOAT4', 'float', 'rounds'],
  ['FLOAT4', 'double', 'bounded'],
  ['BOOL', 'tinyint(1)', 'fits'],
  ['BOOL', 'bit(1)', 'fits'],
  ['BOOL', 'varchar(5)', 'incompatible'],
  ['STRING', 'longtext', 'fits'],
  ['STRING', 'text', 'narrower'],
  ['STRING', 'varchar(255)', 'narrower'],
  ['VARCHAR(20)', 'varchar(20)', 'fits'],
  ['VARCHAR(21)', 'varchar(20)', 'narrower'],
  ['VARCHAR(63)', 'tinytext', 'fits'],
  ['VARCHAR(64)', 'tinytext', 'narrower'],
  ['VARCHAR(20)', 'varchar(20) character set utf8mb3', 'narrower'],
  ['VARCHAR(20)', 'varchar(20) character set latin1', 'narrower'],
  ['VARCHAR(20)', 'varbinary(80)', 'incompatible'],
  ['VARCHAR(20)', "enum('a','b')", 'bounded'],
  ['VARCHAR(20)', "set('a','b')", 'bounded'],
  ['VARCHAR(3)', 'char(3)', 'bounded'],
  ['CHAR(3)', 'char(3)', 'fits'],
  ['STRING', 'int', 'incompatible'],
  ['BYTES', 'longblob', 'fits'],
  ['BYTES', 'blob', 'narrower'],
  ['BYTES', 'varbinary(20)', 'narrower'],
  ['BYTES', 'binary(20)', 'narrower'],
  ['BYTES', 'longtext', 'fits'],
  ['UUID', 'char(36)', 'fits'],
  ['UUID', 'char(36) character set ascii', 'fits'],
  ['UUID', 'varchar(30)', 'narrower'],
  ['UUID', 'binary(16)', 'fits'],
  ['UUID', 'binary(20)', 'incompatible'],
  ['UUID', 'uuid', 'fits'],
  ['DATE', 'date', 'bounded'],
  ['DATE', 'datetime', 'incompatible'],
  ['TIME', 'time(6)', 'fits'],
  ['TIME', 'time', 'rounds'],
  ['TIMETZ', 'time(6)', 'unsupported'],
  ['TIMESTAMP', 'datetime(6)', 'bounded'],
  ['TIMESTAMP', 'datetime', 'rounds'],
  ['TIMESTAMP(3)', 'datetime(3)', 'bounded'],
  ['TIMESTAMP', 'timestamp(6)', 'converts'],
  ['TIMESTAMPTZ', 'timestamp(6)', 'bounded'],
  ['TIMESTAMPTZ', 'datetime(6)', 'converts'],
  ['INTERVAL', 'varchar(80)', 'fits'],
  ['INTERVAL', 'time(6)', 'incompatible'],
  ['INET', 'varchar(49)', 'fits'],
  ['INET', 'inet6', 'bounded'],
  ['BIT(3)', 'bit(3)', 'fits'],
  ['BIT(3)', 'bit(4)', 'narrower'],
  ['VARBIT(5)', 'bit(5)', 'narrower'],
  ['JSONB', 'json', 'bounded'],
  ['JSONB', 'longtext', 'bounded'],
  ['JSONB', 'text', 'narrower'],
  ['STRING[]', 'json', 'converts'],
  ['STRING[]', 'varchar(20)', 'narrower'],
  ['INT8[]', 'bigint', 'incompatible'],
  ['GEOMETRY(POINT,4326)', 'geometry', 'unsupported'],
  ['VECTOR(3)', 'longtext', 'unsupported'],
];

for (const [from, to, fit] of FITS) {
  test(`${from} into ${to}: ${fit}`, async () => {
    const source = { name: 'c', type: from, nullable: true };
    const target = await column(to);
    assert.equal(columnFit(source, target), fit);
    if (fit === 'bounded') assert.notEqual(boundOf(source, target, 'MariaDB').words, '');
    if (fit === 'converts') assert.notEqual(conversionOf(source, target), '');
  });
}

test("MySQL's JSON turns fractions into doubles, MariaDB's keeps the text", async () => {
  const source = { name: 'c', type: 'JSONB', nullable: true };
  const target = await column('json');
  const { likely, words } = boundOf(source, target, 'MySQL');
  assert.equal(likely, true);
  assert.match(words, /become doubles/);
  assert.equal(boundOf(source, target, 'MariaDB').likely, false);
});

test('an enum fits where its labels are', async () => {
  const source = { name: 'c', type: 'public.mood', nullable: true, enumLabels: ['sad', "it's"] };
  assert.equal(columnFit(source, await column(`enum('it''s','sad','so')`)), 'fits');
  assert.equal(columnFit(source, await column(`enum('sad')`)), 'narrower');
  assert.equal(columnFit(source, await column('varchar(4)')), 'fits');
  assert.equal(columnFit(source, await column('varchar(3)')), 'narrower');
  assert.equal(columnFit(source, await column('int')), 'incompatible');
});

test('the type that is proposed is one that the server has, and that takes the values', async () => {
  const types =
    'INT8 INT4 INT2 OID DECIMAL DECIMAL(10,2) DECIMAL(90,40) FLOAT8 FLOAT4 BOOL STRING VARCHAR(20) VARCHAR(5000) CHAR(3) BYTES UUID DATE TIME TIME(3) TIMESTAMP TIMESTAMPTZ(3) INTERVAL INET BIT(3) BIT(70) VARBIT JSONB STRING[]'.split(
      ' ',
    );
  for (const type of types) {
    const source = { name: 'c', type, nullable: true };
    const proposed = fittingType(source, false, 'MariaDB');
    assert.ok(proposed, type);
    const fit = columnFit(source, await column(proposed));
    const best =
      type === 'DECIMAL(90,40)' ? 'rounds' : type === 'TIMESTAMPTZ(3)' || type === 'STRING[]' ? 'converts' : null;
    assert.ok(best === null ? ['fits', 'bounded'].includes(fit) : fit === best, `${type} ${proposed} ${fit}`);
  }
  for (const type of ['STRING', 'VARCHAR(20)', 'BYTES', 'UUID', 'DECIMAL(10,2)'])
    await column(`${fittingType({ name: 'c', type, nullable: false }, true, 'MariaDB') ?? ''} PRIMARY KEY`);
  assert.equal(fittingType({ name: 'c', type: 'GEOMETRY', nullable: true }, false, 'MySQL'), null);
  assert.match(fittingType({ name: 'c', type: 'STRING', nullable: true }, true, 'MySQL') ?? '', /utf8mb4_0900_bin$/);
});
