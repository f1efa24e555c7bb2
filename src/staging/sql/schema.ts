import pg, { escapeIdentifier } from 'pg';
import type { StageConnection } from './connection.js';

/** Few tables for any number of streams: CockroachDB keeps a descriptor for each, and plans and backs up by the table. */
export const STAGE_TABLES = ['failback_stages', 'failback_entries', 'failback_columns'] as const;
export type StageTable = (typeof STAGE_TABLES)[number];

const DDL: Readonly<Record<StageTable, string>> = {
  // `owner` is who has opened the stage last, `token` that process's present connection; `fill` counts binds. `entries` and `bytes` are of the
  // present fill.
  failback_stages: `(
    stream text PRIMARY KEY,
    id text NOT NULL,
    owner text,
    token text,
    fill int8 NOT NULL DEFAULT 0,
    incarnation int8,
    floor text,
    resolved text,
    plan text,
    entries int8 NOT NULL DEFAULT 0,
    bytes int8 NOT NULL DEFAULT 0
  )`,
  // Keyed in the order in which a stream reads and purges it. A key too long for an index is there as its hash, and in `whole`. `written` names
  // the statement that first wrote the row.
  failback_entries: `(
    stream text NOT NULL,
    fill int8 NOT NULL,
    ts bytea NOT NULL,
    tab int4 NOT NULL,
    key bytea NOT NULL,
    whole bytea,
    shape int4 NOT NULL,
    row_after bytea,
    written int8 NOT NULL,
    PRIMARY KEY (stream, fill, ts, tab, key)
  )`,
  failback_columns: `(
    stream text NOT NULL,
    shape int4 NOT NULL,
    names bytea NOT NULL,
    PRIMARY KEY (stream, shape)
  )`,
};

/** `"schema".failback_entries`, quoted for SQL. */
export function stageTable(schema: string, table: StageTable): string {
  return `${escapeIdentifier(schema)}.${table}`;
}

export interface SchemaState {
  readonly exists: boolean;
  readonly tables: readonly StageTable[];
}

/** $1 = schema */
const FIND_SCHEMA = 'SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1';

/** $1 = schema */
const FIND_TABLES = `
SELECT table_class.relname AS name
FROM pg_catalog.pg_class AS table_class JOIN pg_catalog.pg_namespace AS space ON space.oid = table_class.relnamespace
WHERE space.nspname = $1 AND table_class.relkind IN ('r', 'p')`;

export async function readSchema({ client }: StageConnection, schema: string): Promise<SchemaState> {
  const { rowCount } = await client.query(FIND_SCHEMA, [schema]);
  const { rows } = await client.query<{ name: string }>(FIND_TABLES, [schema]);
  const names = new Set(rows.map(({ name }) => name));
  return { exists: rowCount === 1, tables: STAGE_TABLES.filter((table) => names.has(table)) };
}

/** duplicate_schema, duplicate_table, and the catalogue's unique_violation: another worker was quicker. */
const MADE_MEANWHILE: ReadonlySet<string> = new Set(['42P06', '42P07', '23505']);

/** Makes what is not there. What is there is left alone and needs no privilege to make it. */
export async function ensureStageSchema(
  connection: StageConnection,
  schema: string,
  createSchema: boolean,
): Promise<void> {
  const found = await readSchema(connection, schema);
  const make = async (statement: string): Promise<void> => {
    try {
      await connection.client.query(statement);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || !MADE_MEANWHILE.has(error.code ?? '')) throw error;
    }
  };
  if (!found.exists && createSchema) await make(`CREATE SCHEMA IF NOT EXISTS ${escapeIdentifier(schema)}`);
  for (const table of STAGE_TABLES) {
    if (!found.tables.includes(table))
      await make(`CREATE TABLE IF NOT EXISTS ${stageTable(schema, table)} ${DDL[table]}`);
  }
}
