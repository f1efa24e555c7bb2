import { parseDuration } from './duration.js';
import type { FailureType } from './failures.js';

/**
 * The changefeed that is read over the connection has ended, and another would end the same: a person decides. What is resolved is applied
 * before.
 */
export class FeedEndedError extends Error {
  constructor(
    readonly type: FailureType,
    message: string,
  ) {
    super(message);
    this.name = 'FeedEndedError';
  }
}

/** So many resolved intervals without a message are a lost connection (protocol rule 30). */
const MISSED_INTERVALS = 5;
const LONGEST_SILENCE_MS = 1_800_000;

/**
 * For how long nothing may come before the connection counts as lost. A catch-up over much history may be silent for longer than that, and
 * would begin anew with each connection: each feed in a row that brought nothing at all is given twice the time. Pure.
 * @param resolved the interval, e.g. `250ms`
 */
export function silenceAllowed(resolved: string, floorMs: number, silentFeeds: number): number {
  const first = Math.max(floorMs, MISSED_INTERVALS * (parseDuration(resolved) ?? 0));
  return Math.max(first, Math.min(first * 2 ** Math.min(silentFeeds, 30), LONGEST_SILENCE_MS));
}
