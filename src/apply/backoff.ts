import { setTimeout as delay } from 'node:timers/promises';
import { StageUnavailableError } from '../staging/stage.js';
import type { TargetUnavailableError, FenceLostError } from '../targets/failures.js';
import type { ApplyIncident } from './progress.js';

/** Waits of a growing length between retries. All in milliseconds. */
export interface BackoffTuning {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The wait before the `attempt`-th retry in a row (1 is the first): doubling, at most `maxMs`, less up to a half by `random` (0 to 1), so that
 * several streams do not come back to a target at once.
 */
export function backoffMs({ firstMs, maxMs }: BackoffTuning, attempt: number, random: number): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(full * (1 - random / 2));
}

/** How trouble with the target or with the stage is told, and waited out. */
export interface TroubleOptions {
  readonly stream: string;
  readonly retry: BackoffTuning;
  readonly signal: AbortSignal;
  /** A line for the log: no secrets, no row values. */
  readonly log: (message: string) => void;
}

/** Tells of the `failures`-th failure in a row, and rests before the next try; an abort ends the rest. */
export async function restAfter(
  error: TargetUnavailableError | StageUnavailableError | FenceLostError,
  failures: number,
  { stream, retry, signal, log }: TroubleOptions,
  onTrouble: (trouble: ApplyIncident) => void,
): Promise<void> {
  const waitMs = backoffMs(retry, failures, Math.random());
  log(`stream ${stream}: ${error.message}; attempt ${failures + 1} in ${waitMs} ms`);
  onTrouble({
    side: error instanceof StageUnavailableError ? 'stage' : 'target',
    code: 'code' in error ? error.code : 'fence',
    message: error.message,
    attempts: failures,
  });
  await delay(waitMs, undefined, { signal }).catch(() => undefined);
}
