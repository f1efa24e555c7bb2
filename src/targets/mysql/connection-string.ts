import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions, SslOptions } from 'mysql2';
import { TargetRefusedError } from '../failures.js';

/** What a connection string says, in the driver's words. Holds the password; never shown. */
export type ConnectionFacts = Pick<ConnectionOptions, 'host' | 'port' | 'user' | 'password' | 'database' | 'ssl'>;

const DEFAULT_PORT = 3306;

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;

/** Names of files, as in a connection string of PostgreSQL's. */
const PARAMETERS: ReadonlySet<string> = new Set(['sslmode', 'sslrootcert', 'sslcert', 'sslkey']);

/**
 * Reads `mysql://user:password@host:port/database?sslmode=...` (or `mariadb://`). The driver knows none of the parameters that people write, so
 * they are read here, with the meaning that they have for PostgreSQL.
 * @throws TargetRefusedError; it never shows the password, so it never shows the string
 */
export function readConnectionString(connectionString: string): ConnectionFacts {
  const url = parse(connectionString);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    host,
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    user: decoded(url.username, 'user'),
    password: decoded(url.password, 'password'),
    ...databaseOf(url),
    ...tlsOf(url.searchParams, host),
  };
}

function parse(connectionString: string): URL {
  let url: URL;
  try {
    url = new URL(connectionString);
  } catch {
    throw refused(
      'it is no URL; characters like @ : / ? # and % in the user or password have to be percent-encoded (%40 is @)',
    );
  }
  if (url.protocol !== 'mysql:' && url.protocol !== 'mariadb:')
    throw refused('it does not start with mysql:// or mariadb://');
  if (url.hostname === '') throw refused('it names no host');
  if (url.username === '') throw refused('it names no user');
  return url;
}

function databaseOf({ pathname }: URL): { readonly database?: string } {
  const name = decoded(pathname.replace(/^\//, ''), 'database');
  if (name.includes('/')) throw refused('it names more than a database: write one name after the host');
  return name === '' ? {} : { database: name };
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused(`its ${what} has a % that starts no percent-encoding (a % itself is %25)`);
  }
}

function tlsOf(parameters: URLSearchParams, host: string): { readonly ssl?: SslOptions } {
  const unknown = [...parameters.keys()].filter((name) => !PARAMETERS.has(name));
  if (unknown.length > 0)
    throw refused(`parameter ${unknown.join(', ')} is unknown; known are ${[...PARAMETERS].join(', ')}`);
  const given = parameters.get('sslmode') ?? 'disable';
  const mode = SSL_MODES.find((known) => known === given);
  if (mode === undefined) throw refused(`sslmode=${given} is unknown; known are ${SSL_MODES.join(', ')}`);
  const ca = fileOf(parameters, 'sslrootcert');
  const cert = fileOf(parameters, 'sslcert');
  const key = fileOf(parameters, 'sslkey');
  if ((cert === null) !== (key === null)) throw refused('sslcert and sslkey belong together');
  if (mode === 'disable') {
    if (ca !== null || cert !== null) throw refused('it names certificates and no sslmode that uses them');
    return {};
  }
  // Of an address the driver has the certificate checked for the name "localhost".
  if (mode === 'verify-full' && isIP(host) !== 0)
    throw refused(
      `sslmode=verify-full checks a host's name, and ${host} is an address: write the name, or sslmode=verify-ca`,
    );
  return {
    ssl: {
      // As for PostgreSQL, where a CA is given `require` checks it, too.
      rejectUnauthorized: mode !== 'require' || ca !== null,
      verifyIdentity: mode === 'verify-full',
      ...(ca === null ? {} : { ca }),
      ...(cert === null || key === null ? {} : { cert, key }),
    },
  };
}

function fileOf(parameters: URLSearchParams, name: string): string | null {
  const file = parameters.get(name);
  if (file === null) return null;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refused(`the file of ${name}, ${file}, cannot be read (${code ?? 'unknown'})`);
  }
}

function refused(why: string): TargetRefusedError {
  return new TargetRefusedError('connection-string', `the target’s connection string is not used: ${why}`, {
    cause: null,
  });
}
