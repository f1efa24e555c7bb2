import type { Token } from './tokens.js';

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Collects replacements in a source text and applies them at once. */
export function createEdits(sql: string) {
  const edits: Edit[] = [];
  return {
    replace(from: Token, to: Token, text: string): void {
      edits.push({ start: from.start, end: to.end, text });
    },
    insertAfter(token: Token, text: string): void {
      edits.push({ start: token.end, end: token.end, text });
    },
    /** The text of the tokens with the edits made. */
    apply(tokens: readonly Token[]): string {
      const first = tokens[0];
      const last = tokens.at(-1);
      if (!first || !last) return '';
      let at = first.start;
      let out = '';
      for (const edit of [...edits].sort((a, b) => a.start - b.start || a.end - b.end)) {
        if (edit.start < at || edit.end > last.end) continue;
        out += sql.slice(at, edit.start) + edit.text;
        at = edit.end;
      }
      return out + sql.slice(at, last.end);
    },
  };
}

export type Edits = ReturnType<typeof createEdits>;
