import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BadRowError, SchemaMismatchError } from '../../../src/targets/failures.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';
import { createApplyFixture, remove, upsert } from './apply-fixture.js';

let mariadb: Mariadb;
before(async () => {
  mariadb = await startMariadb({ settings: { 'max-allowed-packet': '1M' } });
});
after(() => mariadb.stop());

test('rows of several column sets in one window: an absent column keeps its value and its default (protocol rule 19)', async (t) => {
  const fixture = await createApplyFixture(
    t,
    mariadb,
    [
      `CREATE TABLE t (id int PRIMARY KEY, a text, b varchar(20) DEFAULT 'by default', only_here varchar(20) DEFAULT 'kept',
       touched timestamp NOT NULL DEFAULT '2001-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP)`,
      `INSERT INTO t VALUES (1, 'a1', 'b1', 'mine', '2002-02-02 00:00:00')`,
    ],
    ['t'],
  );
  const figures = await fixture.apply(3, [
    upsert(1, 0, '[1]', '{"a": "a2", "id": 1}'),
    upsert(2, 0, '[2]', '{"a": "x", "b": null, "id": 2}'),
    upsert(3, 0, '[3]', '{"a": "y", "id": 3}'),
  ]);
  assert.deepEqual(figures, { upserts: 3, deletes: 0, inSourceOrder: false });
  assert.deepEqual(await fixture.rows('SELECT id, a, b, only_here, touched FROM t ORDER BY id'), [
    ['1', 'a2', 'b1', 'mine', '2002-02-02 00:00:00'],
    ['2', 'x', null, 'kept', '2001-01-01 00:00:00'],
    ['3', 'y', 'by default', 'kept', '2001-01-01 00:00:00'],
  ]);
});

test('generated columns are left out, zero is no next number, key-only tables do nothing the second time', async (t) => {
  const fixture = await createApplyFixture(
    t,
    mariadb,
    [
      'CREATE TABLE g (id bigint AUTO_INCREMENT PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED, thrice int AS (n * 3) VIRTUAL)',
      'CREATE TABLE only_key (a int, b varchar(9), PRIMARY KEY (a, b))',
    ],
    ['g', 'only_key:b,a'],
  );
  const rows = [
    upsert(1, 0, '[0]', '{"id": 0, "n": 21, "thrice": 998, "twice": 999}'),
    upsert(1, 1, '["x", 5]', '{"a": 5, "b": "x"}'),
  ];
  await fixture.apply(1, rows);
  await fixture.apply(2, rows);
  assert.deepEqual(await fixture.rows('SELECT id, n, twice, thrice FROM g'), [['0', '21', '42', '63']]);
  await fixture.apply(3, [remove(3, 1, '["x",5]')]);
  assert.deepEqual(await fixture.rows('SELECT * FROM only_key'), []);
});

test('names that need quotes, and names that differ in case', async (t) => {
  const fixture = await createApplyFixture(
    t,
    mariadb,
    ["CREATE TABLE `we``ird` (`Id` int PRIMARY KEY, `select` text, `ü ''\"` text)"],
    ['we`ird:id'],
  );
  await fixture.apply(1, [upsert(1, 0, '[1]', String.raw`{"id": 1, "select": "s", "ü ''\"": "u"}`)]);
  assert.deepEqual(await fixture.rows('SELECT * FROM `we``ird`'), [['1', 's', 'u']]);
});

test('a key is compared character by character, whatever the collation takes for the same', async (t) => {
  const fixture = await createApplyFixture(
    t,
    mariadb,
    [
      'CREATE TABLE k (k varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v int)',
      `INSERT INTO k VALUES ('Ann', 1), ('bob ', 2)`,
    ],
    ['k:k'],
  );
  await fixture.apply(1, [remove(1, 0, '["ANN"]'), remove(1, 0, '["bob"]')]);
  assert.equal((await fixture.rows('SELECT * FROM k')).length, 2);
  await assert.rejects(
    fixture.apply(2, [upsert(2, 0, '["ann"]', '{"k": "ann", "v": 9}')]),
    (error) =>
      error instanceof BadRowError &&
      error.key === '["ann"]' &&
      /row of another key|Duplicate entry/.test(error.reason),
  );
  assert.deepEqual(await fixture.rows('SELECT k, v FROM k ORDER BY v'), [
    ['Ann', '1'],
    ['bob ', '2'],
  ]);
  await fixture.apply(3, [remove(3, 0, '["bob "]'), upsert(3, 0, '["Ann"]', '{"k": "Ann", "v": 3}')]);
  assert.deepEqual(await fixture.rows('SELECT k, v FROM k'), [['Ann', '3']]);
});

test('a window larger than max_allowed_packet goes in parts; one row beyond it is a bad row', async (t) => {
  const fixture = await createApplyFixture(
    t,
    mariadb,
    ['CREATE TABLE big (id int PRIMARY KEY, v longtext, b longblob)'],
    ['big'],
  );
  const text = 'x"\\\\\\n€'.repeat(20_000);
  await fixture.apply(
    1,
    Array.from({ length: 12 }, (_, id) =>
      upsert(
        1,
        0,
        `[${id}]`,
        `{"b": "\\\\x${'ff'.repeat(100_000)}", "id": ${id}, "v": "${text.replaceAll('"', '\\"')}"}`,
      ),
    ),
  );
  assert.deepEqual(await fixture.rows('SELECT count(*), sum(length(b)), min(char_length(v)) FROM big'), [
    ['12', '1200000', '100000'],
  ]);
  await assert.rejects(
    fixture.apply(2, [
      upsert(2, 0, '[1]', '{"b": null, "id": 1, "v": "small"}'),
      upsert(2, 0, '[77]', `{"b": null, "id": 77, "v": "${'s3cret'.repeat(200_000)}"}`),
    ]),
    (error) =>
      error instanceof BadRowError &&
      error.key === '[77]' &&
      error.code === '1153' &&
      /max_allowed_packet \(1048576\)/.test(error.reason) &&
      !error.message.includes('s3cret'),
  );
});

test('a column that the target lacks: the ALTER TABLE, or left out, or kept in a json column', async (t) => {
  const ddl = ['CREATE TABLE t (id int PRIMARY KEY, a int, rest json)'];
  const change = [upsert(1, 0, '[1]', String.raw`{"a": 1, "b": 1.50, "c": "q\"x", "d": {"k": [1E+2]}, "id": 1}`)];
  const strict = await createApplyFixture(t, mariadb, ddl, ['t']);
  await assert.rejects(
    strict.apply(1, change),
    (error) => error instanceof SchemaMismatchError && error.column === 'b' && /ADD COLUMN `b`/.test(error.remedy),
  );
  const ignoring = await createApplyFixture(t, mariadb, ddl, ['t'], { extraColumns: 'ignore' });
  await ignoring.apply(1, change);
  assert.deepEqual(await ignoring.rows('SELECT * FROM t'), [['1', '1', null]]);
  const collecting = await createApplyFixture(t, mariadb, ddl, ['t'], { extraColumns: { into: 'rest' } });
  await collecting.apply(1, change);
  assert.deepEqual(await collecting.rows('SELECT * FROM t'), [
    ['1', '1', String.raw`{"b": 1.50, "c": "q\"x", "d": {"k": [1E+2]}}`],
  ]);
});
