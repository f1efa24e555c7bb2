import type { DriverOptions, TargetDriver } from './driver.js';
import { TargetRefusedError } from './failures.js';
import { createMysqlDriver } from './mysql/driver.js';
import { createOracleDriver } from './oracle/driver.js';
import { createPostgresDriver } from './postgres/driver.js';

type CreateDriver = (connectionString: string, options: DriverOptions) => TargetDriver;

/** Every dialect, by the schemes of its connection strings. */
const DIALECTS: ReadonlyMap<string, CreateDriver> = new Map([
  ['postgres', createPostgresDriver],
  ['postgresql', createPostgresDriver],
  ['mysql', createMysqlDriver],
  ['mariadb', createMysqlDriver],
  ['oracle', createOracleDriver],
]);

/**
 * The target behind a connection string. Nothing is opened before it is needed.
 * @param connectionString holds the password; it is never shown
 * @throws TargetRefusedError where no dialect has its scheme
 */
export function createTargetDriver(connectionString: string, options: DriverOptions): TargetDriver {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(connectionString) ?? [];
  const create = scheme === undefined ? undefined : DIALECTS.get(scheme.toLowerCase());
  if (create !== undefined) return create(connectionString, options);
  throw new TargetRefusedError(
    'scheme',
    `the target's connection string begins with ${scheme === undefined ? 'no scheme' : `"${scheme}://"`}, found none of ` +
      `${[...DIALECTS.keys()].map((known) => `${known}://`).join(', ')}: correct the worker's connection`,
    { cause: null },
  );
}
