import { createEdits } from './edits.js';
import type { Reader } from './reader.js';
import { quoteArray } from './reader.js';
import { type Rewritten, plainTag } from './rewritten.js';
import type { Token } from './tokens.js';
import { editCasts, editType } from './type-names.js';

const words = (tokens: readonly Token[], at: number, ...wanted: string[]) =>
  wanted.every((word, n) => tokens[at + n]?.kind === 'word' && tokens[at + n]?.value === word);

/** CREATE TABLE with CockroachDB's types, families and indexes; undefined for other statements and CREATE TABLE AS. */
export function rewriteCreateTable(sql: string, tokens: readonly Token[]): Rewritten | undefined {
  if (!words(tokens, 0, 'create', 'table')) return undefined;
  const open = tokens.findIndex((token) => token.kind === 'sign' && token.value === '(');
  if (open < 0 || tokens.slice(0, open).some((token) => token.kind === 'word' && token.value === 'as'))
    return undefined;
  const close = closing(tokens, open);
  const elements = splitByComma(tokens.slice(open + 1, close)).map((element) => tableElement(sql, element));
  const head = sql.slice(tokens[0]?.start, tokens[open]?.end);
  return { sql: `${head}${elements.filter((text) => text !== '').join(', ')})` };
}

function tableElement(sql: string, tokens: readonly Token[]): string {
  const isList = (at: number) => tokens[at]?.value === '(' || tokens[at + 1]?.value === '(';
  if (words(tokens, 0, 'family') && isList(1)) return '';
  if (words(tokens, 0, 'index') && isList(1)) return '';
  if (words(tokens, 0, 'inverted', 'index')) return '';
  if (words(tokens, 0, 'unique', 'index')) {
    const open = tokens.findIndex((token) => token.value === '(');
    return `UNIQUE ${columnList(sql, tokens.slice(open, closing(tokens, open) + 1))}`;
  }
  if (['constraint', 'primary', 'unique'].some((word) => words(tokens, 0, word))) return constraint(sql, tokens);
  if (words(tokens, 0, 'check') || words(tokens, 0, 'foreign')) return columnList(sql, tokens);
  return columnDefinition(sql, tokens, 0);
}

function constraint(sql: string, tokens: readonly Token[]): string {
  const isKey = tokens.some((_, at) => words(tokens, at, 'primary', 'key') || words(tokens, at, 'unique'));
  if (!isKey) return columnList(sql, tokens);
  const open = tokens.findIndex((token) => token.value === '(');
  return columnList(sql, tokens.slice(0, closing(tokens, open) + 1));
}

/** Keys in PostgreSQL have no direction. */
function columnList(sql: string, tokens: readonly Token[]): string {
  const edits = createEdits(sql);
  editCasts(tokens, edits);
  for (const token of tokens)
    if (token.kind === 'word' && /^(asc|desc)$/.test(token.value)) edits.replace(token, token, '');
  return edits.apply(tokens);
}

/** A column: its name at `at`, then its type and the rest. */
function columnDefinition(sql: string, tokens: readonly Token[], at: number): string {
  const edits = createEdits(sql);
  editCasts(tokens, edits);
  editType(tokens, at + 1, edits);
  tokens.forEach((token, n) => {
    const last = (offset: number) => tokens[n + offset] ?? token;
    if (words(tokens, n, 'as') && last(1).value === '(') edits.replace(token, token, 'GENERATED ALWAYS AS');
    if (words(tokens, n, 'not', 'visible')) edits.replace(token, last(1), '');
    if (words(tokens, n, 'using', 'hash')) edits.replace(token, last(1), '');
    if (words(tokens, n, 'create', 'if', 'not', 'exists', 'family')) edits.replace(token, last(5), '');
    else if (words(tokens, n, 'create', 'family')) edits.replace(token, last(2), '');
    else if (n > at + 1 && words(tokens, n, 'family')) edits.replace(token, last(1), '');
  });
  return edits.apply(tokens);
}

/** ALTER TABLE: types of added and changed columns, ALTER PRIMARY KEY, storage parameters. */
export function rewriteAlterTable(sql: string, tokens: readonly Token[], r: Reader): Rewritten | undefined {
  if (!r.accept('alter', 'table')) return undefined;
  const ifExists = r.accept('if', 'exists');
  const names = r.name();
  const start = r.position;
  if (r.accept('alter', 'primary', 'key', 'using', 'columns')) {
    r.expectSign('(');
    const columns = r.list(() => {
      const column = r.identifier();
      if (!r.accept('asc')) r.accept('desc');
      return column;
    });
    return {
      sql: `CALL crdb_sim.alter_primary_key(${quoteArray(names)}, ${quoteArray(columns)})`,
      mendTag: plainTag('ALTER TABLE'),
    };
  }
  if (r.accept('set') && r.isSign('(') && r.isWord('schema_locked', 1)) {
    const table = names.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
    return { sql: `ALTER TABLE ${ifExists ? 'IF EXISTS ' : ''}${table} RESET (fillfactor)` };
  }
  const commands = splitByComma(tokens.slice(start)).map((command) => alterCommand(sql, command));
  return { sql: `${sql.slice(tokens[0]?.start, tokens[start - 1]?.end)} ${commands.join(', ')}` };
}

function alterCommand(sql: string, tokens: readonly Token[]): string {
  if (
    words(tokens, 0, 'add') &&
    ['constraint', 'primary', 'unique', 'check', 'foreign'].some((word) => words(tokens, 1, word))
  ) {
    return columnList(sql, tokens);
  }
  if (words(tokens, 0, 'add')) {
    let name = words(tokens, 1, 'column') ? 2 : 1;
    if (words(tokens, name, 'if', 'not', 'exists')) name += 3;
    return columnDefinition(sql, tokens, name);
  }
  const edits = createEdits(sql);
  editCasts(tokens, edits);
  const type = tokens.findIndex((token) => token.kind === 'word' && token.value === 'type');
  if (words(tokens, 0, 'alter') && type > 0) editType(tokens, type + 1, edits);
  return edits.apply(tokens);
}

/** `CREATE INDEX ... STORING (...)` and `DROP INDEX t@i`. */
export function rewriteIndex(sql: string, tokens: readonly Token[]): Rewritten | undefined {
  const creates = words(tokens, 0, 'create', 'index') || words(tokens, 0, 'create', 'unique', 'index');
  const drops = words(tokens, 0, 'drop', 'index');
  if (!creates && !drops) return undefined;
  const edits = createEdits(sql);
  editCasts(tokens, edits);
  tokens.forEach((token, at) => {
    if (creates && token.kind === 'word' && token.value === 'storing') edits.replace(token, token, 'INCLUDE');
    const before = tokens[at - 1];
    if (drops && token.value === '@' && before) edits.replace(before, token, '');
  });
  return { sql: edits.apply(tokens) };
}

function splitByComma(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'sign' && token.value === '(') depth += 1;
    if (token.kind === 'sign' && token.value === ')') depth -= 1;
    if (depth === 0 && token.kind === 'sign' && token.value === ',') parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts.filter((part) => part.length > 0);
}

/** The index of the bracket that closes the one at `open`. */
function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at += 1) {
    if (tokens[at]?.kind !== 'sign') continue;
    if (tokens[at]?.value === '(') depth += 1;
    if (tokens[at]?.value === ')') depth -= 1;
    if (depth === 0) return at;
  }
  return tokens.length;
}
