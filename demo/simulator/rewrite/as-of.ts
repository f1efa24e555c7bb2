import type { Edits } from './edits.js';
import type { Token } from './tokens.js';

/** A table of a FROM clause: its name, and the tokens to put a subquery in place of. */
interface TableReference {
  readonly name: readonly string[];
  readonly from: number;
  readonly to: number;
  readonly hasAlias: boolean;
}

const FROM_FUNCTIONS = new Set(['extract', 'substring', 'trim', 'overlay', 'position']);
const CLAUSE = new Set(
  'where join inner left right full cross natural on using order group limit offset having union except intersect fetch for window returning set tablesample as'.split(
    ' ',
  ),
);

const word = (token: Token | undefined, ...values: string[]) => token?.kind === 'word' && values.includes(token.value);
const sign = (token: Token | undefined, value: string) => token?.kind === 'sign' && token.value === value;
const isName = (token: Token | undefined) => token?.kind === 'word' || token?.kind === 'quoted';

/** Where `AS OF SYSTEM TIME expression` stands and what its expression says, or undefined. */
export function findAsOf(tokens: readonly Token[]): { from: number; to: number; spec: string | undefined } | undefined {
  const from = tokens.findIndex((_, at) =>
    ['as', 'of', 'system', 'time'].every((value, n) => word(tokens[at + n], value)),
  );
  if (from < 0) return undefined;
  let to = from + 4;
  for (let depth = 0; to < tokens.length; to += 1) {
    const token = tokens[to];
    if (sign(token, '(')) depth += 1;
    if (sign(token, ')')) depth -= 1;
    if (depth < 0 || (depth === 0 && ((token?.kind === 'word' && CLAUSE.has(token.value)) || sign(token, ',')))) break;
  }
  return { from, to: to - 1, spec: specOf(tokens.slice(from + 4, to)) };
}

/** Only constants and the follower-read functions may stand there; undefined for anything else. */
function specOf(expression: readonly Token[]): string | undefined {
  const [first, second] = expression;
  if (sign(first, '-') && second?.kind === 'number') return `-${second.value}`;
  if (first?.kind === 'number' || first?.kind === 'string') return first.value;
  if (word(first, 'interval') && second?.kind === 'string') return second.value;
  if (word(first, 'follower_read_timestamp', 'experimental_follower_read_timestamp')) return '-4.2s';
  if (word(first, 'with_max_staleness', 'with_min_timestamp')) return '-1ms';
  return undefined;
}

/** The tables that the FROM clauses of a statement name, at any depth; common table expressions are not tables. */
export function findTables(tokens: readonly Token[]): TableReference[] {
  const found: TableReference[] = [];
  const expressions = commonTableExpressions(tokens);
  const levels: { inFrom: boolean; expects: boolean; ofFunction: boolean }[] = [
    { inFrom: false, expects: false, ofFunction: false },
  ];
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at];
    const level = levels.at(-1);
    if (!level) break;
    if (sign(token, '(')) {
      levels.push({
        inFrom: level.expects,
        expects: level.expects,
        ofFunction: FROM_FUNCTIONS.has(tokens[at - 1]?.value ?? ''),
      });
      level.expects = false;
    } else if (sign(token, ')')) levels.pop();
    else if (sign(token, ',')) level.expects = level.inFrom;
    else if (word(token, 'select', 'values', 'with')) Object.assign(level, { inFrom: false, expects: false });
    else if (word(token, 'from') && !level.ofFunction && !word(tokens[at - 1], 'distinct'))
      Object.assign(level, { inFrom: true, expects: true });
    else if (word(token, 'join')) level.expects = true;
    else if (word(token, 'where', 'group', 'order', 'limit', 'having', 'union', 'except', 'intersect', 'window'))
      Object.assign(level, { inFrom: false, expects: false });
    else if (level.expects && isName(token) && !word(token, 'only', 'lateral')) {
      level.expects = false;
      const reference = readReference(tokens, at);
      at = reference.to;
      const isFunction = sign(tokens[at + 1], '(');
      if (!isFunction && !(reference.name.length === 1 && expressions.has(reference.name[0] ?? '')))
        found.push(reference);
    }
  }
  return found;
}

function readReference(tokens: readonly Token[], from: number): TableReference {
  const name = [tokens[from]?.value ?? ''];
  let to = from;
  while (sign(tokens[to + 1], '.') && isName(tokens[to + 2])) {
    name.push(tokens[to + 2]?.value ?? '');
    to += 2;
  }
  const next = tokens[to + 1];
  const hasAlias = word(next, 'as')
    ? !word(tokens[to + 2], 'of')
    : isName(next) && !(next?.kind === 'word' && CLAUSE.has(next.value));
  return { name, from, to, hasAlias };
}

function commonTableExpressions(tokens: readonly Token[]): Set<string> {
  const names = new Set<string>();
  tokens.forEach((token, at) => {
    if (!isName(token) || !(word(tokens[at - 1], 'with', 'recursive') || sign(tokens[at - 1], ','))) return;
    let next = at + 1;
    if (sign(tokens[next], '(')) while (next < tokens.length && !sign(tokens[next - 1], ')')) next += 1;
    if (!word(tokens[next], 'as')) return;
    next += 1;
    while (word(tokens[next], 'not', 'materialized')) next += 1;
    if (sign(tokens[next], '(')) names.add(token.value);
  });
  return names;
}

/** Puts the past of each table in its place. `sourceOf` answers undefined for what has no past: system tables, views. */
export async function editTables(
  tokens: readonly Token[],
  edits: Edits,
  sourceOf: (name: readonly string[]) => Promise<string | undefined>,
): Promise<void> {
  for (const reference of findTables(tokens)) {
    const source = await sourceOf(reference.name);
    const [from, to] = [tokens[reference.from], tokens[reference.to]];
    if (source === undefined || !from || !to) continue;
    const alias = reference.hasAlias ? '' : ` AS "${(reference.name.at(-1) ?? '').replaceAll('"', '""')}"`;
    edits.replace(from, to, source + alias);
  }
}
