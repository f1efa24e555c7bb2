import pg from 'pg';
import { startPostgres } from '../parts/postgres.js';
import { createControl, type SimulatorControl } from './control.js';
import { openDatabase, type SimulatedDatabase } from './database.js';
import { startFront } from './wire/front.js';

export interface SimulatorOptions {
  /** Port of the SQL front on 127.0.0.1; any free one without it. */
  readonly port?: number;
  /** A PostgreSQL server to keep the rows in, as a superuser without a password; an embedded one is started without it. */
  readonly postgres?: { readonly connectionString: string };
  /** Folder of the embedded server, kept by `stop`. */
  readonly dataDir?: string;
  readonly log?: (line: string) => void;
}

/** A running stand-in for a CockroachDB cluster. */
export interface Simulator {
  readonly port: number;
  /** Of a client, `defaultdb` and `root` unless told. */
  url(database?: string, user?: string): string;
  readonly control: SimulatorControl;
  /** Stops it as a clean shutdown does; jobs go on from their high-water at the next start over the same data. */
  stop(): Promise<void>;
}

const DEFAULT_DATABASE = 'defaultdb';

/** @throws when the port is taken or the backing server cannot be reached. */
export async function startSimulator({
  port = 0,
  postgres,
  dataDir,
  log = () => undefined,
}: SimulatorOptions = {}): Promise<Simulator> {
  const embedded = postgres
    ? undefined
    : await startPostgres({ ...(dataDir === undefined ? {} : { dataDir }), settings: { max_connections: '200' } });
  const adminUrl = postgres?.connectionString ?? embedded?.url() ?? '';
  const databases = new Map<string, Promise<SimulatedDatabase | undefined>>();
  let opened: SimulatedDatabase | undefined;

  const databaseNamed = (name: string) => {
    const known = databases.get(name);
    if (known) return known;
    const opening = openIfThere(adminUrl, name, log, () => spreadSettings(name)).then(async (database) => {
      if (opened) await database?.adopt(await opened.settings());
      return database;
    });
    databases.set(name, opening);
    // What is not there now may be created later.
    opening.then(
      (database) => database ?? databases.delete(name),
      () => databases.delete(name),
    );
    return opening;
  };

  /** A cluster has one value of each setting, whichever database it was made in. */
  async function spreadSettings(from: string): Promise<void> {
    const settings = await (await databases.get(from))?.settings();
    if (!settings) return;
    for (const [name, database] of databases) if (name !== from) await (await database)?.adopt(settings);
  }

  async function stopAll(): Promise<void> {
    for (const database of await Promise.all(databases.values())) await database?.stop();
    await embedded?.stop();
  }

  try {
    await prepareServer(adminUrl);
    opened = await databaseNamed(DEFAULT_DATABASE);
    // Their jobs go on, whether a client comes or not.
    await Promise.all((await servedBefore(adminUrl)).map(databaseNamed));
    const { hostname, port: backendPort } = new URL(adminUrl);
    const front = await startFront({
      port,
      backend: { host: hostname, port: Number(backendPort || 5432) },
      databaseNamed,
      refuses: () => opened?.faults.take('refuse_connections') !== undefined,
      log,
    });
    const url = (database = DEFAULT_DATABASE, user = 'root') =>
      `postgresql://${user}@127.0.0.1:${front.port}/${database}`;
    const control = createControl(url());
    return {
      port: front.port,
      url,
      control,
      async stop() {
        await control.end();
        await front.stop();
        await stopAll();
      },
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

function urlOf(adminUrl: string, database: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.toString();
}

/** CockroachDB's first user and first database. */
async function prepareServer(adminUrl: string): Promise<void> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    const { rows } = await admin.query<{ root: boolean; admin: boolean; database: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'root') AS root, EXISTS (SELECT FROM pg_roles WHERE rolname = 'admin') AS admin,
              EXISTS (SELECT FROM pg_database WHERE datname = 'defaultdb') AS database`,
    );
    if (!rows[0]?.admin) await admin.query('CREATE ROLE admin NOLOGIN');
    if (!rows[0]?.root) await admin.query('CREATE ROLE root SUPERUSER LOGIN IN ROLE admin');
    if (!rows[0]?.database) await admin.query('CREATE DATABASE defaultdb OWNER root');
  } finally {
    await admin.end();
  }
}

/** The databases that a simulator has served before, of all that the server has. */
async function servedBefore(adminUrl: string): Promise<string[]> {
  const names = await ask<{ datname: string }>(
    adminUrl,
    'SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate',
  );
  const served = names.map(async ({ datname }) => {
    const [row] = await ask<{ served: boolean }>(
      urlOf(adminUrl, datname),
      "SELECT to_regclass('crdb_sim.job') IS NOT NULL AS served",
    );
    return row?.served === true ? [datname] : [];
  });
  return (await Promise.all(served)).flat();
}

async function ask<T extends pg.QueryResultRow>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function openIfThere(
  adminUrl: string,
  name: string,
  log: (line: string) => void,
  onSetting: () => Promise<void>,
): Promise<SimulatedDatabase | undefined> {
  try {
    return await openDatabase(urlOf(adminUrl, name), log, onSetting);
  } catch (error) {
    if ((error as { code?: string }).code === '3D000') return undefined;
    throw error;
  }
}
