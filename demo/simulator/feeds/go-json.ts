/**
 * Reads a JSON text.
 * @throws Error with the words of Go's decoder, which CockroachDB passes on
 */
export function parseGoJson(text: string): unknown {
  const end = value(text, blank(text, 0));
  const rest = blank(text, end);
  if (rest < text.length) throw invalid(text, rest, 'after top-level value');
  return JSON.parse(text);
}

const LITERALS = ['true', 'false', 'null'];
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

function value(text: string, at: number): number {
  const first = text[at] ?? '';
  if (first === '{') return members(text, at, '}', 'object key:value pair', member);
  if (first === '[') return members(text, at, ']', 'array element', value);
  if (first === '"') return string(text, at);
  const literal = LITERALS.find((word) => word.startsWith(first) && first !== '');
  if (literal !== undefined) return literalEnd(text, at, literal);
  NUMBER.lastIndex = at;
  const number = NUMBER.exec(text)?.[0];
  if (number !== undefined) return at + number.length;
  if (first === '-') throw invalid(text, at + 1, 'in numeric literal');
  throw invalid(text, at, 'looking for beginning of value');
}

function members(
  text: string,
  open: number,
  close: string,
  what: string,
  read: (text: string, at: number) => number,
): number {
  let at = blank(text, open + 1);
  if (text[at] === close) return at + 1;
  for (;;) {
    at = blank(text, read(text, at));
    if (text[at] === close) return at + 1;
    if (text[at] !== ',') throw invalid(text, at, `after ${what}`);
    at = blank(text, at + 1);
  }
}

function member(text: string, at: number): number {
  if (text[at] !== '"') throw invalid(text, at, 'looking for beginning of object key string');
  const colon = blank(text, string(text, at));
  if (text[colon] !== ':') throw invalid(text, colon, 'after object key');
  return value(text, blank(text, colon + 1));
}

function string(text: string, open: number): number {
  for (let at = open + 1; ; at += 1) {
    if (text[at] === '"') return at + 1;
    if (text[at] === '\\') {
      at += 1;
      if (!/^["\\/bfnrtu]$/.test(text[at] ?? '')) throw invalid(text, at, 'in string escape code');
    } else if ((text[at] ?? '') < ' ') throw invalid(text, at, 'in string literal');
  }
}

function literalEnd(text: string, at: number, literal: string): number {
  for (const [offset, expected] of [...literal].entries()) {
    if (text[at + offset] !== expected)
      throw invalid(text, at + offset, `in literal ${literal} (expecting '${expected}')`);
  }
  return at + literal.length;
}

function blank(text: string, at: number): number {
  let next = at;
  while (/^[ \t\r\n]$/.test(text[next] ?? '')) next += 1;
  return next;
}

function invalid(text: string, at: number, where: string): Error {
  const found = text[at];
  if (found === undefined) return new Error('unexpected end of JSON input');
  return new Error(`invalid character '${found === "'" ? "\\'" : found}' ${where}`);
}
