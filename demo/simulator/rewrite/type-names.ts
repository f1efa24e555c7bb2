import type { Edits } from './edits.js';
import type { Token } from './tokens.js';

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  bytes: 'bytea',
  blob: 'bytea',
  int: 'int8',
  integer: 'int8',
  int64: 'int8',
  json: 'jsonb',
  float: 'float8',
  serial: 'int8 NOT NULL DEFAULT unique_rowid()',
  serial2: 'int8 NOT NULL DEFAULT unique_rowid()',
  serial4: 'int8 NOT NULL DEFAULT unique_rowid()',
  serial8: 'int8 NOT NULL DEFAULT unique_rowid()',
  smallserial: 'int8 NOT NULL DEFAULT unique_rowid()',
  bigserial: 'int8 NOT NULL DEFAULT unique_rowid()',
};

/** Gives the type that starts at `tokens[at]` CockroachDB's meaning: INT is 8 bytes, STRING(n) is varchar(n). */
export function editType(tokens: readonly Token[], at: number, edits: Edits): void {
  const token = tokens[at];
  if (token?.kind !== 'word') return;
  const mapped = TYPES[token.value];
  if (mapped === undefined) return;
  const sized = token.value === 'string' && tokens[at + 1]?.value === '(';
  edits.replace(token, token, sized ? 'varchar' : mapped);
}

/** Gives every cast of a statement CockroachDB's types, and `:::` (an annotation) the meaning of a cast. */
export function editCasts(tokens: readonly Token[], edits: Edits): void {
  const castDepths: number[] = [];
  let depth = 0;
  tokens.forEach((token, at) => {
    if (token.kind === 'sign') {
      if (token.value === '(') depth += 1;
      if (token.value === ')') {
        if (castDepths.at(-1) === depth) castDepths.pop();
        depth -= 1;
      }
      if (token.value === ':::') edits.replace(token, token, '::');
      if (token.value === '::' || token.value === ':::') editType(tokens, at + 1, edits);
    }
    if (token.kind !== 'word') return;
    if (token.value === 'cast' && tokens[at + 1]?.value === '(') castDepths.push(depth + 1);
    if (token.value === 'as' && castDepths.at(-1) === depth) editType(tokens, at + 1, edits);
  });
}
