import pg, { escapeIdentifier } from 'pg';
import { cutOff, type StageConnection } from './connection.js';
import { readSchema, STAGE_TABLES, stageTable, type StageTable } from './schema.js';
import { stageStatements } from './statements.js';

/** Rows deleted by one statement. */
const SLICE = 10_000;
/** dependent_objects_still_exist, insufficient_privilege: what is not ours to drop stays. */
const NOT_OURS: ReadonlySet<string> = new Set(['2BP01', '42501']);

/**
 * Removes what a stream has in a staging schema; the tables only when no stream has a row there, and the schema only when nothing else is in it and
 * the run was to make it (protocol rule 34). Says what is gone; null: there was nothing.
 */
export async function removeStage(
  connection: StageConnection,
  schema: string,
  stream: string,
  dropSchema: boolean,
): Promise<readonly ('rows' | 'tables' | 'schema')[]> {
  const { client } = connection;
  const { tables } = await readSchema(connection, schema);
  if (tables.length < STAGE_TABLES.length) return [];
  const table = (name: StageTable): string => stageTable(schema, name);
  // First, so that whoever still has the stage open writes nothing more into it.
  await client.query(`DELETE FROM ${table('failback_stages')} WHERE stream = $1`, [stream]);
  await removeEntries(client, schema, stream);
  await client.query(`DELETE FROM ${table('failback_columns')} WHERE stream = $1`, [stream]);
  if (!(await areEmpty(client, schema)) || !(await dropTables(connection, schema))) return ['rows'];
  const dropped = dropSchema && (await isDone(client.query(`DROP SCHEMA ${escapeIdentifier(schema)} RESTRICT`)));
  return dropped ? ['rows', 'tables', 'schema'] : ['rows', 'tables'];
}

async function removeEntries(client: pg.Client, schema: string, stream: string): Promise<void> {
  const { leftoverEdge, purgeLeftover } = stageStatements(schema);
  const beyond = '9223372036854775807';
  for (;;) {
    const { rows } = await client.query<{ fill: string; ts: Buffer; tab: number; key: Buffer }>(leftoverEdge, [
      stream,
      beyond,
      SLICE - 1,
    ]);
    const [edge] = rows;
    const end = edge ?? { fill: beyond, ts: Buffer.alloc(0), tab: 0, key: Buffer.alloc(0) };
    await client.query(purgeLeftover, [stream, end.fill, end.ts, end.tab, end.key]);
    if (!edge) return;
  }
}

async function areEmpty(client: pg.Client, schema: string): Promise<boolean> {
  const looks = STAGE_TABLES.map((table) => `EXISTS (SELECT 1 FROM ${stageTable(schema, table)})`).join(' OR ');
  const { rows } = await client.query<{ used: boolean }>(`SELECT ${looks} AS used`);
  return rows[0]?.used === false;
}

/** Looks again before it drops, in the same transaction: PostgreSQL locks the tables for that, CockroachDB's isolation does without. */
async function dropTables({ client, product }: StageConnection, schema: string): Promise<boolean> {
  const all = STAGE_TABLES.map((table) => stageTable(schema, table)).join(', ');
  await client.query('BEGIN');
  try {
    if (product === 'postgres') await client.query(`LOCK TABLE ${all} IN ACCESS EXCLUSIVE MODE`);
    const empty = await areEmpty(client, schema);
    if (empty) await client.query(`DROP TABLE ${all}`);
    await client.query('COMMIT');
    return empty;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => cutOff(client));
    if (isNotOurs(error)) return false;
    throw error;
  }
}

async function isDone(dropping: Promise<unknown>): Promise<boolean> {
  try {
    await dropping;
    return true;
  } catch (error) {
    if (isNotOurs(error)) return false;
    throw error;
  }
}

function isNotOurs(error: unknown): boolean {
  return error instanceof pg.DatabaseError && NOT_OURS.has(error.code ?? '');
}
