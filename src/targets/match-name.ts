/**
 * Finds a name as a person means it: spelled exactly, else the only one that differs in case alone (`order_id` is Oracle's ORDER_ID). Null when
 * there is none or more than one.
 */
export function matchName<T>(wanted: string, candidates: readonly T[], nameOf: (candidate: T) => string): T | null {
  const exact = candidates.find((candidate) => nameOf(candidate) === wanted);
  if (exact !== undefined) return exact;
  const folded = candidates.filter((candidate) => nameOf(candidate).toLowerCase() === wanted.toLowerCase());
  return folded.length === 1 ? (folded[0] ?? null) : null;
}
