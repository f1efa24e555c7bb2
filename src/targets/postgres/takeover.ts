import type { Checkpoint } from '../../domain/checkpoint.js';
import { TargetUnavailableError } from '../failures.js';
import type { ApplySessionOptions } from '../target.js';
import type { CheckpointRow } from './checkpoint-row.js';
import { PostgresError, postgresErrorCode, toTargetError } from './errors.js';

const LOCK_NOT_AVAILABLE = '55P03';
const ATTEMPTS = 3;

/**
 * Takeover, step 1 (protocol rule D). When the row stays locked for `lockTimeoutMs`, the recorded holder's session is ended: it may be
 * frozen in a transaction (protocol rule 24). Ending it loses nothing, its transaction is rolled back or was committed.
 * @throws TargetUnavailableError naming the server process that holds the row, when it is not the recorded holder
 */
export async function takeWithin(
  row: CheckpointRow,
  { stream, lockTimeoutMs }: ApplySessionOptions,
  token: string,
): Promise<Checkpoint | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await row.take(token);
    } catch (error) {
      if (postgresErrorCode(error) !== LOCK_NOT_AVAILABLE) throw toTargetError(error, 'taking the token');
      const holders = await asTargetError(() => row.lockHolders());
      const ended = await asTargetError(() => row.endHolder());
      if (ended && attempt < ATTEMPTS) continue;
      throw new TargetUnavailableError(
        LOCK_NOT_AVAILABLE,
        `the checkpoint row of stream ${stream} has been locked for ${lockTimeoutMs} ms by server process ${holders.join(', ') || 'unknown'}, ` +
          `which is not a session of this stream's last applier: SELECT pg_terminate_backend(<process>) ends it`,
        { cause: new PostgresError(error) },
      );
    }
  }
}

async function asTargetError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toTargetError(error, 'looking for the session that holds the checkpoint row');
  }
}
