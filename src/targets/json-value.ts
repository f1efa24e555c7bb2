import { canonicalDecimal } from '../domain/decimal-text.js';

/** A string with its escapes, a sign, or a word or number. */
const TOKENS = /"(?:[^"\\]|\\[\s\S])*"|[[\]{},:]|[^\s"[\]{},:]+/g;

/**
 * JSON by value as one text: keys in order, the last of those that are alike, no spaces, numbers in one spelling with every digit
 * (invariant 7). Two texts mean the same where these are equal. Null: it is no JSON.
 */
export function canonicalJson(text: string): string | null {
  const tokens = text.match(TOKENS) ?? [];
  let at = 0;

  const value = (): string | null => {
    const token = tokens[at++];
    if (token === undefined) return null;
    if (token === '{') return members();
    if (token === '[') return elements();
    if (token.startsWith('"')) return unescaped(token);
    return /^-?\d/.test(token) ? canonicalDecimal(token) : /^(?:true|false|null)$/.test(token) ? token : null;
  };

  const members = (): string | null => {
    const found = new Map<string, string>();
    for (;;) {
      if (tokens[at] === '}') break;
      const key = value();
      if (key === null || tokens[at++] !== ':') return null;
      const held = value();
      if (held === null) return null;
      found.set(key, held);
      if (tokens[at] === ',') at++;
      else if (tokens[at] !== '}') return null;
    }
    at++;
    const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${sorted.map(([key, held]) => `${key}:${held}`).join(',')}}`;
  };

  const elements = (): string | null => {
    const found: string[] = [];
    for (;;) {
      if (tokens[at] === ']') break;
      const held = value();
      if (held === null) return null;
      found.push(held);
      if (tokens[at] === ',') at++;
      else if (tokens[at] !== ']') return null;
    }
    at++;
    return `[${found.join(',')}]`;
  };

  const result = value();
  return at === tokens.length ? result : null;
}

/** The string in one spelling: escapes are spelling. */
function unescaped(token: string): string | null {
  try {
    return JSON.stringify(JSON.parse(token));
  } catch {
    return null;
  }
}
