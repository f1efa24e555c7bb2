import mysql from 'mysql2/promise';
import { startMariadb } from '../demo/parts/mariadb.js';
import { openMysqlCheckpointStore } from '../src/targets/mysql/checkpoint-store.js';
import { openMysqlApplySession } from '../src/targets/mysql/session.js';
import type { Form } from './ceiling.js';
import { COLUMN_NAMES, CURSOR, SCHEMA_NAME, tableName, valuesOf, type RowShape } from './rows.js';
import { SCHEMA, SESSION, STREAM, type BenchTarget } from './target.js';

const COLUMN_TYPES =
  'amount decimal(12,2), at datetime(6), flag boolean, id bigint, n int, name text, note text, price double';
const UPDATED = COLUMN_NAMES.filter((name) => name !== 'id').map((name) => `${name} = VALUES(${name})`);
const QUOTED = new Set(['at', 'name', 'note']);
/** MySQL's own default, and memory that holds every table of a benchmark. Nothing that is committed is lost. */
const SETTINGS = {
  'innodb-flush-log-at-trx-commit': '1',
  'innodb-doublewrite': 'ON',
  'innodb-buffer-pool-size': '1G',
  'innodb-log-file-size': '512M',
  'max-allowed-packet': '64M',
};

export async function startMysqlBench(): Promise<BenchTarget> {
  const mariadb = await startMariadb({ settings: SETTINGS });
  const admin = await mysql.createConnection(mariadb.url());
  await admin.query(`CREATE DATABASE \`${SCHEMA_NAME}\` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
  await admin.end();
  const connectionString = mariadb.url(SCHEMA_NAME);
  const connection = await mysql.createConnection({ uri: connectionString, charset: 'utf8mb4_bin' });
  return {
    forms: {
      'upserts of 1,000': formOn(connection, 1_000),
      'upserts of 5,000': formOn(connection, 5_000),
      'upserts of 20,000': formOn(connection, 20_000),
    },
    ways: { loop: {} },
    async empty(shape) {
      for (let table = 0; table < shape.tables; table++) {
        await connection.query(`DROP TABLE IF EXISTS ${tableName(table)}`);
        await connection.query(`CREATE TABLE ${tableName(table)} (${COLUMN_TYPES}, PRIMARY KEY (id))`);
      }
      const store = await openMysqlCheckpointStore({ connectionString, applicationName: 'bench' }, SCHEMA);
      try {
        await store.removeRun(STREAM);
        await store.ensureSchema();
        await store.insertOnce({
          stream: STREAM,
          run: STREAM,
          cursor: CURSOR,
          origin: { clusterId: 'bench', tableIds: {} },
        });
      } finally {
        await store.close();
      }
    },
    openSession: (plan, over) => openMysqlApplySession({ ...SESSION, connectionString, plan, ...over }),
    async stop() {
      await connection.end();
      await mariadb.stop();
    },
  };
}

/** INSERT ... ON DUPLICATE KEY UPDATE of so many rows of literals. */
function formOn(connection: mysql.Connection, size: number): Form<string> {
  return {
    texts: (table, rows, shape) =>
      Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => {
        const values = rows.slice(i * size, (i + 1) * size).map((n) => literalsOf(n, shape));
        return `INSERT INTO ${table} (${COLUMN_NAMES.join()}) VALUES ${values.join()} ON DUPLICATE KEY UPDATE ${UPDATED.join()}`;
      }),
    async run(_, texts) {
      await connection.query('BEGIN');
      for (const text of texts) await connection.query(text);
      await connection.query('COMMIT');
    },
  };
}

function literalsOf(n: number, shape: RowShape): string {
  const values = valuesOf(n, shape).map((value, i) => {
    const name = COLUMN_NAMES[i] ?? '';
    if (!QUOTED.has(name)) return value;
    return `'${name === 'at' ? value.replace('T', ' ').replace('Z', '') : value}'`;
  });
  return `(${values.join()})`;
}
