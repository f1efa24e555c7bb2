import { askOver, composeDriver } from '../compose-driver.js';
import type { DriverOptions, TargetDriver } from '../driver.js';
import { openOracleCheckpointStore } from './checkpoint-store.js';
import { connectOracle } from './client.js';
import { planComparison } from './comparison-plan.js';
import { readConnectionString } from './connection-string.js';
import { toTargetError } from './errors.js';
import { describeTables } from './introspection.js';
import { preflightOracle } from './preflight.js';
import { eraseSentinel, writeSentinel } from './sentinel.js';
import { alignSequences } from './sequences.js';
import { openOracleApplySession } from './session.js';
import { openOracleSnapshot } from './snapshot.js';

/**
 * An Oracle target behind its connection string. Each call connects anew; nothing is opened before it is needed.
 * @param connectionString holds the password; it is never shown
 */
export function createOracleDriver(
  connectionString: string,
  { run, checkpointSchema: wanted }: DriverOptions,
): TargetDriver {
  const user = schemaOf(readConnectionString(connectionString).user);
  const checkpointSchema = wanted ?? user;
  const connection = { connectionString, applicationName: `failback ${run}` };

  const asking = askOver({
    connect: () => connectOracle(connection),
    close: (client) => client.close(),
    toTargetError,
  });

  const parts = {
    run,
    checkpointSchema,
    asking,
    preflight: preflightOracle,
    describeTables,
    planComparison,
    writeSentinel,
    eraseSentinel,
    alignSequences,
  };
  return {
    ...composeDriver(parts),
    defaultSchema: user,
    deadLetterTable: `${checkpointSchema}.FAILBACK_DEAD_LETTERS`,
    sinkPath: (schema) => Promise.resolve([schema]),
    openStore: () => openOracleCheckpointStore(connection, checkpointSchema),
    openApplySession: (options) => openOracleApplySession({ ...options, checkpointSchema, connectionString }),
    openSnapshot: () => openOracleSnapshot(connection, checkpointSchema),
  };
}

/** `app` is APP, `"app"` is app, and `proxy[app]` is who it stands for. */
function schemaOf(user: string): string {
  const [, name = user] = /\[(.+)\]$/.exec(user) ?? [];
  const [, quoted] = /^"(.+)"$/.exec(name) ?? [];
  return quoted ?? name.toUpperCase();
}
