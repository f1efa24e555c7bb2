import pg from 'pg';
import { toTargetError } from './errors.js';

/** One dedicated connection to a PostgreSQL. */
export interface PostgresConnection {
  /** `postgres://...`; holds the password, so it is never shown. `sslmode` has libpq's meaning (see `withLibpqSslmode`). */
  readonly connectionString: string;
  /** Shown in pg_stat_activity, e.g. `failback orders`. */
  readonly applicationName: string;
  /** Longest wait for the connection, in milliseconds; 10,000 by default. */
  readonly connectTimeoutMs?: number;
  /** Server settings of this session beside the ones below, e.g. `{ lock_timeout: '5000' }`. */
  readonly sessionSettings?: Readonly<Record<string, string>>;
}

/**
 * What every session of ours needs, whatever the role's or the database's own defaults say: values are read and shown in one spelling,
 * a commit is durable (protocol rule 23), isolation is READ COMMITTED (protocol rule 22), and a row that a security policy would hide
 * is an error instead of a row silently left alone.
 */
const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  client_encoding: 'UTF8',
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '3',
  standard_conforming_strings: 'on',
  synchronous_commit: 'on',
  default_transaction_isolation: 'read committed',
  row_security: 'off',
  statement_timeout: '0',
  // The server notices a peer that is gone after about a minute (protocol rule 24).
  tcp_keepalives_idle: '30',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '3',
};

/**
 * Opens a connection and sets the session up. The caller ends it. A connection that is lost while idle crashes nothing: the next query
 * on it fails.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function connectPostgres(config: PostgresConnection): Promise<pg.Client> {
  let client: pg.Client | null = null;
  try {
    client = new pg.Client({
      connectionString: withLibpqSslmode(config.connectionString),
      application_name: config.applicationName,
      connectionTimeoutMillis: config.connectTimeoutMs ?? 10_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    // Without a listener, node ends the process when an idle connection is lost.
    client.on('error', () => undefined);
    await client.connect();
    await setUpSession(client, { ...SESSION_SETTINGS, ...config.sessionSettings });
    return client;
  } catch (error) {
    await client?.end().catch(() => undefined);
    throw toTargetError(error, 'connecting');
  }
}

/** $1 = names of settings, $2 = their values. */
const SET_UP_SESSION = `
SELECT set_config(setting.name, setting.value, false)
FROM unnest($1::text[], $2::text[]) AS setting(name, value)`;

async function setUpSession(client: pg.Client, settings: Readonly<Record<string, string>>): Promise<void> {
  await client.query(SET_UP_SESSION, [Object.keys(settings), Object.values(settings)]);
}

const CLOSE_MS = 2000;

/** Ends the session; a connection that does not answer is cut. */
export async function closePostgres(client: pg.Client): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const cut = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      client.connection.stream.destroy();
      resolve();
    }, CLOSE_MS);
  });
  await Promise.race([client.end().catch(() => undefined), cut]);
  clearTimeout(timer);
}

/**
 * People paste the URL that works with psql. The driver reads `sslmode=require` as `verify-full` unless asked to read it as libpq
 * does: `require` encrypts (and checks the CA where `sslrootcert` is given), `verify-ca` checks the CA, `verify-full` the name as well.
 * Without `sslmode` the connection is not encrypted.
 */
function withLibpqSslmode(connectionString: string): string {
  if (!/[?&]sslmode=/.test(connectionString) || /[?&]uselibpqcompat=/.test(connectionString)) return connectionString;
  return `${connectionString}&uselibpqcompat=true`;
}
