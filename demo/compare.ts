import pg from 'pg';
import { BANK_TABLES } from './bank/schema.js';
import { NEW_CUSTOMER, SHOP_TABLES } from './shop/schema.js';

/** Tables whose count or checksum differs between the sides: a look of the demo's own, beside the runbook's comparison. */
export async function compareSides(source: string, target: string): Promise<string[]> {
  const [left, right] = await Promise.all([checksums(source), checksums(target)]);
  return [...left.keys()].filter((table) => left.get(table) !== right.get(table));
}

async function checksums(url: string): Promise<Map<string, string>> {
  return withClient(url, async (client) => {
    const sums = new Map<string, string>();
    await client.query("SET timezone = 'UTC'");
    for (const table of [...BANK_TABLES, ...SHOP_TABLES]) {
      const { rows } = await client.query<{ checksum: string }>(
        `SELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) AS checksum FROM ${table} AS t`,
      );
      sums.set(table, rows[0]?.checksum ?? '');
    }
    return sums;
  });
}

/** What the application does first when it is back on the old database. Returns why it fails; null: it works. */
export async function insertOnTarget(target: string): Promise<string | null> {
  return withClient(target, async (client) => {
    try {
      await client.query(NEW_CUSTOMER, ['back@shop.example']);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  });
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
