import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface UntilOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/**
 * Polls until `fn` returns something truthy, and returns that. An error of `fn` counts as "not yet".
 *
 * @throws after `timeoutMs`, naming the description and the last value or error.
 */
export async function until<T>(
  description: string,
  fn: () => T | Promise<T>,
  { timeoutMs = 15_000, everyMs = 25 }: UntilOptions = {},
): Promise<Exclude<T, undefined | null | false | 0 | ''>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let last: string;
    let cause: unknown;
    try {
      const value = await fn();
      if (value) return value as Exclude<T, undefined | null | false | 0 | ''>;
      last = `last value ${inspect(value)}`;
    } catch (error) {
      last = `last error ${String(error)}`;
      cause = error;
    }
    if (performance.now() >= deadline)
      throw new Error(`not within ${timeoutMs} ms: ${description} (${last})`, { cause });
    await delay(everyMs);
  }
}
