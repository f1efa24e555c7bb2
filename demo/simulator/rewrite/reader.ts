import type { Token } from './tokens.js';

/** Thrown where a statement of CockroachDB's own cannot be read; becomes a syntax error (42601) for the client. */
export class StatementSyntaxError extends Error {
  /** The source with a mark under the place, as CockroachDB shows it. */
  readonly detail: string;
  constructor(near: string, source: string, at: number) {
    super(`at or near "${near}": syntax error`);
    this.name = 'StatementSyntaxError';
    const shown = source.slice(0, source.includes('\n', at) ? source.indexOf('\n', at) : source.length);
    this.detail = `source SQL:\n${shown}\n${' '.repeat(at - (source.lastIndexOf('\n', at - 1) + 1))}^`;
  }
}

/** A value as it stands in a statement. */
export interface Given {
  /** A SQL expression of text. */
  readonly sql: string;
  /** The number of its parameter; 0 for a literal. */
  readonly parameter: number;
  /** What it is once the parameters are known. */
  readonly value: (parameters: Parameters) => string | null;
}

/** What a client gives for $1, $2 and so on. */
export type Parameters = readonly (string | null)[];

export type Reader = ReturnType<typeof createReader>;

/** Walks over the tokens of one statement. */
export function createReader(sql: string, tokens: readonly Token[]) {
  let at = 0;
  const peek = (ahead = 0): Token | undefined => tokens[at + ahead];
  const isWord = (word: string, ahead = 0) => peek(ahead)?.kind === 'word' && peek(ahead)?.value === word;
  const isSign = (sign: string, ahead = 0) => peek(ahead)?.kind === 'sign' && peek(ahead)?.value === sign;
  const fail = (): never => {
    const token = peek();
    const first = tokens[0]?.start ?? 0;
    const end = tokens.at(-1)?.end ?? sql.length;
    throw new StatementSyntaxError(token?.value ?? 'EOF', sql.slice(first, end), (token?.start ?? end) - first);
  };
  const reader = {
    sql,
    peek,
    isSign,
    isWord,
    fail,
    get position() {
      return at;
    },
    get done() {
      return at >= tokens.length;
    },
    next(): Token {
      return tokens[at++] ?? fail();
    },
    back(position: number) {
      at = position;
    },
    /** Passes over the words if all of them come next. */
    accept(...words: string[]): boolean {
      if (!words.every((word, n) => isWord(word, n))) return false;
      at += words.length;
      return true;
    },
    acceptSign(sign: string): boolean {
      if (!isSign(sign)) return false;
      at += 1;
      return true;
    },
    expect(...words: string[]): void {
      if (!reader.accept(...words)) fail();
    },
    expectSign(sign: string): void {
      if (!reader.acceptSign(sign)) fail();
    },
    identifier(): string {
      const token = peek();
      if (token?.kind !== 'word' && token?.kind !== 'quoted') return fail();
      at += 1;
      return token.value;
    },
    /** A name of one or more parts. */
    name(): string[] {
      const parts = [reader.identifier()];
      while (reader.acceptSign('.')) parts.push(reader.identifier());
      return parts;
    },
    list<T>(item: () => T): T[] {
      const items = [item()];
      while (reader.acceptSign(',')) items.push(item());
      return items;
    },
    /** The source text from a token position to where the reader is. */
    textSince(position: number): string {
      const first = tokens[position];
      const last = tokens[at - 1];
      return first && last && at > position ? sql.slice(first.start, last.end) : '';
    },
    /** The source text of everything left. */
    rest(): string {
      const start = at;
      at = tokens.length;
      return reader.textSince(start);
    },
    /** Passes over a balanced `( ... )` and returns the text inside. */
    parenthesised(): string {
      reader.expectSign('(');
      const start = at;
      for (let depth = 1; depth > 0; at += 1) {
        if (at >= tokens.length) fail();
        if (isSign('(')) depth += 1;
        if (isSign(')')) depth -= 1;
      }
      const first = tokens[start];
      const last = tokens[at - 1];
      return first && last ? sql.slice(first.start, last.start) : '';
    },
    /** One value: a literal, a number with its sign, a word, or a parameter. */
    given(): Given {
      const negative = reader.acceptSign('-');
      const token = reader.next();
      if (token.kind === 'sign') return fail();
      if (token.kind === 'param') {
        const parameter = Number(token.value.slice(1));
        return { sql: `${token.value}::text`, parameter, value: (parameters) => parameters[parameter - 1] ?? null };
      }
      const text = (negative ? '-' : '') + token.value;
      return { sql: quote(text), parameter: 0, value: () => text };
    },
    /** `given` as a SQL expression of text. */
    value(): string {
      return reader.given().sql;
    },
  };
  return reader;
}

/** A SQL literal. */
export function quote(text: string): string {
  return `${text.includes('\\') ? ' E' : ''}'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
}

/** A SQL array of text. */
export function quoteArray(items: readonly string[]): string {
  return `ARRAY[${items.map(quote).join(', ')}]::text[]`;
}

/** Names as the JSON that the functions of `crdb_sim` take. */
export function quoteNames(names: readonly (readonly string[])[]): string {
  return `${quote(JSON.stringify(names))}::jsonb`;
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
