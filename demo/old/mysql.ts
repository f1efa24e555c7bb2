import mysql from 'mysql2/promise';
import { BANK_ON_MYSQL, bankOnSource } from '../bank/schema.js';
import { withClient } from '../pg-session.js';
import { SENTINEL_ON_MYSQL, SENTINEL_ON_SOURCE } from '../sentinel.js';
import { NEW_CUSTOMER_ON_MYSQL, SHOP_ON_MYSQL, shopOnSource } from '../shop/schema.js';
import { COLUMNS, selectSql, type Copied } from './columns.js';
import type { OldDialect } from './old-database.js';

type TextRow = Record<string, string | null>;

/** MySQL has no type for every decimal, and none without a length for a unique key. */
const FITTING = { total: 'DECIMAL(40, 9)', unique: 'STRING(255)' };

export const MYSQL: OldDialect = {
  name: 'MariaDB',
  sourceTables: [bankOnSource(), shopOnSource(FITTING), SENTINEL_ON_SOURCE],
  async migrate(oldUrl, sourceUrl) {
    const connection = await open(oldUrl);
    try {
      for (const statement of [...BANK_ON_MYSQL, ...SHOP_ON_MYSQL, SENTINEL_ON_MYSQL])
        await connection.query(statement);
      await withClient(sourceUrl, async (source) => {
        await source.query("SET timezone = 'UTC'");
        for (const table of Object.keys(COLUMNS)) {
          const { rows } = await source.query<(string | null)[]>({ text: selectSql(table), rowMode: 'array' });
          await connection.query(`INSERT INTO ${table} VALUES ?`, [rows.map((row) => toMysql(table, row))]);
        }
      });
    } finally {
      await connection.end();
    }
  },
  isRefusal: (error) => typeof (error as { errno?: unknown }).errno === 'number' && 'sqlState' in (error as object),
  async connect(url) {
    const connection = await open(url);
    const all = async <Row extends TextRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> =>
      (await connection.query(sql, [...values]))[0] as Row[];
    return {
      async addCustomer(email) {
        await connection.query(NEW_CUSTOMER_ON_MYSQL, [email]);
      },
      async readBank() {
        const rows = await all<{ total: string; transfers: string }>(
          'SELECT SUM(balance) AS total, (SELECT COUNT(*) FROM transfers) AS transfers FROM accounts',
        );
        return rows[0] ?? { total: 'nothing', transfers: '' };
      },
      customersAfter: async (id) =>
        (await all(
          `SELECT id, name, email, CAST(tags AS CHAR) AS tags, LOWER(HEX(photo)) AS photo, since FROM customers WHERE id > ? ORDER BY id`,
          [id],
        )) as unknown as Copied[],
      sentinels: () => all<{ id: string; at: string }>('SELECT id, written_at AS at FROM failback_sentinel'),
      async rows(table) {
        const columns = Object.entries(COLUMNS[table] ?? {}).map(([name, kind]) =>
          kind === 'bytes' ? `LOWER(HEX(${name})) AS ${name}` : name,
        );
        return (await all(`SELECT ${columns.join(', ')} FROM ${table}`)).map((row) => Object.values(row));
      },
      end: () => connection.end(),
    };
  },
};

/** Every value comes as text. */
function open(url: string): Promise<mysql.Connection> {
  return mysql.createConnection({
    uri: url,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    typeCast: (field) => field.string('utf8'),
  });
}

/** From the text of the other databases. */
function toMysql(table: string, row: readonly (string | null)[]): (string | Buffer | null)[] {
  const kinds = Object.values(COLUMNS[table] ?? {});
  return row.map((text, i) => {
    if (text === null) return null;
    if (kinds[i] === 'bytes') return Buffer.from(text, 'hex');
    return kinds[i] === 'time' ? text.replace(/\+00(:00)?$/, '') : text;
  });
}
