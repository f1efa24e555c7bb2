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
