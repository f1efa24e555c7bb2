import { setTimeout as delay } from 'node:timers/promises';

export interface UntilOptions {
  readonly limitMs: number;
  readonly everyMs?: number;
  readonly signal: AbortSignal;
}

/**
 * Looks again and again until there is something. An error of `look` is a reason to go on looking.
 *
 * @throws the signal's reason, or after `limitMs` an error that says what was awaited.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  { limitMs, everyMs = 100, signal }: UntilOptions,
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    signal.throwIfAborted();
    let cause: unknown;
    try {
      const found = await look();
      if (found !== undefined && found !== null && found !== false)
        return found as Exclude<T, undefined | null | false>;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline)
      throw new Error(`not within ${Math.round(limitMs / 1_000)} s: ${what}`, cause === undefined ? {} : { cause });
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
