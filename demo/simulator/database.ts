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
  /** The cluster settings, by name. */
  settings(): Promise<Settings>;
  /** Takes over settings that were made in another database. */
  adopt(settings: Settings): Promise<void>;
  stop(): Promise<void>;
}

export type Settings = Readonly<Record<string, string>>;

const POOL_SIZE = 20;

/**
 * Prepares a database and starts its changefeeds.
 * @param url of the database, as a superuser
 * @param onSetting called after a cluster setting was made here
 */
export async function openDatabase(
  url: string,
  log: (line: string) => void,
  onSetting: () => Promise<void>,
): Promise<SimulatedDatabase> {
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
    listener.on('notification', ({ channel }) => {
      const heard = channel === 'crdb_sim_setting' ? onSetting() : faults.refresh();
      heard.catch((error: Error) => log(`what ${channel} tells cannot be read: ${error.message}`));
    });
    await listener.connect();
    await listener.query('LISTEN crdb_sim_fault; LISTEN crdb_sim_setting');
    await faults.refresh();
    const engine = startFeedEngine({ pool, log });
    return {
      pool,
      engine,
      faults,
      catalogueFor: (user) => createCatalogue(pool, user),
      async settings() {
        const { rows } = await pool.query<{ name: string; value: string }>('SELECT name, value FROM crdb_sim.setting');
        return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
      },
      async adopt(settings) {
        // $1 = {name: value}
        await pool.query(
          'UPDATE crdb_sim.setting s SET value = given.value FROM jsonb_each_text($1) given WHERE s.name = given.key AND s.value <> given.value',
          [JSON.stringify(settings)],
        );
      },
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
