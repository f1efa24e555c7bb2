import { TargetRefusedError } from '../failures.js';
import { CHECKPOINT_TABLES, columnsOf } from './checkpoint-ddl.js';
import type { CheckpointAccess, CheckpointDialect, CheckpointSchemaState } from './checkpoint-dialect.js';

/**
 * The statements that are still to be run; none when all is there. CREATE ... IF NOT EXISTS would ask for the privilege to create
 * what exists already.
 */
export function missingDdl(
  dialect: CheckpointDialect,
  state: CheckpointSchemaState,
  schema: string,
): readonly string[] {
  const schemas = missingSchema(dialect, state, schema);
  return [...schemas, ...missingTables(dialect, state, schema)(schemas.length > 0)];
}

function missingSchema(
  { schema: { create } }: CheckpointDialect,
  state: CheckpointSchemaState,
  schema: string,
): readonly string[] {
  return state.schemaExists || create === null ? [] : [create(schema)];
}

/** The tables' marks say whether the schema has been made with them. */
function missingTables(
  dialect: CheckpointDialect,
  state: CheckpointSchemaState,
  schema: string,
): (schemaIsOurs: boolean) => readonly string[] {
  const there = new Set(state.tables.map(({ table }) => table));
  return (schemaIsOurs) =>
    CHECKPOINT_TABLES.filter((table) => !there.has(table)).flatMap((table) =>
      dialect.schema.createTable(dialect.tableName(schema, table), columnsOf(table, dialect.types), schemaIsOurs),
    );
}

/**
 * Creates what is missing, statement by statement: DDL commits by itself here. Whoever dies in between leaves the rest to the next one; what
 * somebody else creates at this moment is there, which is all that is asked.
 * @throws TargetRefusedError when a table is there that a crash would empty (protocol rule 23)
 */
export async function ensureCheckpointSchema({ client, dialect, schema }: CheckpointAccess): Promise<void> {
  const createUnlessThere = async (statement: string): Promise<boolean> => {
    try {
      await client.query(statement);
      return true;
    } catch (error) {
      if (!dialect.errors.isAlreadyThere(error)) throw error;
      return false;
    }
  };
  const state = await dialect.schema.read(client, schema);
  refuseNotDurable(dialect, state, schema);
  const [schemas, tables] = [missingSchema(dialect, state, schema), missingTables(dialect, state, schema)];
  let schemaIsOurs = false;
  for (const statement of schemas) schemaIsOurs = await createUnlessThere(statement);
  for (const statement of tables(schemaIsOurs)) await createUnlessThere(statement);
  refuseNotDurable(dialect, await dialect.schema.read(client, schema), schema);
}

/** Read back, whatever was asked for (protocol rule 23). */
function refuseNotDurable(dialect: CheckpointDialect, state: CheckpointSchemaState, schema: string): void {
  const bad = state.tables.find(({ durable }) => !durable);
  if (!bad) return;
  const name = dialect.tableName(schema, bad.table);
  throw new TargetRefusedError(
    'not durable',
    `${name} is a table whose rows a crash may take: ${dialect.schema.makeDurable(name)}, or name another checkpoint schema`,
    { cause: undefined },
  );
}

/**
 * Drops tables and schema that we have made, and only when no run has a row in any of them (protocol rule 34). What somebody else has put into
 * the schema keeps it. Called while nobody else makes, drops or begins to fill them.
 */
export async function dropCheckpointSchemaIfEmpty(access: CheckpointAccess): Promise<void> {
  const { client, dialect, schema } = access;
  const state = await dialect.schema.read(client, schema);
  const ours = state.tables.filter((table) => table.ours).map(({ table }) => dialect.tableName(schema, table));
  if (ours.length === 0 || !(await areEmpty(access, state))) return;
  const alone = ours.length === state.tables.length && !(await dialect.schema.holdsMore(client, schema));
  try {
    if (state.schemaIsOurs && alone) await client.query(dialect.schema.drop(schema));
    else for (const table of ours) await client.query(`DROP TABLE ${table}`);
  } catch (error) {
    // Empty tables do no harm: a run does not fail at its end for want of a privilege that it has not needed before.
    if (!dialect.errors.isDenied(error)) throw error;
  }
}

async function areEmpty(
  { client, dialect, schema }: CheckpointAccess,
  { tables }: CheckpointSchemaState,
): Promise<boolean> {
  for (const { table } of tables) {
    const look = `SELECT run FROM ${dialect.tableName(schema, table)} ${dialect.firstRows(1)}`;
    if ((await client.query(look)).rows.length > 0) return false;
  }
  return true;
}
