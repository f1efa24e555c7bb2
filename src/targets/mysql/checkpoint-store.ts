import { createCheckpointStore } from '../portable/checkpoint-store.js';
import type { CheckpointStore } from '../target.js';
import { createCheckpointClient } from './checkpoint-client.js';
import { mysqlCheckpointDialect } from './checkpoint-dialect.js';
import { connectMysql, type MysqlConnection } from './client.js';
import { toTargetError } from './errors.js';

/** Longest wait for a lock where the connection names none, in milliseconds: a window holds its row as long as it is applied. */
const LOCK_TIMEOUT_MS = 30_000;

/**
 * The rows of the checkpoint tables on a MySQL or MariaDB target, over one connection of its own.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function openMysqlCheckpointStore(connection: MysqlConnection, schema: string): Promise<CheckpointStore> {
  const lockTimeoutMs = connection.lockTimeoutMs ?? LOCK_TIMEOUT_MS;
  const client = await connectMysql({ ...connection, lockTimeoutMs });
  return createCheckpointStore({
    client: createCheckpointClient(client),
    dialect: mysqlCheckpointDialect,
    schema,
    lockTimeoutMs,
    toTargetError,
    close: () => client.close(),
  });
}
