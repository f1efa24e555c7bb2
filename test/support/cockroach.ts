import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { startSimulator, type Simulator } from '../../demo/simulator/simulator.js';

/** A CockroachDB to test against: the real one of `COCKROACH_URL`, else a simulator of our own. */
export interface Cockroach {
  url(database?: string, user?: string): string;
  /** Only where the simulator stands in. */
  readonly simulator: Simulator | undefined;
  /** Connected as the administrator; ended by `stop`. */
  readonly sql: pg.Client;
  /** A connection of its own, ended by `stop`. */
  connect(user?: string): Promise<pg.Client>;
  /** A name that nothing else uses, for a table, a user or the like. */
  fresh(prefix: string): string;
  stop(): Promise<void>;
}

export async function startCockroach(): Promise<Cockroach> {
  const real = process.env['COCKROACH_URL'];
  const simulator = real === undefined ? await startSimulator() : undefined;
  const clients: pg.Client[] = [];
  const url = (database?: string, user?: string) =>
    simulator?.url(database, user) ?? changed(real ?? '', database, user);
  const connect = async (user?: string) => {
    const client = new pg.Client({
      connectionString: url(undefined, user),
      scramMaxIterations: 1_000_000,
    } as pg.ClientConfig);
    // Tests cut connections on purpose; what matters arrives as the error of a query.
    client.on('error', () => undefined);
    clients.push(client);
    await client.connect();
    return client;
  };
  try {
    const sql = await connect();
    await sql.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
    return {
      url,
      simulator,
      sql,
      connect,
      fresh: (prefix) => `${prefix}_${randomBytes(5).toString('hex')}`,
      async stop() {
        for (const client of clients) await client.end().catch(() => undefined);
        await simulator?.stop();
      },
    };
  } catch (error) {
    await simulator?.stop();
    throw error;
  }
}

function changed(base: string, database: string | undefined, user: string | undefined): string {
  const url = new URL(base);
  if (database !== undefined) url.pathname = `/${database}`;
  if (user !== undefined) {
    url.username = user;
    url.password = '';
  }
  return url.toString();
}

/** The current HLC, as text. */
export async function clusterTimestamp(sql: pg.Client): Promise<string> {
  const { rows } = await sql.query<{ t: string }>('SELECT cluster_logical_timestamp() AS t');
  return rows[0]?.t ?? '';
}
