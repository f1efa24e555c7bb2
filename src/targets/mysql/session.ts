import { createCheckpointGroups } from '../portable/checkpoint-groups.js';
import { createCheckpointRow } from '../portable/checkpoint-row.js';
import { createDeadLetterRows } from '../portable/dead-letters.js';
import { createGuard } from '../portable/guard.js';
import type { SqlClient } from '../portable/sql-client.js';
import { createDeadLetterBox } from '../session/dead-letter-box.js';
import type { TransactionWords } from '../session/parts.js';
import { createApplySession, type SessionOptions } from '../session/session.js';
import type { ApplySession } from '../target.js';
import { createChangeWriter } from './change-writer.js';
import { createCheckpointClient } from './checkpoint-client.js';
import { mysqlCheckpointDialect } from './checkpoint-dialect.js';
import { connectMysql, type MysqlClient } from './client.js';
import { mysqlErrors } from './errors.js';

export interface MysqlApplyOptions extends SessionOptions {
  /** Holds the password; never shown. */
  readonly connectionString: string;
  /** In milliseconds; 10,000 by default. */
  readonly connectTimeoutMs?: number;
}

/**
 * Opens the connection that applies a stream to MySQL or MariaDB.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function openMysqlApplySession(options: MysqlApplyOptions): Promise<ApplySession> {
  const { checkpointSchema, stream, plan, group = null, lockTimeoutMs } = options;
  const connection = await connectMysql({
    connectionString: options.connectionString,
    applicationName: `failback ${stream}`,
    ...(options.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
    lockTimeoutMs,
    idleInTransactionTimeoutMs: options.idleInTransactionTimeoutMs,
    // For the whole session, not for the transaction only: no other statement of it meets a foreign key (protocol rule 25).
    foreignKeysOff: options.enforcementOff,
  });
  const client = createCheckpointClient(connection);
  const access = { client, dialect: mysqlCheckpointDialect, schema: checkpointSchema, lockTimeoutMs };
  const row = createCheckpointRow(access, stream, group?.number ?? null);
  return createApplySession(
    {
      transaction: transactionOf(connection, client, options),
      row,
      groups: createCheckpointGroups(access, stream, row),
      letters: createDeadLetterBox(createDeadLetterRows(access, options), options),
      guard: createGuard(access, stream, plan),
      writer: createChangeWriter(connection, options),
      errors: mysqlErrors,
      close: () => connection.close(),
    },
    options,
  );
}

/**
 * MySQL knows no limit for a transaction that rests, only one for a session, so it has that one as long as a transaction is open (protocol rule
 * 24). MariaDB's own is set with the session.
 */
function transactionOf(
  { server, query }: MysqlClient,
  client: SqlClient,
  { idleInTransactionTimeoutMs }: MysqlApplyOptions,
): TransactionWords {
  const idleS = Math.max(1, Math.ceil(idleInTransactionTimeoutMs / 1000));
  const restsFor = async (seconds: string): Promise<void> => {
    if (server.product === 'MySQL') await query(`SET SESSION wait_timeout = ${seconds}`);
  };
  return {
    async begin() {
      await restsFor(String(idleS));
      await client.begin();
    },
    async commit() {
      await client.commit();
      // It is committed, whatever becomes of the session.
      await restsFor('DEFAULT').catch(() => undefined);
    },
    async rollback() {
      await client.rollback();
      await restsFor('DEFAULT');
    },
  };
}
