import pg from 'pg';
import { createTableSql } from '../../../src/targets/postgres/checkpoint-ddl.js';
import { openPostgresApplySession } from '../../../src/targets/postgres/session.js';
import { startPostgres } from '../../support/postgres.js';
import type { DialectWords, Scene, TargetBench } from '../bench.js';
import { AS_TEXT, createApplyFixture } from './apply-fixture.js';

const WORDS: DialectWords = {
  begin: 'BEGIN',
  // The whole statement, and the whole answer to it; `READ COMMITTED` is neither.
  commit: 'COMMIT\0',
  committed: 'COMMIT\0',
  lockTimeout: '55P03',
  outOfRange: '22003',
  noParent: '23503',
  letterKey: 'key',
  letterCode: 'sqlstate',
  traced: [
    'CREATE TABLE trace (id int, v int)',
    `CREATE FUNCTION trace() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO trace VALUES (NEW.id, NEW.v); RETURN NULL; END'`,
    'CREATE TRIGGER trace AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trace()',
  ],
  writers: 'SELECT count(DISTINCT xmin::text) FROM t',
  toInteger: (table, column) => `ALTER TABLE ${table} ALTER ${column} TYPE int`,
};

const MORE_TABLES = (['dead_letters', 'guard', 'checkpoint_group'] as const).flatMap((table) =>
  createTableSql('_failback', table),
);

export async function startPostgresBench(settings: Readonly<Record<string, string>> = {}): Promise<TargetBench> {
  const postgres = await startPostgres({ settings: { fsync: 'off', ...settings } });
  return {
    port: postgres.port,
    words: WORDS,
    kill: () => postgres.kill(),
    restart: () => postgres.restart(),
    stop: () => postgres.stop(),
    async scene(t, ddl, tables): Promise<Scene> {
      const fixture = await createApplyFixture(t, postgres, [...MORE_TABLES, ...ddl].join('; '), tables);
      const named = (sql: string): string => sql.replaceAll(/\{(\w+)\}/g, '_failback.$1');
      return {
        stream: fixture.stream,
        token: fixture.token,
        async run(...statements) {
          for (const statement of statements) await fixture.admin.query(named(statement));
        },
        rows: (sql) => fixture.rows(named(sql)),
        async reader() {
          const client = new pg.Client({ connectionString: postgres.url(fixture.database) });
          client.on('error', () => undefined);
          await client.connect();
          t.after(() => client.end());
          return async (sql) =>
            (await client.query<(string | null)[]>({ text: named(sql), rowMode: 'array', types: AS_TEXT })).rows;
        },
        applied: () => fixture.applied(),
        options: (over = {}) => fixture.options(over),
        openSession: (over = {}) => openPostgresApplySession(fixture.options({ connectTimeoutMs: 2000, ...over })),
        open: (over = {}) => fixture.open(over),
        through: (port) => ({ connectionString: `postgresql://postgres@127.0.0.1:${port}/${fixture.database}` }),
      };
    },
  };
}
