import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hlcOf } from '../../../src/domain/hlc.js';
import { createCheckpointClient } from '../../../src/targets/oracle/checkpoint-client.js';
import { oracleCheckpointDialect } from '../../../src/targets/oracle/checkpoint-dialect.js';
import type { OracleClient } from '../../../src/targets/oracle/client.js';
import { CHECKPOINT_TABLES, columnsOf } from '../../../src/targets/portable/checkpoint-ddl.js';
import { createCheckpointRow } from '../../../src/targets/portable/checkpoint-row.js';
import { inTransaction } from '../../../src/targets/portable/sql-client.js';

/** Writes down what Oracle would be sent; each statement finds one row. */
function recorder(): { readonly client: OracleClient; readonly sent: string[] } {
  const sent: string[] = [];
  const note = (text: string): Promise<void> => {
    sent.push(text.replace(/\s+/g, ' ').trim());
    return Promise.resolve();
  };
  const client: OracleClient = {
    async execute(sql) {
      await note(sql);
      return { rows: [], rowCount: 1 };
    },
    executeMany: () => Promise.reject(new Error('not one of these statements')),
    commit: () => note('COMMIT'),
    rollback: () => note('ROLLBACK'),
    break: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  return { client, sent };
}

const LOCK = 'SELECT 1 FROM "SHOP"."FAILBACK_CHECKPOINT" WHERE stream = :1 FOR UPDATE WAIT 2';
const ADVANCE =
  'UPDATE "SHOP"."FAILBACK_CHECKPOINT" SET applied = CAST(:1 AS NUMBER(30,10)), changed_at = CURRENT_TIMESTAMP(6) ' +
  'WHERE stream = :2 AND token = :3 AND applied = CAST(:4 AS NUMBER(30,10)) AND (stop_at IS NULL OR stop_at >= CAST(:5 AS NUMBER(30,10)))';

test('the compare-and-set waits for its row no longer than it may: an UPDATE alone would wait for ever (protocol rules C, 24)', async () => {
  const { client, sent } = recorder();
  const sql = createCheckpointClient(client);
  const access = { client: sql, dialect: oracleCheckpointDialect, schema: 'SHOP', lockTimeoutMs: 1500 };
  const row = createCheckpointRow(access, 'orders');
  const advance = () => row.advance('token', hlcOf(1n), hlcOf(2n));
  assert.equal(await advance(), true);
  assert.deepEqual(sent.splice(0), [LOCK, ADVANCE, 'COMMIT'], 'alone, it is a transaction');
  await inTransaction(sql, advance);
  assert.deepEqual(sent.splice(0), [LOCK, ADVANCE, 'COMMIT'], 'in one, it is a part of that');
});

test('a statement alone is committed, and undone where it fails', async () => {
  const { client, sent } = recorder();
  await createCheckpointClient(client).query('SELECT ? AS one FROM DUAL', ['1']);
  assert.deepEqual(sent.splice(0), ['SELECT :1 AS one FROM DUAL', 'COMMIT']);
  const failing = createCheckpointClient({ ...client, execute: () => Promise.reject(new Error('no')) });
  await assert.rejects(failing.query('SELECT 1 FROM nowhere'), /no/);
  assert.deepEqual(sent, ['ROLLBACK']);
});

test('the tables', () => {
  const ddl = CHECKPOINT_TABLES.map((table) => {
    const name = oracleCheckpointDialect.tableName('SHOP', table);
    return oracleCheckpointDialect.schema.createTable(name, columnsOf(table, oracleCheckpointDialect.types), false);
  });
  assert.deepEqual(ddl[2], [
    'CREATE TABLE "SHOP"."FAILBACK_CLAIM" (table_name VARCHAR2(400 CHAR) NOT NULL, run VARCHAR2(255 CHAR) NOT NULL, PRIMARY KEY (table_name))',
    `COMMENT ON TABLE "SHOP"."FAILBACK_CLAIM" IS 'Made by Failback. No run needs it when it has no row, and it may be dropped then.'`,
  ]);
  // Oracle wants a default before NOT NULL.
  assert.doesNotMatch(ddl.flat().join(), /NOT NULL DEFAULT/);
});
