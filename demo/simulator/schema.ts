import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';

const FOLDER = new URL('./sql/', import.meta.url);

/** Serialises two starts against one database; any fixed number that nothing else uses. */
const SCHEMA_LOCK = 7303014002;

/**
 * Makes the schemas `crdb_sim` and `crdb_internal` and everything in them, in one transaction. May be called at every
 * start: what is there stays, functions and views are replaced.
 * @param client connected as a superuser to the database that the simulator is to serve
 */
export async function ensureSimulatorSchema(client: pg.Client | pg.PoolClient): Promise<void> {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).sort();
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
    for (const file of files) {
      // The `$$` of the files must not meet parameters: one simple query per file.
      await client.query(await readFile(new URL(file, FOLDER), 'utf8'));
    }
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw cause;
  }
}
