import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { describeTables } from '../../../src/targets/postgres/introspection.js';
import type { TargetTable } from '../../../src/targets/postgres/table-shape.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';

let server: Postgres;
let admin: pg.Client;

before(async () => {
  server = await startPostgres({ settings: { fsync: 'off' } });
  admin = new pg.Client({ connectionString: server.url() });
  await admin.connect();
  await admin.query(SCHEMA);
});

after(async () => {
  await admin.end();
  await server.stop();
});

const SCHEMA = `
  CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  CREATE TYPE mood AS ENUM ('sad', 'glad');
  CREATE DOMAIN small AS numeric(6,2); CREATE DOMAIN smaller AS small NOT NULL DEFAULT 1;
  CREATE TABLE parent (a int, b int, PRIMARY KEY (b, a));
  CREATE TABLE child (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ser serial, note varchar(20) COLLATE loose, moods mood[], price smaller,
    twice numeric GENERATED ALWAYS AS (price * 2) STORED, at timestamp(3) with time zone, pa int, pb int, dropped int,
    CONSTRAINT positive CHECK (price > 0), CONSTRAINT once UNIQUE (note, pa) DEFERRABLE,
    CONSTRAINT parents FOREIGN KEY (pa, pb) REFERENCES parent (a, b) ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE,
    EXCLUDE USING btree (ser WITH =));
  ALTER TABLE child DROP COLUMN dropped;
  CREATE UNIQUE INDEX lowered ON child (lower(note), pb) INCLUDE (pa) WHERE pa > 0;
  CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
  CREATE TRIGGER normal AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION nothing();
  CREATE TRIGGER forever AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION nothing();
  CREATE TRIGGER asleep AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION nothing();
  ALTER TABLE child ENABLE ALWAYS TRIGGER forever; ALTER TABLE child DISABLE TRIGGER asleep;
  CREATE RULE ruled AS ON DELETE TO child DO ALSO NOTHING;
  CREATE TABLE "Mixed" (id int PRIMARY KEY); CREATE TABLE mixed2 (id int); CREATE TABLE "MIXED2" (id int);
  CREATE UNLOGGED TABLE loosely (id int); CREATE VIEW seen AS SELECT 1 AS one;
  CREATE TABLE parted (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
  CREATE UNLOGGED TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
  CREATE TABLE policed (id int PRIMARY KEY); ALTER TABLE policed ENABLE ROW LEVEL SECURITY;
  CREATE ROLE app LOGIN;`;

async function describe(table: string, client = admin): Promise<TargetTable | null | undefined> {
  return (await describeTables(client, [{ schema: 'public', table }])).get(`public.${table}`);
}

test('columns as the catalogue has them', async () => {
  const child = await describe('child');
  const text = child?.columns.map((column) =>
    [
      column.name,
      column.type,
      column.baseType,
      column.typeKind,
      column.enumLabels.join('/'),
      column.notNull ? 'not null' : '',
      column.hasDefault ? 'default' : '',
      column.generated ? 'generated' : '',
      column.identity ?? '',
      column.deterministic ? '' : 'loose',
    ].join('|'),
  );
  assert.deepEqual(text, [
    'id|bigint|bigint|b||not null|||always|',
    'ser|integer|integer|b||not null|default|||',
    'note|character varying(20)|character varying(20)|b||||||loose',
    'moods|mood[]|mood[]|e|sad/glad|||||',
    'price|smaller|numeric(6,2)|b||not null|default|||',
    'twice|numeric|numeric|b|||default|generated||',
    'at|timestamp(3) with time zone|timestamp(3) with time zone|b||||||',
    'pa|integer|integer|b||||||',
    'pb|integer|integer|b||||||',
  ]);
});

test('keys, constraints, foreign keys in and out, triggers and rules', async () => {
  const child = await describe('child');
  const parent = await describe('parent');
  assert.deepEqual(parent?.primaryKey, ['b', 'a']);
  assert.deepEqual(child?.primaryKey, ['id']);
  assert.deepEqual(child?.uniqueKeys, [
    { name: 'lowered', columns: [null, 'pb'], deferrable: false, partial: true, definition: null },
    { name: 'once', columns: ['note', 'pa'], deferrable: true, partial: false, definition: 'UNIQUE (note, pa)' },
  ]);
  assert.deepEqual(child?.checks, ['positive']);
  assert.deepEqual(child?.exclusions, [
    { name: 'child_ser_excl', deferrable: false, definition: 'EXCLUDE USING btree (ser WITH =)' },
  ]);
  const key = {
    name: 'parents',
    table: { schema: 'public', table: 'child' },
    columns: ['pa', 'pb'],
    references: { schema: 'public', table: 'parent' },
    referencedColumns: ['a', 'b'],
    onDelete: 'CASCADE',
    onUpdate: 'SET NULL',
    deferrable: true,
  };
  assert.deepEqual(child?.foreignKeysOut, [key]);
  assert.deepEqual(parent?.foreignKeysIn, [key], 'the referencing table was not asked for');
  assert.deepEqual(child?.triggers, [
    { name: 'forever', fires: 'always' },
    { name: 'normal', fires: 'origin' },
  ]);
  assert.deepEqual(child?.rules, ['ruled']);
});

test('names fold as a person means them', async () => {
  assert.equal((await describe('mixed'))?.name.table, 'Mixed');
  assert.equal((await describe('CHILD'))?.name.table, 'child');
  assert.equal((await describe('mixed2'))?.name.table, 'mixed2');
  assert.equal(await describe('Mixed2'), null, 'two differ in case alone');
  assert.equal(await describe('none'), null);
});

test('what is not durable, not a table, or policed', async () => {
  assert.deepEqual((await describe('loosely'))?.notDurable, ['public.loosely']);
  assert.deepEqual((await describe('parted'))?.notDurable, ['public.parted_2']);
  assert.equal((await describe('parted'))?.kind, 'partitioned table');
  assert.equal((await describe('seen'))?.kind, 'view');
  assert.deepEqual((await describe('child'))?.notDurable, []);
  const app = new pg.Client({ connectionString: server.url('postgres', 'app') });
  await app.connect();
  assert.equal((await describe('policed', app))?.rowSecurity, true);
  assert.equal((await describe('child', app))?.rowSecurity, false);
  await app.end();
  assert.equal((await describe('policed'))?.rowSecurity, false, 'a superuser is not held by policies');
});
