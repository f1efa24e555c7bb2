import { formatHlc, type Hlc } from '../domain/hlc.js';
import type { FoundKey, FoundKeys, SourceOrigin } from '../domain/source-identity.js';
import { formatTableName, type TableName } from '../domain/table.js';
import type { Cockroach, QueryOptions } from './client.js';
import { readClusterId } from './introspect.js';
import { parseNameArray, quoteLiteral } from './quoting.js';
import { valueOf } from './rows.js';

/** $1, $2 ... = the schemas, then the tables. Pairs that were not asked for are sorted out by the caller. */
const tablesSql = (names: number): string => {
  const list = (first: number): string => Array.from({ length: names }, (_, n) => `$${first + n}`).join(', ');
  return `SELECT c.oid AS id, n.nspname AS schema_name, c.relname AS table_name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN (${list(1)}) AND c.relname IN (${list(names + 1)}) AND c.relkind IN ('r', 'p')`;
};

/**
 * The cluster, and the ids to which the names lead now (protocol rule 9). One query for all tables.
 * @throws CockroachError
 */
export async function readOrigin(
  cockroach: Cockroach,
  tables: readonly TableName[],
  options: QueryOptions = {},
): Promise<SourceOrigin> {
  const clusterId = await readClusterId(cockroach, options);
  const asked = new Set(tables.map(formatTableName));
  const values = [...tables.map((name) => name.schema), ...tables.map((name) => name.table)];
  const tableIds: Record<string, string> = {};
  for (const row of await cockroach.query(tablesSql(tables.length), values, options)) {
    const name = formatTableName({ schema: valueOf(row, 'schema_name'), table: valueOf(row, 'table_name') });
    if (asked.has(name)) tableIds[name] = valueOf(row, 'id');
  }
  return { clusterId, tableIds };
}

/** $1, $2 ... = table ids. The timestamp is written out: AS OF SYSTEM TIME takes no parameter. */
const keysSql = (tables: number, at: Hlc): string => {
  const ids = Array.from({ length: tables }, (_, n) => `$${n + 1}::OID`).join(', ');
  return `SELECT con.conrelid AS id, con.conindid AS index_id, con.conkey AS key, a.attnum AS number, a.attname AS name
  FROM pg_catalog.pg_constraint con JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid
  AS OF SYSTEM TIME ${quoteLiteral(formatHlc(at))}
  WHERE con.contype = 'p' AND con.conrelid IN (${ids}) AND a.attnum = ANY (con.conkey)`;
};

/**
 * The primary keys of tables as of a timestamp, by descriptor id (protocol rule 8). One query for all tables.
 * @throws CockroachError of kind cursorTooOld when the descriptors of that time are gone
 */
export async function readKeysAt(
  cockroach: Cockroach,
  tableIds: readonly string[],
  at: Hlc,
  options: QueryOptions = {},
): Promise<FoundKeys> {
  const rows = await cockroach.query(keysSql(tableIds.length, at), tableIds, options);
  const found = new Map<string, FoundKey>();
  for (const id of tableIds) {
    const columns = rows.filter((row) => valueOf(row, 'id') === id);
    const [first] = columns;
    if (!first) continue;
    const names = new Map(columns.map((row) => [valueOf(row, 'number'), valueOf(row, 'name')]));
    found.set(id, {
      columns: parseNameArray(valueOf(first, 'key')).map((number) => names.get(number) ?? number),
      indexId: valueOf(first, 'index_id'),
    });
  }
  return found;
}
