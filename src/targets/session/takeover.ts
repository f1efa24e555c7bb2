import { TargetUnavailableError } from '../failures.js';
import type { ApplySessionOptions, TakenCheckpoint } from '../target.js';
import type { CheckpointGroups, ErrorWords } from './parts.js';

const ATTEMPTS = 3;

/**
 * Takeover, step 1 (protocol rule D). When a row of the stream stays locked for `lockTimeoutMs`, the recorded holders' sessions are ended: one
 * may be frozen in a transaction (protocol rule 24). Ending them loses nothing, their transactions are rolled back or were committed.
 * @throws TargetUnavailableError naming the server process that holds the row, when it is not the recorded holder
 */
export async function takeWithin(
  rows: CheckpointGroups,
  errors: ErrorWords,
  { stream, lockTimeoutMs }: ApplySessionOptions,
  token: string,
): Promise<TakenCheckpoint | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rows.take(token);
    } catch (error) {
      if (!errors.isLockTimeout(error)) throw errors.toTargetError(error, 'taking the token');
      const holders = await asTargetError(errors, () => rows.lockHolders());
      const ended = await asTargetError(errors, () => rows.endHolders());
      if (ended && attempt < ATTEMPTS) continue;
      const cause = errors.causeOf(error);
      throw new TargetUnavailableError(
        cause.code,
        `the checkpoint row of stream ${stream} has been locked for ${lockTimeoutMs} ms by server process ${holders.join(', ') || 'unknown'}, ` +
          `which is not a session of this stream's last applier: ${errors.endingSessions}`,
        { cause },
      );
    }
  }
}

async function asTargetError<T>(errors: ErrorWords, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw errors.toTargetError(error, 'looking for the session that holds the checkpoint row');
  }
}
