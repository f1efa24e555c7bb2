import type pg from 'pg';
import { createDeadLetterBox } from '../session/dead-letter-box.js';
import type { TransactionWords } from '../session/parts.js';
import { createApplySession, type SessionOptions } from '../session/session.js';
import type { ApplySession } from '../target.js';
import { createChangeWriter } from './change-writer.js';
import { createCheckpointGroups } from './checkpoint-groups.js';
import { createCheckpointRow } from './checkpoint-row.js';
import { closePostgres, connectPostgres } from './client.js';
import { createDeadLetterRows } from './dead-letters.js';
import { postgresErrors } from './errors.js';
import { createGuard } from './guard.js';

export interface PostgresApplyOptions extends SessionOptions {
  /** Holds the password; never shown. */
  readonly connectionString: string;
  /** Rows of one table and column set from which on they go by COPY. */
  readonly copyFrom?: number;
  /** In milliseconds; 10,000 by default. */
  readonly connectTimeoutMs?: number;
}

/**
 * Opens the connection that applies a stream to PostgreSQL.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function openPostgresApplySession(options: PostgresApplyOptions): Promise<ApplySession> {
  const { checkpointSchema, stream, plan, group = null } = options;
  const client = await connectPostgres({
    connectionString: options.connectionString,
    applicationName: `failback ${stream}`,
    ...(options.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
    sessionSettings: {
      lock_timeout: String(options.lockTimeoutMs),
      idle_in_transaction_session_timeout: String(options.idleInTransactionTimeoutMs),
    },
  });
  const row = createCheckpointRow(client, checkpointSchema, stream, group?.number ?? null);
  return createApplySession(
    {
      transaction: transactionOf(client, options),
      row,
      groups: createCheckpointGroups(client, checkpointSchema, stream, row),
      letters: createDeadLetterBox(createDeadLetterRows(client, options), options),
      guard: createGuard(client, checkpointSchema, stream, plan),
      writer: createChangeWriter(client, options),
      errors: postgresErrors,
      close: () => closePostgres(client),
    },
    options,
  );
}

/**
 * READ COMMITTED: the compare-and-set must see what was committed while it waited (protocol rule 22). Enforcement is off for the transaction
 * only (protocol rule 25). Deferrable constraints are checked at the end of each part, not at each statement.
 */
function transactionOf(client: pg.Client, { enforcementOff }: PostgresApplyOptions): TransactionWords {
  const begin = [
    'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
    ...(enforcementOff ? [`SET LOCAL session_replication_role = 'replica'`] : []),
    'SET CONSTRAINTS ALL DEFERRED',
  ].join('; ');
  return {
    async begin() {
      await client.query(begin);
    },
    async commit() {
      const { command } = await client.query('COMMIT');
      // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, and with no error.
      if (command !== 'COMMIT') throw new Error(`the transaction was not committed: PostgreSQL answered ${command}`);
    },
    async rollback() {
      await client.query('ROLLBACK');
    },
  };
}
