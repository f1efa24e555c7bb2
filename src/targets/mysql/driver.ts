import { askOver, composeDriver } from '../compose-driver.js';
import type { DriverOptions, TargetDriver } from '../driver.js';
import { openMysqlCheckpointStore } from './checkpoint-store.js';
import { connectMysql } from './client.js';
import { planComparison } from './comparison-plan.js';
import { readConnectionString } from './connection-string.js';
import { toTargetError } from './errors.js';
import { describeTables } from './introspection.js';
import { preflightMysql } from './preflight.js';
import { eraseSentinel, writeSentinel } from './sentinel.js';
import { alignSequences } from './sequences.js';
import { openMysqlApplySession } from './session.js';
import { openMysqlSnapshot } from './snapshot.js';

/**
 * A MySQL or MariaDB target behind its connection string. Each call connects anew; nothing is opened before it is needed.
 * @param connectionString holds the password; it is never shown
 */
export function createMysqlDriver(
  connectionString: string,
  { run, checkpointSchema = '_failback' }: DriverOptions,
): TargetDriver {
  const connection = { connectionString, applicationName: `failback ${run}` };

  const asking = askOver({
    connect: () => connectMysql(connection),
    close: (client) => client.close(),
    toTargetError,
  });

  const parts = {
    run,
    checkpointSchema,
    asking,
    preflight: preflightMysql,
    describeTables,
    planComparison,
    writeSentinel,
    eraseSentinel,
    alignSequences,
  };
  return {
    ...composeDriver(parts),
    // A database of the source's schema's name is nobody's here.
    defaultSchema: readConnectionString(connectionString).database ?? null,
    deadLetterTable: `${checkpointSchema}.failback_dead_letters`,
    sinkPath: (schema) => Promise.resolve([schema]),
    openStore: () => openMysqlCheckpointStore(connection, checkpointSchema),
    openApplySession: (options) => openMysqlApplySession({ ...options, checkpointSchema, connectionString }),
    openSnapshot: () => openMysqlSnapshot(connection, checkpointSchema),
  };
}
