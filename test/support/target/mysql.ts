import mysql from 'mysql2/promise';
import { SENTINEL_ON_MYSQL } from '../../../demo/sentinel.js';
import { SHOP_ON_MYSQL } from '../../../demo/shop/schema.js';
import type { Answer, Target, TestDialect } from './target.js';

export const MYSQL: TestDialect = {
  name: 'mysql',
  async connect(url) {
    const connection = await open(url);
    const query: Target['query'] = async <R>(sql: string, values: readonly unknown[] = []): Promise<Answer<R>> => {
      const [answer] = await connection.query(...inOrder(sql, values));
      if (!Array.isArray(answer)) return { rows: [], rowCount: answer.affectedRows };
      return { rows: answer as R[], rowCount: answer.length };
    };
    const lines = async (sql: string): Promise<string[]> =>
      (await query<{ line: string }>(sql)).rows.map(({ line }) => line);
    return {
      query,
      types: { text: 'longtext', json: 'json', counted: 'bigint AUTO_INCREMENT' },
      ours: (table) => `_failback.failback_${table}`,
      columns: { key: 'key_text', state: 'state_json', tables: 'tables_json' },
      schema: new URL(url).pathname.slice(1),
      tooLarge: /out of range of decimal\(5,2\) \(unfit-value\)$/,
      async changeType(table, column, type) {
        await query(`ALTER TABLE ${table} MODIFY ${column} ${type}`);
      },
      async hold(table) {
        const holder = await open(url);
        await holder.query(`LOCK TABLES ${table} READ`);
        return () => holder.end();
      },
      async watch(table) {
        await query('CREATE TABLE seen (id int8)');
        for (const event of ['INSERT', 'UPDATE'])
          await query(
            `CREATE TRIGGER see_${event} AFTER ${event} ON ${table} FOR EACH ROW INSERT INTO seen VALUES (NEW.id)`,
          );
      },
      sinkPath: new URL(url).pathname,
      demo: { sentinel: [SENTINEL_ON_MYSQL], shop: SHOP_ON_MYSQL },
      async catalogue() {
        const tables = await lines(TABLES);
        const made = [];
        for (const table of tables) {
          const { rows } = await query<Record<string, string>>(`SHOW CREATE TABLE ${table}`);
          // The counter moves with the rows.
          made.push(`table ${table}: ${Object.values(rows[0] ?? {})[1]?.replace(/ AUTO_INCREMENT=\d+/, '')}`);
        }
        return [...(await lines(CATALOGUE)), ...made];
      },
      async setPassword(password) {
        await query('SET PASSWORD = PASSWORD($1)', [password]);
      },
      end: () => connection.end(),
    };
  },
};

/** Reads names and texts as PostgreSQL does. */
async function open(url: string): Promise<mysql.Connection> {
  const connection = await mysql.createConnection({
    uri: url,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    multipleStatements: true,
    typeCast: (field) => field.string('utf8'),
  });
  // A broken connection shows in the next statement.
  connection.on('error', () => undefined);
  await connection.query(`SET sql_mode = 'ANSI,STRICT_ALL_TABLES'`);
  return connection;
}

/** From `$1` to the driver's `?`. */
function inOrder(sql: string, values: readonly unknown[]): [sql: string, values: unknown[]] {
  const given: unknown[] = [];
  const text = sql.replace(/\$(\d+)/g, (_, number: string) => {
    given.push(values[Number(number) - 1]);
    return '?';
  });
  return [text, given];
}

const SYSTEM = `('information_schema', 'performance_schema', 'mysql', 'sys')`;
const TABLES = `
  SELECT CONCAT('"', table_schema, '"."', table_name, '"') AS line FROM information_schema.tables
  WHERE table_schema NOT IN ${SYSTEM} ORDER BY line`;
const CATALOGUE = `
  SELECT CONCAT_WS(' ', 'database', schema_name, default_collation_name) AS line FROM information_schema.schemata
    WHERE schema_name NOT IN ${SYSTEM}
  UNION ALL SELECT CONCAT_WS(' ', 'trigger', trigger_schema, trigger_name) FROM information_schema.triggers
    WHERE trigger_schema NOT IN ${SYSTEM}
  UNION ALL SELECT CONCAT_WS(' ', 'routine', routine_schema, routine_name) FROM information_schema.routines
    WHERE routine_schema NOT IN ${SYSTEM}
  UNION ALL SELECT CONCAT_WS(' ', 'user', grantee, privilege_type) FROM information_schema.user_privileges
  ORDER BY line`;
