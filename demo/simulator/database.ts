import pg from 'pg';
import { startFeedEngine, type FeedEngine } from './feeds/engine.js';
import { createFrontFaults, type FrontFaults } from './front-faults.js';
import { quote, quoteArray } from './rewrite/reader.js';
import type { Catalogue } from './rewrite/rewrite.js';
import { ensureSimulatorSchema } from './schema.js';

/** One database of the backing server with everything that serves it. */
export interface SimulatedDatabase {
  readonly pool: pg.Pool;
  readonly engine: FeedEngine;
  readonly faults: FrontFaults;
  catalogueFor(user: string): Catalogue;
  stop(): Promise<void>;
}

const POOL_SIZE = 20;

/**
 * Prepares a database and starts its changefeeds.
 * @param url of the database, as a superuser
 */
export async function openDatabase(url: string, log: (line: string) => void): Promise<SimulatedDatabase> {
  const pool = new pg.Pool({ connectionString: url, max: POOL_SIZE, application_name: 'crdb_sim' });
  let stopping = false;
  pool.on('error', (error) => {
    if (!stopping) log(`a connection to the backing database ended: ${error.message}`);
  });
  const listener = new pg.Client({ connectionString: url, application_name: 'crdb_sim' });
  listener.on('error', (error) => log(`listening to the backing database ended: ${error.message}`));
  try {
    await ensureSchema(pool);
    const faults = createFrontFaults(pool);
    listener.on(
      'notification',
      () => void faults.refresh().catch((error: Error) => log(`faults cannot be read: ${error.message}`)),
    );
    await listener.connect();
    await listener.query('LISTEN crdb_sim_fault');
    await faults.refresh();
    const engine = startFeedEngine({ pool, log });
    return {
      pool,
      engine,
      faults,
      catalogueFor: (user) => createCatalogue(pool, user),
      async stop() {
        stopping = true;
        await engine.stop();
        await listener.end();
        await pool.end();
      },
    };
  } catch (error) {
    await listener.end().catch(() => undefined);
    await pool.end();
    throw error;
  }
}

async function ensureSchema(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await ensureSimulatorSchema(client);
  } finally {
    client.release();
  }
}

function createCatalogue(pool: pg.Pool, user: string): Catalogue {
  return {
    async resolveAsOf(spec) {
      const { rows } = await pool.query<{ nanos: string }>(
        `SELECT crdb_sim.resolve_as_of(${quote(spec)})::text AS nanos`,
      );
      return rows[0]?.nanos ?? '0';
    },
    async sourceAsOf(nanos, name) {
      const { rows } = await pool.query<{ source: string | null }>(
        `SELECT crdb_sim.as_of_source(${nanos}, ${quoteArray(name)}, ${quote(user)}) AS source`,
      );
      return rows[0]?.source ?? undefined;
    },
    async shapeOf(name) {
      const { rows } = await pool.query<{ keyColumns: string[]; allColumns: string[] }>(
        `SELECT key_columns AS "keyColumns", all_columns AS "allColumns" FROM crdb_sim.upsert_shape(${quoteArray(name)})`,
      );
      return rows[0];
    },
  };
}
