import type { CheckpointDialect } from '../portable/checkpoint-dialect.js';
import { createCheckpointGroups } from '../portable/checkpoint-groups.js';
import { createCheckpointRow } from '../portable/checkpoint-row.js';
import { createDeadLetterRows } from '../portable/dead-letters.js';
import { createGuard } from '../portable/guard.js';
import { createDeadLetterBox } from '../session/dead-letter-box.js';
import type { ApplyParts } from '../session/parts.js';
import { createApplySession, type SessionOptions } from '../session/session.js';
import type { ApplySession } from '../target.js';
import { createChangeWriter } from './change-writer.js';
import { createCheckpointClient } from './checkpoint-client.js';
import { oracleCheckpointDialect } from './checkpoint-dialect.js';
import { connectOracle, type OracleClient } from './client.js';
import { oracleErrors } from './errors.js';

export interface OracleApplyOptions extends SessionOptions {
  /** Holds the password; never shown. */
  readonly connectionString: string;
  /** In milliseconds; 10,000 by default. */
  readonly connectTimeoutMs?: number;
}

/**
 * A round trip may take so long beside the wait for a lock, in milliseconds: a statement that waits for a row of the application's is known from
 * one that is at work by nothing else.
 */
const WORK_MS = 60_000;

/**
 * Opens the connection that applies a stream to Oracle.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function openOracleApplySession(options: OracleApplyOptions): Promise<ApplySession> {
  const client = await connectOracle({
    connectionString: options.connectionString,
    applicationName: `failback ${options.stream}`,
    ...(options.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
    lockTimeoutMs: options.lockTimeoutMs,
    callTimeoutMs: options.lockTimeoutMs + WORK_MS,
  });
  return createApplySession(oracleParts(client, options, oracleCheckpointDialect), options);
}

/** The parts of an apply session, all over one connection: rows of the stream and of the checkpoint are of the same transactions. */
export function oracleParts(client: OracleClient, options: SessionOptions, dialect: CheckpointDialect): ApplyParts {
  const { checkpointSchema, stream, plan, lockTimeoutMs, group = null } = options;
  const checkpoint = createCheckpointClient(client);
  const access = { client: checkpoint, dialect, schema: checkpointSchema, lockTimeoutMs };
  const row = createCheckpointRow(access, stream, group?.number ?? null);
  return {
    transaction: {
      async begin() {
        await checkpoint.begin();
        // What is deferrable is checked at the end of each part, not at each row.
        await client.execute('SET CONSTRAINTS ALL DEFERRED');
      },
      commit: () => checkpoint.commit(),
      rollback: () => checkpoint.rollback(),
    },
    row,
    groups: createCheckpointGroups(access, stream, row),
    letters: createDeadLetterBox(createDeadLetterRows(access, options), options),
    guard: createGuard(access, stream, plan),
    writer: createChangeWriter(client, options),
    errors: oracleErrors,
    close: () => client.close(),
  };
}
