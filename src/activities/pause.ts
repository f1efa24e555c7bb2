import { setTimeout as delay } from 'node:timers/promises';

/**
 * Rests between two looks.
 * @throws the signal's reason, so that a cancelled activity ends as cancelled
 */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
