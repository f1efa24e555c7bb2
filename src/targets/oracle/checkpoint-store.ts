import { createCheckpointStore } from '../portable/checkpoint-store.js';
import type { CheckpointStore } from '../target.js';
import { createCheckpointClient } from './checkpoint-client.js';
import { oracleCheckpointDialect } from './checkpoint-dialect.js';
import { connectOracle, type OracleConnection } from './client.js';
import { toTargetError } from './errors.js';

/** Longest wait for a lock where the connection names none, in milliseconds: a window holds its row as long as it is applied. */
const LOCK_TIMEOUT_MS = 30_000;

/**
 * The rows of the checkpoint tables on an Oracle target, over one connection of its own.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function openOracleCheckpointStore(
  connection: OracleConnection,
  schema: string,
): Promise<CheckpointStore> {
  const lockTimeoutMs = connection.lockTimeoutMs ?? LOCK_TIMEOUT_MS;
  const client = await connectOracle({ ...connection, lockTimeoutMs });
  return createCheckpointStore({
    client: createCheckpointClient(client),
    dialect: oracleCheckpointDialect,
    schema,
    lockTimeoutMs,
    toTargetError,
    close: () => client.close(),
  });
}
