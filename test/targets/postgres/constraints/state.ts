import type pg from 'pg';
import { COLUMNS, NAMES, valuesOf, type State } from '../../constraints/tables.js';

const STATE = NAMES.map(
  ({ name }) =>
    `SELECT '${name}' AS name, ARRAY[${(COLUMNS[name] ?? []).map((column) => `${column}::text`).join(', ')}] AS row FROM ${name}`,
).join(' UNION ALL ');

export async function readState(client: pg.Client): Promise<State> {
  const { rows } = await client.query<{ name: string; row: (string | null)[] }>(`${STATE} ORDER BY 1, 2`);
  return rows.map(({ name, row }) => ({ name, row: JSON.stringify(row) }));
}

/** Makes the tables hold these rows and no others. */
export async function restoreState(client: pg.Client, state: State): Promise<void> {
  const tables = NAMES.map(({ name }) => name);
  await client.query(`BEGIN; SET LOCAL session_replication_role = 'replica'; TRUNCATE ${tables.join(', ')}`);
  for (const { name, row } of state) {
    const columns = COLUMNS[name] ?? [];
    const places = columns.map((_, i) => `$${i + 1}`);
    await client.query(`INSERT INTO ${name} (${columns.join(', ')}) VALUES (${places.join(', ')})`, [...valuesOf(row)]);
  }
  await client.query('COMMIT');
}
