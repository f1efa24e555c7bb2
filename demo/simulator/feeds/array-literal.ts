/**
 * Reads PostgreSQL's text of a one-dimensional array: `{1,NULL,"a \"b\""}`.
 * @throws Error for text that is not one (CockroachDB has no nested arrays).
 */
export function parseArrayLiteral(text: string): (string | null)[] {
  if (text === '{}') return [];
  const end = text.length - 1;
  if (text[0] !== '{' || text[end] !== '}') throw new Error('not the text of a one-dimensional PostgreSQL array');
  const items: (string | null)[] = [];
  let at = 1;
  while (at <= end) {
    if (text[at] === '"') {
      let close = at + 1;
      while (text[close] !== '"') {
        if (close >= end) throw new Error('unterminated string in the text of a PostgreSQL array');
        close += text[close] === '\\' ? 2 : 1;
      }
      const quoted = text.slice(at + 1, close);
      items.push(quoted.includes('\\') ? quoted.replace(/\\([\s\S])/g, '$1') : quoted);
      at = close + 2;
    } else {
      const comma = text.indexOf(',', at);
      const stop = comma === -1 ? end : comma;
      const bare = text.slice(at, stop);
      items.push(bare === 'NULL' ? null : bare);
      at = stop + 1;
    }
  }
  return items;
}
