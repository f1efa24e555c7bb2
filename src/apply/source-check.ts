import type { Hlc } from '../domain/hlc.js';
import type { FeedEndedError } from '../domain/feed-end.js';
import type { SourceChangedError } from '../domain/source-identity.js';

/** What the loop asks about the source beside its windows (protocol rules 8 and 9). */
export interface SourceCheck {
  /** What was found at the last look; null: the source is what the stream began with, as far as is known, and can still be read. */
  changed(): SourceChangedError | FeedEndedError | null;
  /**
   * The first of these timestamps at which a primary key was not the known one; null: none, or the source cannot be asked.
   * @param at ascending, not empty
   */
  firstOtherKey(at: readonly Hlc[]): Promise<OtherKey | null>;
}

export interface OtherKey {
  readonly at: Hlc;
  readonly error: SourceChangedError;
}

/** The primary keys as of one timestamp. */
export interface KeysAt {
  /** Equal at two timestamps: no key was altered between them. */
  readonly fingerprint: string;
  /** How they differ from the known ones; null: they do not. */
  readonly change: SourceChangedError | null;
}

/**
 * The first of the timestamps at which the keys were others, with as few questions as will do: two timestamps of one fingerprint answer for
 * everything between them.
 * @param good the keys at a timestamp before all of these, known to be right; null: nothing is known
 */
export async function searchOtherKey(
  at: readonly Hlc[],
  good: string | null,
  read: (at: Hlc) => Promise<KeysAt>,
): Promise<OtherKey | null> {
  const [first] = at;
  const last = at.at(-1);
  if (first === undefined || last === undefined) return null;
  const end = await read(last);
  if (good !== null && end.fingerprint === good) return null;
  if (at.length === 1) return end.change === null ? null : { at: last, error: end.change };
  const middle = at.length >> 1;
  const early = await searchOtherKey(at.slice(0, middle), good, read);
  if (early !== null) return early;
  const reached = at[middle - 1] ?? first;
  return searchOtherKey(at.slice(middle), (await read(reached)).fingerprint, read);
}
