import { createHash } from 'node:crypto';
import { COLUMNS, lineOf, selectSql } from './old/columns.js';
import { dialectOf } from './old/dialects.js';
import type { OldClient } from './old/old-database.js';
import { withClient } from './pg-session.js';
import type { TableEvidence } from './verdict.js';

/** Counts and checksums of each table on both sides: a look of the demo's own, beside the runbook's comparison. */
export async function compareSides(source: string, target: string): Promise<TableEvidence[]> {
  const [left, right] = await Promise.all([lookAtSource(source), withOld(target, lookAtOld)]);
  return left.map(({ table, rows, checksum }, index) => ({
    table: `public.${table}`,
    rows,
    equal: rows === right[index]?.rows && checksum === right[index]?.checksum,
  }));
}

interface Look {
  readonly table: string;
  readonly rows: number;
  readonly checksum: string;
}

async function lookAtSource(url: string): Promise<Look[]> {
  return withClient(url, async (client) => {
    const looks: Look[] = [];
    await client.query("SET timezone = 'UTC'");
    for (const table of Object.keys(COLUMNS)) {
      const { rows } = await client.query<(string | null)[]>({ text: selectSql(table), rowMode: 'array' });
      looks.push(look(table, rows));
    }
    return looks;
  });
}

async function lookAtOld(client: OldClient): Promise<Look[]> {
  const looks: Look[] = [];
  for (const table of Object.keys(COLUMNS)) looks.push(look(table, await client.rows(table)));
  return looks;
}

function look(table: string, rows: readonly (readonly (string | null)[])[]): Look {
  const lines = rows.map((row) => lineOf(table, row)).sort();
  return { table, rows: rows.length, checksum: createHash('sha256').update(lines.join('\n')).digest('hex') };
}

/** What the application does first when it is back on the old database. Returns why it fails; null: it works. */
export function insertOnTarget(target: string): Promise<string | null> {
  return withOld(target, async (client) => {
    try {
      await client.addCustomer('back@shop.example');
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  });
}

async function withOld<T>(url: string, use: (client: OldClient) => Promise<T>): Promise<T> {
  const client = await dialectOf(url).connect(url);
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
