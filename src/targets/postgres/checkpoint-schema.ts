import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import { TargetRefusedError } from '../failures.js';
import {
  CHECKPOINT_TABLES,
  createSchemaSql,
  createTableSql,
  MADE_BY_US,
  type CheckpointTable,
} from './checkpoint-ddl.js';
import { inTransaction, sqlState } from './transaction.js';

/** What is there of the checkpoint schema. */
export interface CheckpointSchemaState {
  readonly schemaExists: boolean;
  readonly schemaIsOurs: boolean;
  readonly tables: readonly { readonly table: CheckpointTable; readonly ours: boolean; readonly durable: boolean }[];
}

/** $1 = schema, $2 = our mark, $3 = our tables */
const SCHEMA_STATE = `
  SELECT coalesce(obj_description(n.oid, 'pg_namespace') = $2, false) AS "schemaIsOurs",
    coalesce((SELECT jsonb_agg(jsonb_build_object('table', c.relname, 'durable', c.relpersistence = 'p' AND c.relkind = 'r',
        'ours', coalesce(obj_description(c.oid, 'pg_class') = $2, false)) ORDER BY array_position($3::text[], c.relname::text))
      FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = ANY ($3::text[])), '[]') AS tables
  FROM pg_namespace n WHERE n.nspname = $1`;

export async function readCheckpointSchema(client: pg.Client, schema: string): Promise<CheckpointSchemaState> {
  const { rows } = await client.query<Omit<CheckpointSchemaState, 'schemaExists'>>(SCHEMA_STATE, [
    schema,
    MADE_BY_US,
    CHECKPOINT_TABLES,
  ]);
  const found = rows[0];
  return found ? { schemaExists: true, ...found } : { schemaExists: false, schemaIsOurs: false, tables: [] };
}

/**
 * The statements that are still to be run; none when all is there. CREATE ... IF NOT EXISTS would ask for the privilege to create
 * what exists already.
 */
export function missingDdl(state: CheckpointSchemaState, schema: string): readonly string[] {
  const there = new Set(state.tables.map(({ table }) => table));
  return [
    ...(state.schemaExists ? [] : createSchemaSql(schema)),
    ...CHECKPOINT_TABLES.filter((table) => !there.has(table)).flatMap((table) => createTableSql(schema, table)),
  ];
}

/**
 * Creates what is missing. Two at once: one waits for the other; somebody who creates by hand at this moment is met by trying again.
 * @throws TargetRefusedError when a table is there that a crash would empty (protocol rule 23)
 */
export async function ensureCheckpointSchema(client: pg.Client, schema: string): Promise<void> {
  const create = () =>
    inTransaction(client, async () => {
      await lockSchema(client, schema);
      for (const statement of missingDdl(await readCheckpointSchema(client, schema), schema)) {
        await client.query(statement);
      }
      refuseNotDurable(await readCheckpointSchema(client, schema), schema);
    });
  try {
    await create();
  } catch (error) {
    if (!CREATED_MEANWHILE.has(sqlState(error) ?? '')) throw error;
    await create();
  }
}

/** unique_violation of a catalogue, duplicate_schema, duplicate_table */
const CREATED_MEANWHILE: ReadonlySet<string> = new Set(['23505', '42P06', '42P07']);

/** Read back, whatever was asked for (protocol rule 23). */
function refuseNotDurable(state: CheckpointSchemaState, schema: string): void {
  const bad = state.tables.find(({ durable }) => !durable);
  if (!bad) return;
  const name = qualified(schema, bad.table);
  throw new TargetRefusedError(
    'unlogged',
    `${name} is not a logged table, and a crash would empty it: run ALTER TABLE ${name} SET LOGGED, or name another checkpoint schema`,
    { cause: undefined },
  );
}

/**
 * Drops tables and schema that we have made, and only when no run has a row in any of them (protocol rule 34). What somebody else
 * has put into the schema keeps it.
 */
export async function dropCheckpointSchemaIfEmpty(client: pg.Client, schema: string): Promise<void> {
  const state = await readCheckpointSchema(client, schema);
  const all = state.tables.map(({ table }) => qualified(schema, table));
  const ours = state.tables.filter((table) => table.ours).map(({ table }) => qualified(schema, table));
  // The look before the lock spares the streams of other runs: the lock waits for their windows, and they for it.
  if (ours.length === 0 || !(await areEmpty(client, all))) return;
  await client.query(`LOCK TABLE ${all.join(', ')} IN ACCESS EXCLUSIVE MODE`);
  if (!(await areEmpty(client, all))) return;
  await client.query(`DROP TABLE ${ours.join(', ')}`);
  if (state.schemaIsOurs) await dropSchema(client, schema);
}

function qualified(schema: string, table: CheckpointTable): string {
  return `${escapeIdentifier(schema)}.${table}`;
}

/** `tables` are quoted. */
async function areEmpty(client: pg.Client, tables: readonly string[]): Promise<boolean> {
  const looks = tables.map((table) => `EXISTS (SELECT 1 FROM ${table})`).join(' OR ');
  const { rows } = await client.query<{ used: boolean }>(`SELECT ${looks} AS used`);
  return rows[0]?.used === false;
}

async function dropSchema(client: pg.Client, schema: string): Promise<void> {
  await client.query('SAVEPOINT drop_schema');
  try {
    await client.query(`DROP SCHEMA ${escapeIdentifier(schema)} RESTRICT`);
  } catch (error) {
    if (sqlState(error) !== DEPENDENT_OBJECTS) throw error;
    await client.query('ROLLBACK TO SAVEPOINT drop_schema');
  }
}

const DEPENDENT_OBJECTS = '2BP01';

/** Making and dropping the schema go one after the other. $1 = schema */
const LOCK_SCHEMA = `SELECT pg_advisory_xact_lock(hashtextextended('failback checkpoint schema ' || $1, 0))`;

export async function lockSchema(client: pg.Client, schema: string): Promise<void> {
  await client.query(LOCK_SCHEMA, [schema]);
}
