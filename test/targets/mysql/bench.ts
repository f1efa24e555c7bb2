import { connectMysql } from '../../../src/targets/mysql/client.js';
import { openMysqlApplySession } from '../../../src/targets/mysql/session.js';
import { startMariadb } from '../../support/mariadb.js';
import type { DialectWords, Scene, TargetBench } from '../bench.js';
import { createApplyFixture } from './apply-fixture.js';

const WORDS: DialectWords = {
  begin: 'START TRANSACTION',
  // The command of a query, and OK without an open transaction.
  commit: '\x03COMMIT',
  committed: '\x00\x00\x00\x02\x00\x00\x00',
  lockTimeout: '1205',
  outOfRange: '1264',
  noParent: '1452',
  letterKey: 'key_text',
  letterCode: 'error_code',
  traced: [
    'CREATE TABLE trace (place int AUTO_INCREMENT PRIMARY KEY, id int, v int)',
    'CREATE TRIGGER traced_insert AFTER INSERT ON t FOR EACH ROW INSERT INTO trace (id, v) VALUES (NEW.id, NEW.v)',
    'CREATE TRIGGER traced_update AFTER UPDATE ON t FOR EACH ROW INSERT INTO trace (id, v) VALUES (NEW.id, NEW.v)',
  ],
  writers: null,
  toInteger: (table, column) => `ALTER TABLE ${table} MODIFY ${column} int`,
};

export async function startMysqlBench(): Promise<TargetBench> {
  // A transaction outlives the server's process, not the machine.
  const mariadb = await startMariadb({ settings: { 'innodb-flush-log-at-trx-commit': '2' } });
  return {
    port: mariadb.port,
    words: WORDS,
    kill: () => mariadb.kill(),
    restart: () => mariadb.restart(),
    stop: () => mariadb.stop(),
    async scene(t, ddl, tables): Promise<Scene> {
      const fixture = await createApplyFixture(t, mariadb, ddl, tables);
      const named = (sql: string): string => sql.replaceAll(/\{(\w+)\}/g, 'failback_$1');
      return {
        stream: fixture.stream,
        token: fixture.token,
        async run(...statements) {
          for (const statement of statements) await fixture.admin.query(named(statement));
        },
        rows: (sql) => fixture.rows(named(sql)),
        async reader() {
          const client = await connectMysql({
            connectionString: mariadb.url(fixture.database),
            applicationName: 'test',
          });
          t.after(() => client.close());
          return async (sql) => (await client.query(named(sql))).rows.map((row) => Object.values(row));
        },
        applied: async () => (await fixture.rows('SELECT applied FROM failback_checkpoint'))[0]?.[0] ?? 'none',
        options: (over = {}) => fixture.options(over),
        openSession: (over = {}) => openMysqlApplySession(fixture.options({ connectTimeoutMs: 2000, ...over })),
        open: (over = {}) => fixture.open(over),
        through: (port) => ({
          connectionString: `mysql://failback:failback@127.0.0.1:${port}/${fixture.database}`,
        }),
      };
    },
  };
}
