import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { alignSequences, identityStatement } from '../../../src/targets/oracle/sequences.js';
import { startH2, type H2 } from '../../support/h2.js';
import { createPreflightBench } from './preflight-fixture.js';

describe('sequences of an Oracle target', () => {
  let h2: H2;
  before(async () => {
    h2 = await startH2();
  });
  after(() => h2.stop());

  test('one that is a default goes on beyond the rows, in its own steps, and is left alone afterwards', async (t) => {
    const bench = await createPreflightBench(t, h2);
    const sequence = `"${bench.schema}"."S_ID"`;
    await bench.run(`
      CREATE SEQUENCE "S_ID" START WITH 1 INCREMENT BY 10;
      CREATE TABLE "T" ("ID" NUMBER(19) PRIMARY KEY);
      INSERT INTO "T" VALUES (35)`);
    // H2 keeps its own words of a default: Oracle's are put in their place.
    await bench.run(`
      CREATE OR REPLACE VIEW ALL_TAB_COLS AS SELECT '${bench.schema}' AS OWNER, 'T' AS TABLE_NAME, 'ID' AS COLUMN_NAME, 1 AS COLUMN_ID,
        'NUMBER' AS DATA_TYPE, 22 AS DATA_LENGTH, 19 AS DATA_PRECISION, 0 AS DATA_SCALE, 0 AS CHAR_LENGTH, CAST(NULL AS VARCHAR(1)) AS CHAR_USED,
        'N' AS NULLABLE, 'NO' AS VIRTUAL_COLUMN, 'YES' AS USER_GENERATED, '"${bench.schema}"."S_ID".nextval' AS DATA_DEFAULT,
        'USING_NLS_COMP' AS COLLATION, 'NO' AS DEFAULT_ON_NULL`);
    const table = { schema: bench.schema, table: 'T' };
    const [first] = await alignSequences(bench.owner, [table]);
    assert.deepEqual(first, {
      sequence,
      table,
      column: 'ID',
      was: '1',
      now: '41',
      outcome: 'set',
      statement: null,
    });
    await bench.owner.commit();
    const [second] = await alignSequences(bench.owner, [table]);
    assert.equal(second?.outcome, 'beyond');
  });

  test('values that are cached may still be given, so they count as not given', async (t) => {
    const bench = await createPreflightBench(t, h2);
    await bench.run(`
      CREATE SEQUENCE "S_ID" START WITH 1 INCREMENT BY 1;
      CREATE TABLE "T" ("ID" NUMBER(19) PRIMARY KEY);
      INSERT INTO "T" VALUES (35);
      CREATE OR REPLACE VIEW ALL_SEQUENCES AS SELECT '${bench.schema}' AS SEQUENCE_OWNER, 'S_ID' AS SEQUENCE_NAME, 1 AS MIN_VALUE, 9999 AS MAX_VALUE,
        1 AS INCREMENT_BY, 20 AS CACHE_SIZE, 41 AS LAST_NUMBER;
      CREATE OR REPLACE VIEW ALL_TAB_COLS AS SELECT '${bench.schema}' AS OWNER, 'T' AS TABLE_NAME, 'ID' AS COLUMN_NAME, 1 AS COLUMN_ID,
        'NUMBER' AS DATA_TYPE, 22 AS DATA_LENGTH, 19 AS DATA_PRECISION, 0 AS DATA_SCALE, 0 AS CHAR_LENGTH, CAST(NULL AS VARCHAR(1)) AS CHAR_USED,
        'N' AS NULLABLE, 'NO' AS VIRTUAL_COLUMN, 'YES' AS USER_GENERATED, '"S_ID".nextval' AS DATA_DEFAULT,
        'USING_NLS_COMP' AS COLLATION, 'NO' AS DEFAULT_ON_NULL`);
    const [only] = await alignSequences(bench.owner, [{ schema: bench.schema, table: 'T' }]);
    assert.deepEqual([only?.was, only?.now, only?.outcome], ['21', '41', 'set']);
  });

  test('one that ends before the rows is said to', async (t) => {
    const bench = await createPreflightBench(t, h2);
    await bench.run(`
      CREATE SEQUENCE "S_ID" START WITH 1 MAXVALUE 10;
      CREATE TABLE "T" ("ID" NUMBER(19) PRIMARY KEY);
      INSERT INTO "T" VALUES (10);
      CREATE OR REPLACE VIEW ALL_TAB_COLS AS SELECT '${bench.schema}' AS OWNER, 'T' AS TABLE_NAME, 'ID' AS COLUMN_NAME, 1 AS COLUMN_ID,
        'NUMBER' AS DATA_TYPE, 22 AS DATA_LENGTH, 19 AS DATA_PRECISION, 0 AS DATA_SCALE, 0 AS CHAR_LENGTH, CAST(NULL AS VARCHAR(1)) AS CHAR_USED,
        'N' AS NULLABLE, 'NO' AS VIRTUAL_COLUMN, 'YES' AS USER_GENERATED, '"S_ID".nextval' AS DATA_DEFAULT,
        'USING_NLS_COMP' AS COLLATION, 'NO' AS DEFAULT_ON_NULL`);
    const [only] = await alignSequences(bench.owner, [{ schema: bench.schema, table: 'T' }]);
    assert.equal(only?.outcome, 'exhausted');
    assert.match(only.statement ?? '', /ends at MAXVALUE 10, and rows have 10: ALTER SEQUENCE "S_ID" NOMAXVALUE/);
  });

  test('an identity column is set by Oracle itself, as what it is', () => {
    const table = { schema: 'SHOP', table: 'T' };
    const column = { name: 'ID', onNull: false };
    const start = 'ALTER TABLE "SHOP"."T" MODIFY ("ID" GENERATED';
    assert.equal(
      identityStatement(table, { ...column, identity: 'by default' }, 1n),
      `${start} BY DEFAULT AS IDENTITY (START WITH LIMIT VALUE INCREMENT BY 1))`,
    );
    assert.equal(
      identityStatement(table, { ...column, identity: 'by default', onNull: true }, 10n),
      `${start} BY DEFAULT ON NULL AS IDENTITY (START WITH LIMIT VALUE INCREMENT BY 10))`,
    );
    assert.equal(
      identityStatement(table, { ...column, identity: 'always' }, null),
      `${start} ALWAYS AS IDENTITY (START WITH LIMIT VALUE))`,
    );
  });
});
