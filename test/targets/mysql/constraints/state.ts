import type { MysqlClient } from '../../../../src/targets/mysql/client.js';
import { quoteColumns, quoteName, quoteText } from '../../../../src/targets/mysql/names.js';
import { COLUMNS, NAMES, valuesOf, type State } from '../../constraints/tables.js';

const STATE = NAMES.map(({ name }) => {
  const columns = (COLUMNS[name] ?? []).map((column) => `CAST(${quoteName(column)} AS CHAR)`);
  return `SELECT '${name}' AS name, JSON_ARRAY(${columns.join(', ')}) AS json FROM ${name}`;
}).join(' UNION ALL ');

export async function readState(client: MysqlClient): Promise<State> {
  const { rows } = await client.query(STATE);
  return rows.map((row) => ({ name: row['name'] ?? '', row: JSON.stringify(JSON.parse(row['json'] ?? '')) }));
}

/** PostgreSQL's spelling in MySQL's: a truth value is a number, and a decimal has the digits of its column. */
export function spelledHere(state: State): State {
  return state.map(({ name, row }) => {
    const values = valuesOf(row).map((value, i) => {
      const column = COLUMNS[name]?.[i];
      if (column === 'first') return value === 'true' ? '1' : '0';
      const isAccount = (name === 'account' && column === 'id') || column === 'account';
      return isAccount && value !== null ? Number(value).toFixed(2) : value;
    });
    return { name, row: JSON.stringify(values) };
  });
}

/** Makes the tables hold these rows and no others. */
export async function restoreState(client: MysqlClient, state: State): Promise<void> {
  await client.query('SET foreign_key_checks = 0');
  for (const { name } of NAMES) await client.query(`DELETE FROM ${name}`);
  for (const { name, row } of state) {
    const values = valuesOf(row).map((value) => (value === null ? 'NULL' : quoteText(value)));
    await client.query(`INSERT INTO ${name} (${quoteColumns(COLUMNS[name] ?? [])}) VALUES (${values.join(', ')})`);
  }
  await client.query('SET foreign_key_checks = 1');
}
