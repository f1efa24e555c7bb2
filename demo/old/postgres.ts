import pg from 'pg';
import { BANK_ON_TARGET, BANK_ROWS, bankOnSource } from '../bank/schema.js';
import { SENTINEL_ON_SOURCE, SENTINEL_ON_TARGET, SENTINEL_TABLE } from '../sentinel.js';
import { IDS_BEYOND_ROWS, NEW_CUSTOMER, SHOP_ON_TARGET, SHOP_ROWS, shopOnSource } from '../shop/schema.js';
import { selectSql, type Copied } from './columns.js';
import type { OldDialect } from './old-database.js';
import { connect, execute } from '../pg-session.js';

export const POSTGRES: OldDialect = {
  name: 'PostgreSQL',
  sourceTables: [bankOnSource(), shopOnSource(), SENTINEL_ON_SOURCE],
  migrate: (oldUrl) =>
    execute(oldUrl, [BANK_ON_TARGET, SHOP_ON_TARGET, SENTINEL_ON_TARGET, BANK_ROWS, SHOP_ROWS, IDS_BEYOND_ROWS]),
  isRefusal: (error) => error instanceof pg.DatabaseError,
  async connect(url) {
    const client = await connect(url);
    await client.query("SET timezone = 'UTC'");
    return {
      async addCustomer(email) {
        await client.query(NEW_CUSTOMER, [email]);
      },
      async readBank() {
        const { rows } = await client.query<{ total: string; transfers: string }>(
          'SELECT sum(balance)::text AS total, (SELECT count(*)::text FROM transfers) AS transfers FROM accounts',
        );
        return rows[0] ?? { total: 'nothing', transfers: '' };
      },
      customersAfter: async (id) => (await client.query<Copied>(NEW_CUSTOMERS, [id])).rows,
      async sentinels() {
        const sql = `SELECT id, written_at::text AS at FROM ${SENTINEL_TABLE}`;
        return (await client.query<{ id: string; at: string }>(sql)).rows;
      },
      async rows(table) {
        return (await client.query<(string | null)[]>({ text: selectSql(table), rowMode: 'array' })).rows;
      },
      end: () => client.end(),
    };
  },
};

/** $1 = the last id that CockroachDB has */
const NEW_CUSTOMERS = `
  SELECT id::text, name, email, array_to_json(tags)::text AS tags, encode(photo, 'hex') AS photo, since::text
  FROM customers WHERE id > $1 ORDER BY id`;
