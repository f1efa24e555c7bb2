import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BadRowError, SchemaMismatchError } from '../../../src/targets/failures.js';
import type { RefusedChange } from '../../../src/targets/session/refused-change.js';
import { startH2, type H2 } from '../../support/h2.js';
import { remove, upsert } from '../postgres/apply-fixture.js';
import { createWriterFixture } from './writer-fixture.js';

describe('writing to Oracle (statements run by H2 in its Oracle mode)', () => {
  let h2: H2;
  before(async () => {
    h2 = await startH2();
  });
  after(() => h2.stop());

  const ITEMS = `CREATE TABLE "ITEMS" ("ID" NUMBER(10) PRIMARY KEY, "NAME" VARCHAR2(20), "PRICE" NUMBER(12,2))`;

  test('rows are inserted, updated and deleted by their keys, one array bind for each table and column set', async (t) => {
    const { write, rows, statements } = await createWriterFixture(t, h2, ITEMS, ['ITEMS']);
    await write(
      upsert(1, 0, '[1]', '{"id": 1, "name": "a", "price": 1.50}'),
      upsert(1, 0, '[2]', `{"id": 2, "name": "it's \\"b\\"", "price": 2}`),
      upsert(1, 0, '[3]', '{"id": 3, "name": "c"}'),
    );
    assert.deepEqual(
      statements.map(({ rows: sent }) => sent),
      [2, 1],
    );
    await write(
      upsert(2, 0, '[1]', '{"id": 1, "name": null, "price": -0.01}'),
      remove(2, 0, '[2]'),
      remove(2, 0, '[9]'),
    );
    assert.deepEqual(await rows('SELECT * FROM "ITEMS" ORDER BY "ID"'), [
      ['1', null, '-0.01'],
      ['3', 'c', null],
    ]);
  });

  test('what the source does not send stays', async (t) => {
    const { write, rows } = await createWriterFixture(t, h2, ITEMS, ['ITEMS']);
    await write(upsert(1, 0, '[1]', '{"id": 1, "name": "a", "price": 1}'));
    await write(upsert(2, 0, '[1]', '{"id": 1, "name": "b"}'));
    assert.deepEqual(await rows('SELECT * FROM "ITEMS"'), [['1', 'b', '1']]);
  });

  test('a set is cut into array binds of flushSize rows', async (t) => {
    const { write, statements } = await createWriterFixture(t, h2, ITEMS, ['ITEMS'], { flushSize: 3 });
    await write(...Array.from({ length: 7 }, (_, i) => upsert(1, 0, `[${i}]`, `{"id": ${i}, "name": "x"}`)));
    assert.deepEqual(
      statements.map(({ rows }) => rows),
      [3, 3, 1],
    );
  });

  test('a row never takes another row for its own by a unique value', async (t) => {
    const ddl = `CREATE TABLE "U" ("ID" NUMBER PRIMARY KEY, "CODE" VARCHAR2(9) UNIQUE, "NOTE" VARCHAR2(9))`;
    const { span, rows } = await createWriterFixture(t, h2, ddl, ['U']);
    await span([upsert(1, 0, '[1]', '{"id": 1, "code": "x", "note": "mine"}')]);
    await assert.rejects(span([upsert(2, 0, '[2]', '{"id": 2, "code": "x", "note": "other"}')]), (error: unknown) => {
      assert.ok(error instanceof BadRowError, String(error));
      assert.equal(error.code, 'ORA-00001');
      assert.equal(error.key, '[2]');
      assert.match(error.reason, /^another row has this value of a unique key/);
      return true;
    });
    assert.deepEqual(await rows('SELECT * FROM "U"'), [['1', 'x', 'mine']]);
  });

  describe('unique values that change hands', () => {
    const NULLABLE = `CREATE TABLE "U" ("ID" NUMBER PRIMARY KEY, "CODE" VARCHAR2(9) UNIQUE, "KEPT" VARCHAR2(9) DEFAULT 'k')`;
    const NOT_NULL = `CREATE TABLE "U" ("ID" NUMBER PRIMARY KEY, "CODE" VARCHAR2(9) NOT NULL UNIQUE, "KEPT" VARCHAR2(9), "WHEN" DATE, "BYTES" RAW(4))`;
    const CHILD = `CREATE TABLE "C" ("ID" NUMBER PRIMARY KEY, "U_ID" NUMBER REFERENCES "U"("ID"))`;
    const row = (n: number, id: number, code: string) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "code": "${code}"}`);

    test('a swap, while other rows reference the two', async (t) => {
      const { write, rows } = await createWriterFixture(t, h2, `${NULLABLE};\n${CHILD}`, ['U', 'C']);
      await write(row(1, 1, 'a'), row(1, 2, 'b'), upsert(1, 1, '[1]', '{"id": 1, "u_id": 1}'));
      await write(row(2, 1, 'b'), row(2, 2, 'a'));
      assert.deepEqual(await rows('SELECT "ID", "CODE", "KEPT" FROM "U" ORDER BY "ID"'), [
        ['1', 'b', 'k'],
        ['2', 'a', 'k'],
      ]);
    });

    test('a swap in a column that takes no NULL; columns that the source does not send are kept', async (t) => {
      const { write, rows, session } = await createWriterFixture(t, h2, NOT_NULL, ['U']);
      await write(row(1, 1, 'a'), row(1, 2, 'b'), row(1, 3, 'c'));
      await session.script(`UPDATE "U" SET "KEPT" = 'k' || "ID", "WHEN" = DATE '2024-02-29', "BYTES" = X'00ff'`);
      await write(row(2, 1, 'b'), row(2, 2, 'a'), row(2, 4, 'c'), remove(2, 0, '[3]'));
      assert.deepEqual(await rows('SELECT "ID", "CODE", "KEPT", "WHEN", RAWTOHEX("BYTES") FROM "U" ORDER BY "ID"'), [
        ['1', 'b', 'k1', '2024-02-29 00:00:00', '00ff'],
        ['2', 'a', 'k2', '2024-02-29 00:00:00', '00ff'],
        ['4', 'c', null, null, null],
      ]);
    });

    test('a swap in a column that takes no NULL, of rows whose key is bytes', async (t) => {
      const ddl = `CREATE TABLE "U" ("ID" RAW(16) PRIMARY KEY, "CODE" VARCHAR2(9) NOT NULL UNIQUE, "KEPT" NUMBER)`;
      const { write, rows, session } = await createWriterFixture(t, h2, ddl, ['U']);
      const [one, two] = ['5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];
      const named = (n: number, id: string, code: string) =>
        upsert(n, 0, `["${id}"]`, `{"id": "${id}", "code": "${code}"}`);
      await write(named(1, one, 'a'), named(1, two, 'b'));
      await session.script('UPDATE "U" SET "KEPT" = 12345678901234567890.5');
      await write(named(2, one, 'b'), named(2, two, 'a'));
      assert.deepEqual(await rows('SELECT "CODE", "KEPT" FROM "U" ORDER BY "ID"'), [
        ['b', '12345678901234567890.5'],
        ['a', '12345678901234567890.5'],
      ]);
    });

    test('from a row that goes to one that comes', async (t) => {
      const { write, rows } = await createWriterFixture(t, h2, NULLABLE, ['U']);
      await write(row(1, 1, 'a'));
      await write(remove(2, 0, '[1]'), row(3, 2, 'a'));
      assert.deepEqual(await rows('SELECT "ID", "CODE" FROM "U"'), [['2', 'a']]);
    });

    test('down a chain, without a row that is moved for it', async (t) => {
      const { write, rows, statements } = await createWriterFixture(t, h2, NULLABLE, ['U']);
      await write(row(1, 1, 'a'), row(1, 2, 'b'), row(1, 3, 'c'));
      await write(row(2, 1, 'b'), row(2, 2, 'c'), row(2, 3, 'd'));
      assert.deepEqual(await rows('SELECT "CODE" FROM "U" ORDER BY "ID"'), [['b'], ['c'], ['d']]);
      assert.ok(!statements.some(({ sql }) => sql.startsWith('UPDATE')), 'a row was parked');
    });
  });

  describe('foreign keys, which nobody can switch off', () => {
    const DDL = `CREATE TABLE "P" ("ID" NUMBER PRIMARY KEY);
      CREATE TABLE "C" ("ID" NUMBER PRIMARY KEY, "P_ID" NUMBER REFERENCES "P"("ID"))`;

    test('parents come first and go last', async (t) => {
      const { write, rows } = await createWriterFixture(t, h2, DDL, ['P', 'C']);
      await write(upsert(1, 1, '[1]', '{"id": 1, "p_id": 7}'), upsert(1, 0, '[7]', '{"id": 7}'));
      await write(upsert(2, 1, '[1]', '{"id": 1, "p_id": 8}'), remove(2, 0, '[7]'), upsert(2, 0, '[8]', '{"id": 8}'));
      assert.deepEqual(await rows('SELECT "ID", "P_ID" FROM "C"'), [['1', '8']]);
      await write(remove(3, 0, '[8]'), remove(3, 1, '[1]'));
      assert.deepEqual(await rows('SELECT COUNT(*) FROM "P"'), [['0']]);
    });

    test('a tree in one table comes and goes in any order', async (t) => {
      const ddl = `CREATE TABLE "N" ("ID" NUMBER PRIMARY KEY, "UP" NUMBER REFERENCES "N"("ID"))`;
      const { write, rows } = await createWriterFixture(t, h2, ddl, ['N']);
      await write(
        upsert(1, 0, '[3]', '{"id": 3, "up": 2}'),
        upsert(1, 0, '[2]', '{"id": 2, "up": 1}'),
        upsert(1, 0, '[1]', '{"id": 1, "up": null}'),
      );
      assert.deepEqual(await rows('SELECT COUNT(*) FROM "N"'), [['3']]);
      await write(remove(2, 0, '[1]'), remove(2, 0, '[2]'), remove(2, 0, '[3]'));
      assert.deepEqual(await rows('SELECT COUNT(*) FROM "N"'), [['0']]);
    });

    test("a parent that is missing is the row's fault, and names the constraint", async (t) => {
      const { span } = await createWriterFixture(t, h2, DDL, ['P', 'C']);
      await assert.rejects(span([upsert(1, 1, '[1]', '{"id": 1, "p_id": 7}')]), (error: unknown) => {
        assert.ok(error instanceof BadRowError, String(error));
        assert.equal(error.code, 'ORA-02291');
        assert.match(error.reason, /^the row that a foreign key references is not there \(S\.CONSTRAINT_\w+\)$/);
        return true;
      });
    });
  });

  describe('a bad row', () => {
    const DDL = `CREATE TABLE "B" ("ID" NUMBER(10) PRIMARY KEY, "NAME" VARCHAR2(5) NOT NULL, "N" NUMBER(5,2), "CHECKED" NUMBER CHECK ("CHECKED" > 0), "D" DATE)`;
    const good = (id: number) =>
      upsert(1, 0, `[${id}]`, `{"id": ${id}, "name": "ok", "n": 1, "checked": 1, "d": null}`);

    for (const [what, fields, code, column, says] of [
      [
        'too long',
        '"name": "secret", "n": 1, "checked": 1, "d": null',
        'ORA-12899',
        'NAME',
        /longer than the column takes/,
      ],
      ['NULL', '"name": null, "n": 1, "checked": 1, "d": null', 'ORA-01400', 'NAME', /NOT NULL/],
      [
        'empty',
        '"name": "", "n": 1, "checked": 1, "d": null',
        'ORA-01400',
        'NAME',
        /the value is empty, which to Oracle is NULL/,
      ],
      [
        'rounded',
        '"name": "x", "n": 1.005, "checked": 1, "d": null',
        'ORA-01438',
        'N',
        /does not fit NUMBER\(5,2\): it would be rounded/,
      ],
      [
        'too large',
        '"name": "x", "n": 98765, "checked": 1, "d": null',
        'ORA-01438',
        'N',
        /more digits than the column takes/,
      ],
      ['no number', '"name": "x", "n": "NaN", "checked": 1, "d": null', 'ORA-01722', 'N', /no number/],
      ['checked', '"name": "x", "n": 1, "checked": -9, "d": null', 'ORA-02290', null, /CHECK constraint/],
      ['no date', '"name": "x", "n": 1, "checked": 1, "d": "infinity"', 'ORA-01841', 'D', /no moment/],
      [
        'part of a second',
        '"name": "x", "n": 1, "checked": 1, "d": "2024-01-01T00:00:00.5"',
        'ORA-01830',
        'D',
        /would be rounded/,
      ],
    ] as const) {
      test(`${what}: halts with its key and column, and no value; put aside, the others are written`, async (t) => {
        const { span, rows } = await createWriterFixture(t, h2, DDL, ['B']);
        const bad = upsert(1, 0, '[2]', `{"id": 2, ${fields}}`);
        await assert.rejects(span([good(1), bad, good(3)]), (error: unknown) => {
          assert.ok(error instanceof BadRowError, String(error));
          assert.deepEqual([error.key, error.column, error.code], ['[2]', column, code]);
          assert.match(error.reason, says);
          assert.doesNotMatch(`${String(error)} ${String(error.cause)}`, /secret|98765|-9\b|1\.005/);
          return true;
        });
        const aside: RefusedChange[] = [];
        const figures = await span([good(1), bad, good(3)], aside);
        assert.equal(figures.upserts, 2);
        assert.deepEqual(
          aside.map((one) => [Buffer.from(one.change.key).toString(), one.column, one.code]),
          [['[2]', column, code]],
        );
        assert.deepEqual(await rows('SELECT "ID" FROM "B" ORDER BY "ID"'), [['1'], ['3']]);
      });
    }

    test('the delete of a row that was refused for its key passes', async (t) => {
      const { span, rows } = await createWriterFixture(t, h2, DDL, ['B']);
      await span([good(1), remove(1, 0, '[2.5]')]);
      assert.deepEqual(await rows('SELECT "ID" FROM "B"'), [['1']]);
    });
  });

  describe('columns', () => {
    test('that the target computes are left out', async (t) => {
      const ddl = `CREATE TABLE "V" ("ID" NUMBER PRIMARY KEY, "A" NUMBER, "B" NUMBER GENERATED ALWAYS AS ("A" + 1))`;
      const { write, rows } = await createWriterFixture(t, h2, ddl, ['V']);
      await write(upsert(1, 0, '[1]', '{"id": 1, "a": 1, "b": 2}'));
      assert.deepEqual(await rows('SELECT "ID", "A", "B" FROM "V"'), [['1', '1', '2']]);
    });

    test('GENERATED ALWAYS AS IDENTITY names the statement that mends it', async (t) => {
      const ddl = `CREATE TABLE "V" ("ID" NUMBER(10) GENERATED ALWAYS AS IDENTITY PRIMARY KEY)`;
      const { span, schema } = await createWriterFixture(t, h2, ddl, ['V']);
      await assert.rejects(span([upsert(1, 0, '[1]', '{"id": 1}')]), (error: unknown) => {
        assert.ok(error instanceof SchemaMismatchError);
        assert.ok(error.remedy.includes(`ALTER TABLE "${schema}"."V" MODIFY ("ID" GENERATED BY DEFAULT AS IDENTITY)`));
        return true;
      });
    });

    test('that the target lacks halt the stream, or are ignored, or go into one', async (t) => {
      const ddl = `CREATE TABLE "X" ("ID" NUMBER PRIMARY KEY, "REST" CLOB)`;
      const change = upsert(1, 0, '[1]', '{"id": 1, "a": 1.50, "b": "t\\"x", "c": null}');
      const strict = await createWriterFixture(t, h2, ddl, ['X']);
      await assert.rejects(strict.span([change]), (error: unknown) => {
        assert.ok(error instanceof SchemaMismatchError);
        assert.equal(error.column, 'a');
        assert.match(error.remedy, /^ALTER TABLE "S\w+"\."X" ADD \("A" \.\.\.\)/);
        return true;
      });
      const ignoring = await createWriterFixture(t, h2, ddl, ['X'], { extraColumns: 'ignore' });
      await ignoring.write(change);
      assert.deepEqual(await ignoring.rows('SELECT * FROM "X"'), [['1', null]]);
      const collecting = await createWriterFixture(t, h2, ddl, ['X'], { extraColumns: { into: 'rest' } });
      await collecting.write(change);
      assert.deepEqual(await collecting.rows('SELECT * FROM "X"'), [['1', '{"a": 1.50, "b": "t\\"x", "c": null}']]);
    });
  });
});
