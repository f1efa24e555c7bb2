/**
 * What of a JSON value no text of PostgreSQL can hold, in words; null: nothing. Such a character spoils the reading of the whole document, so it
 * is looked for here. The values are looked at and go nowhere.
 */
export function unstorable(value: unknown): string | null {
  if (typeof value === 'string') {
    if (value.includes('\0')) return 'it holds the character NUL (\\u0000), which PostgreSQL cannot keep';
    return LONE_SURROGATE.test(value) ? 'it holds half of a surrogate pair, which is no character' : null;
  }
  if (typeof value !== 'object' || value === null) return null;
  for (const part of Object.entries(value).flat()) {
    const reason = unstorable(part);
    if (reason !== null) return reason;
  }
  return null;
}

const LONE_SURROGATE = /\p{Surrogate}/u;
