import pg from 'pg';
import { BANK_TABLES } from './bank/schema.js';
import { NEW_CUSTOMER, SHOP_TABLES } from './shop/schema.js';
import type { TableEvidence } from './verdict.js';

/** Counts and checksums of each table on both sides: a look of the demo's own, beside the runbook's comparison. */
export async function compareSides(source: string, target: string): Promise<TableEvidence[]> {
  const [left, right] = await Promise.all([lookAt(source), lookAt(target)]);
  return left.map(({ table, rows, checksum }, index) => ({
    table,
    rows,
    equal: rows === right[index]?.rows && checksum === right[index]?.checksum,
  }));
}

interface Look {
  readonly table: string;
  readonly rows: number;
  readonly checksum: string;
}

async function lookAt(url: string): Promise<Look[]> {
  return withClient(url, async (client) => {
    const looks: Look[] = [];
    await client.query("SET timezone = 'UTC'");
    for (const table of [...BANK_TABLES, ...SHOP_TABLES]) {
      const { rows } = await client.query<{ rows: string; checksum: string }>(
        `SELECT count(*) AS rows, md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) AS checksum FROM ${table} AS t`,
      );
      looks.push({ table, rows: Number(rows[0]?.rows), checksum: rows[0]?.checksum ?? '' });
    }
    return looks;
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
