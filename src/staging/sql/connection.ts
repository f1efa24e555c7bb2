import pg from 'pg';

export type Product = 'cockroach' | 'postgres';

/** The database that holds a stage. */
export interface StageDatabase {
  /** `postgres://...`; holds the password, so it is never shown. */
  readonly connectionString: string;
  /** Opened whatever database the connection string names. */
  readonly database: string;
  readonly applicationName: string;
}

export interface StageConnection {
  readonly client: pg.Client;
  readonly product: Product;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A webhook sink gives a request up after 10 s by default; what takes longer is asked for again. */
const STATEMENT_TIMEOUT_MS = 15_000;
/** The server's limit fires first, so that its answer says why. This one is for a server that says nothing. */
const CLIENT_GRACE_MS = 3_000;
/** `pg` refuses the iteration counts that CockroachDB uses unless told otherwise. */
const SCRAM_MAX_ITERATIONS = 10_000_000;

/**
 * Whatever the role's or the database's own defaults say: a commit is durable (protocol rule 14), and bytes come in the one spelling that the
 * driver reads fast. PostgreSQL is asked for READ COMMITTED, under which a fence that waits for a lock sees what it waited for.
 */
const SETTINGS: Readonly<Record<Product, Readonly<Record<string, string>>>> = {
  postgres: {
    synchronous_commit: 'on',
    default_transaction_isolation: 'read committed',
    default_transaction_read_only: 'off',
    bytea_output: 'hex',
    row_security: 'off',
    tcp_keepalives_idle: '30',
    tcp_keepalives_interval: '10',
    tcp_keepalives_count: '3',
  },
  cockroach: { default_transaction_isolation: 'serializable', bytea_output: 'hex' },
};

/** Opens one session. A connection that is lost while idle crashes nothing: the next statement on it fails. */
export async function connectStage({
  connectionString,
  database,
  applicationName,
}: StageDatabase): Promise<StageConnection> {
  const client = new pg.Client({
    connectionString: openedAt(connectionString, database),
    application_name: applicationName,
    client_encoding: 'UTF8',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS + CLIENT_GRACE_MS,
    scramMaxIterations: SCRAM_MAX_ITERATIONS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  } as pg.ClientConfig);
  // Without a listener, node ends the process when an idle connection is lost.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string }>('SELECT version() AS version');
    const product = rows[0]?.version.startsWith('CockroachDB') ? 'cockroach' : 'postgres';
    const settings = Object.entries(SETTINGS[product]).map(([name, value]) => `SET ${name} = '${value}'`);
    await client.query(settings.join('; '));
    return { client, product };
  } catch (error) {
    cutOff(client);
    throw error;
  }
}

/** Ends a connection at once: what it was doing has no answer any more. */
export function cutOff(client: pg.Client): void {
  void client.end().catch(() => undefined);
  client.connection.stream.destroy();
}

/** `sslmode` has libpq's meaning; "prefer" and "allow" would send a password in clear text to whoever says that it has no TLS. */
function openedAt(connectionString: string, database: string): string {
  if (!URL.canParse(connectionString))
    throw new Error('the connection string is not a URL: expected postgres://user@host:port/database');
  const url = new URL(connectionString);
  const mode = url.searchParams.get('sslmode');
  if (mode === 'prefer' || mode === 'allow')
    throw new Error(`sslmode=${mode} falls back to clear text: use verify-full, verify-ca, require, or disable`);
  if (mode !== null) url.searchParams.set('uselibpqcompat', 'true');
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.toString();
}
