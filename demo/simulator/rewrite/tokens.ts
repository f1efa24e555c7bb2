/** One word, literal or sign of a SQL text. `value` is what it means: a name folded or unquoted, a literal without quotes. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'param' | 'sign';
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

const PATTERNS: readonly [Token['kind'] | 'space', RegExp][] = [
  ['space', /\s+|--[^\n]*/y],
  ['string', /[eE]'(?:[^'\\]|''|\\.)*'|[bBxX]?'(?:[^']|'')*'/y],
  ['string', /\$([A-Za-z_][\w]*)?\$[\s\S]*?\$\1\$/y],
  ['param', /\$\d+/y],
  ['quoted', /"(?:[^"]|"")*"/y],
  ['number', /\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?/y],
  ['word', /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y],
  ['sign', /:::|::|<=|>=|<>|!=|\|\||->>|->|[\s\S]/y],
];

/** Splits a SQL text; comments and space are left out. A text that never ends its literal yields signs to its end. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < sql.length) {
    const commentEnd = sql.startsWith('/*', at) ? endOfComment(sql, at) : at;
    if (commentEnd > at) {
      at = commentEnd;
      continue;
    }
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = at;
      const match = pattern.exec(sql);
      if (!match) continue;
      const text = match[0];
      if (kind !== 'space') tokens.push({ kind, value: meaning(kind, text), start: at, end: at + text.length });
      at += text.length;
      break;
    }
  }
  return tokens;
}

/** The statements of a text, each with its own tokens; empty ones are left out. */
export function splitStatements(sql: string): Token[][] {
  const statements: Token[][] = [[]];
  for (const token of tokenize(sql)) {
    if (token.kind === 'sign' && token.value === ';') statements.push([]);
    else statements.at(-1)?.push(token);
  }
  return statements.filter((tokens) => tokens.length > 0);
}

/** PostgreSQL's comments nest. */
function endOfComment(sql: string, start: number): number {
  const border = /\/\*|\*\//g;
  border.lastIndex = start;
  let depth = 0;
  for (let match = border.exec(sql); match; match = border.exec(sql)) {
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return border.lastIndex;
  }
  return sql.length;
}

function meaning(kind: Token['kind'], text: string): string {
  switch (kind) {
    case 'word':
      return text.toLowerCase();
    case 'quoted':
      return text.slice(1, -1).replaceAll('""', '"');
    case 'string':
      return stringValue(text);
    default:
      return text;
  }
}

function stringValue(text: string): string {
  if (text.startsWith('$')) return text.slice(text.indexOf('$', 1) + 1, text.lastIndexOf('$', text.length - 2));
  const body = text.slice(text.indexOf("'") + 1, -1).replaceAll("''", "'");
  return /^e/i.test(text) ? body.replace(/\\(.)/g, (_, c: string) => ({ n: '\n', t: '\t', r: '\r' })[c] ?? c) : body;
}
