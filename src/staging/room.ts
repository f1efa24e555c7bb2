/** What the stage of a stream may have of the host's disk, in bytes of used pages (protocol rules 12 and 13). */
export interface StageBudget {
  readonly budgetBytes: number;
  /** So much more is taken where applying cannot make room: the span that is not resolved yet has to fit. */
  readonly reserveBytes: number;
}

/** Of the budget, what it may be overrun by. */
const RESERVE = 0.5;

export function budgetOf(budgetBytes: number): StageBudget {
  return { budgetBytes, reserveBytes: Math.floor(budgetBytes * RESERVE) };
}

/**
 * - `free`: below the budget.
 * - `waits`: at the budget; what is resolved will be applied and make room.
 * - `overruns`: at the budget, and nothing is there to apply: refused rows would come again for ever.
 * - `none`: the reserve is used up, too.
 */
export type Room = 'free' | 'waits' | 'overruns' | 'none';

/** Protocol rule 12. Pure. */
export function roomOf(
  { budgetBytes, reserveBytes }: StageBudget,
  { usedBytes, applying }: { readonly usedBytes: number; readonly applying: boolean },
): Room {
  if (usedBytes < budgetBytes) return 'free';
  if (applying) return 'waits';
  return usedBytes < budgetBytes + reserveBytes ? 'overruns' : 'none';
}

/** Rows that are not staged yet are taken. */
export function mayGrow(room: Room): boolean {
  return room === 'free' || room === 'overruns';
}
