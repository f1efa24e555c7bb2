import { askOver, composeDriver } from '../compose-driver.js';
import type { DriverOptions, TargetDriver } from '../driver.js';
import { openPostgresCheckpointStore } from './checkpoint-store.js';
import { connectPostgres } from './client.js';
import { planComparison } from './comparison-plan.js';
import { toTargetError } from './errors.js';
import { describeTables } from './introspection.js';
import { preflightPostgres } from './preflight.js';
import { eraseSentinel, writeSentinel } from './sentinel.js';
import { alignSequences } from './sequences.js';
import { openPostgresApplySession } from './session.js';
import { openPostgresSnapshot } from './snapshot.js';

/**
 * A PostgreSQL target behind its connection string. Each call connects anew; nothing is opened before it is needed.
 * @param connectionString holds the password; it is never shown
 */
export function createPostgresDriver(
  connectionString: string,
  { run, checkpointSchema = '_failback' }: DriverOptions,
): TargetDriver {
  const connection = { connectionString, applicationName: `failback ${run}` };

  const asking = askOver({
    connect: () => connectPostgres(connection),
    close: (client) => client.end(),
    toTargetError,
  });

  const parts = {
    run,
    checkpointSchema,
    asking,
    preflight: preflightPostgres,
    describeTables,
    planComparison,
    writeSentinel,
    eraseSentinel,
    alignSequences,
  };
  return {
    ...composeDriver(parts),
    defaultSchema: null,
    deadLetterTable: `${checkpointSchema}.dead_letters`,
    sinkPath: (schema) =>
      asking('reading the name of the database', async (client) => {
        const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
        return [rows[0]?.name ?? '', schema];
      }),
    openStore: () => openPostgresCheckpointStore(connection, checkpointSchema),
    openApplySession: (options) => openPostgresApplySession({ ...options, checkpointSchema, connectionString }),
    openSnapshot: () => openPostgresSnapshot(connection, checkpointSchema),
  };
}
