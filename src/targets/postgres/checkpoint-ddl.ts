import { escapeIdentifier } from 'pg';

/** Tables of the checkpoint schema, in the order in which they are locked. */
export const CHECKPOINT_TABLES = ['checkpoint', 'run', 'claim', 'checkpoint_group', 'dead_letters', 'guard'] as const;
export type CheckpointTable = (typeof CHECKPOINT_TABLES)[number];

/** The comment by which we know again what we have made: only that is ever dropped (protocol rule 34). */
export const MADE_BY_US = 'Made by Failback. It is removed when the last run that has rows here ends.';

/** Statements that make the schema, with its mark. */
export function createSchemaSql(schema: string): readonly string[] {
  const name = escapeIdentifier(schema);
  return [`CREATE SCHEMA ${name}`, `COMMENT ON SCHEMA ${name} IS '${MADE_BY_US}'`];
}

/**
 * Statements that make one table, with its mark. Plain CREATE TABLE: a database's defaults cannot make it UNLOGGED
 * (protocol rule 23).
 */
export function createTableSql(schema: string, table: CheckpointTable): readonly string[] {
  const name = `${escapeIdentifier(schema)}.${table}`;
  return [
    `CREATE TABLE ${name} (${COLUMNS[table]})`,
    ...(INDEXES[table] ?? []).map((columns) => `CREATE INDEX ON ${name} ${columns}`),
    `COMMENT ON TABLE ${name} IS '${MADE_BY_US}'`,
  ];
}

const COLUMNS: Readonly<Record<CheckpointTable, string>> = {
  checkpoint: `
    stream text PRIMARY KEY, run text NOT NULL,
    applied numeric(30,10) NOT NULL, cursor numeric(30,10) NOT NULL,
    token text, holder_pid integer, holder_started timestamptz,
    stage_id text, incarnation integer NOT NULL DEFAULT 0,
    feed_wanted boolean NOT NULL DEFAULT true, stop_at numeric(30,10), hold jsonb, origin jsonb NOT NULL, changed_at timestamptz NOT NULL DEFAULT now()`,
  run: `run text PRIMARY KEY, phase text NOT NULL, state jsonb NOT NULL, changed_at timestamptz NOT NULL DEFAULT now()`,
  claim: `table_name text PRIMARY KEY, run text NOT NULL`,
  checkpoint_group: `
    stream text NOT NULL, group_number integer NOT NULL, run text NOT NULL, tables text[] NOT NULL,
    applied numeric(30,10) NOT NULL, token text, holder_pid integer, holder_started timestamptz,
    stop_at numeric(30,10), changed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (stream, group_number)`,
  // The row is text: a json type would refuse, or change, what the target's own columns refuse. Null where a delete was refused.
  dead_letters: `
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run text NOT NULL, stream text NOT NULL,
    source_table text NOT NULL, key text NOT NULL, row_json text, hlc numeric(30,10) NOT NULL,
    column_name text, sqlstate text NOT NULL, reason text NOT NULL,
    replay boolean NOT NULL DEFAULT false, changed_at timestamptz NOT NULL DEFAULT now()`,
  guard: `
    stream text NOT NULL, source_table text NOT NULL, key_hash bytea NOT NULL, hlc numeric(30,10) NOT NULL, run text NOT NULL,
    PRIMARY KEY (stream, source_table, key_hash)`,
};

/** A key may be longer than an index takes: its hash is looked up, and the key compared. */
const INDEXES: Readonly<Partial<Record<CheckpointTable, readonly string[]>>> = {
  dead_letters: ['(stream, source_table, hashtextextended(key, 0))', '(stream) WHERE replay'],
  guard: ['(stream, hlc)'],
};
