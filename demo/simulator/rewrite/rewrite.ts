import { editTables, findAsOf } from './as-of.js';
import { rewriteChangefeed } from './changefeed.js';
import { rewriteAlterTable, rewriteCreateTable, rewriteIndex } from './ddl.js';
import { createEdits } from './edits.js';
import { rewriteGrant, rewriteRole } from './grants.js';
import { rewriteJobControl } from './jobs.js';
import { editNames } from './names.js';
import { createReader, type Reader, StatementSyntaxError } from './reader.js';
import { type Rewritten, countedTag, raising } from './rewritten.js';
import { rewriteSetting, rewriteZone } from './settings.js';
import { expandShowSources, rewriteShow } from './show.js';
import { splitStatements, type Token } from './tokens.js';
import { editCasts } from './type-names.js';
import { rewriteUpsert, type TableShape } from './upsert.js';

/** What rewriting has to ask the database. */
export interface Catalogue {
  /** Nanoseconds of `AS OF SYSTEM TIME spec`, every earlier commit being visible from now on. Rejects with CockroachDB's error. */
  resolveAsOf(spec: string): Promise<string>;
  /** A subquery with a table's rows as of then; undefined for what has no past. */
  sourceAsOf(nanos: string, name: readonly string[]): Promise<string | undefined>;
  shapeOf(name: readonly string[]): Promise<TableShape | undefined>;
}

/** What lasts from one statement of a session to the next. */
export interface SessionState {
  /** Nanoseconds of the transaction's AS OF SYSTEM TIME. */
  asOf: string | undefined;
}

/** CockroachDB's statements as PostgreSQL's, one for one. */
export async function rewrite(sql: string, state: SessionState, catalogue: Catalogue): Promise<Rewritten[]> {
  const rewritten: Rewritten[] = [];
  const expanded = expandShowSources(sql);
  for (const tokens of splitStatements(expanded)) {
    try {
      rewritten.push(await rewriteStatement(expanded, tokens, state, catalogue));
    } catch (error) {
      rewritten.push(asRaised(error));
    }
  }
  return rewritten;
}

function asRaised(error: unknown): Rewritten {
  if (error instanceof StatementSyntaxError) return raising('42601', error.message, error.detail);
  const { code, message } = error as { code?: unknown; message: string };
  return raising(typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : 'XX000', message);
}

/** Statements that begin with none of these words are queries and changes of rows. */
const OWN = new Set(
  'show create experimental pause resume cancel set reset alter grant revoke drop upsert begin start commit rollback end abort'.split(
    ' ',
  ),
);

async function rewriteStatement(
  sql: string,
  tokens: readonly Token[],
  state: SessionState,
  catalogue: Catalogue,
): Promise<Rewritten> {
  const first = tokens[0];
  const own =
    first?.kind === 'word' && OWN.has(first.value) ? await rewriteOwn(sql, tokens, state, catalogue) : undefined;
  return own ?? { sql: await rewriteQuery(sql, tokens, state, catalogue) };
}

async function rewriteOwn(
  sql: string,
  tokens: readonly Token[],
  state: SessionState,
  catalogue: Catalogue,
): Promise<Rewritten | undefined> {
  const r = createReader(sql, tokens);
  const attempt = (form: (reader: Reader) => Rewritten | undefined) => {
    r.back(0);
    return form(r);
  };
  return (
    attempt(rewriteShowStatement) ??
    attempt(rewriteChangefeed) ??
    attempt(rewriteJobControl) ??
    attempt(rewriteSetting) ??
    attempt(rewriteZone) ??
    attempt(rewriteGrant) ??
    attempt(rewriteRole) ??
    rewriteCreateTable(sql, tokens) ??
    attempt((reader) => rewriteAlterTable(sql, tokens, reader)) ??
    rewriteIndex(sql, tokens) ??
    (await rewriteUpsert(sql, tokens, (name) => catalogue.shapeOf(name))) ??
    (await rewriteTransaction(sql, tokens, state, catalogue))
  );
}

function rewriteShowStatement(r: Reader): Rewritten | undefined {
  const shown = r.accept('show') ? rewriteShow(r) : undefined;
  return shown && { sql: shown.select, mendTag: countedTag(shown.tag) };
}

/** BEGIN and SET TRANSACTION with AS OF SYSTEM TIME; the past ends with the transaction. */
async function rewriteTransaction(
  sql: string,
  tokens: readonly Token[],
  state: SessionState,
  catalogue: Catalogue,
): Promise<Rewritten | undefined> {
  const r = createReader(sql, tokens);
  if (r.accept('commit') || r.accept('rollback') || r.accept('end') || r.accept('abort')) {
    if (!r.accept('to')) state.asOf = undefined;
    return undefined;
  }
  const begins = r.accept('begin') || r.accept('start');
  if (!begins && !r.accept('set', 'transaction')) return undefined;
  const found = findAsOf(tokens);
  if (!found) return undefined;
  state.asOf = await catalogue.resolveAsOf(readSpec(found.spec));
  return {
    sql: begins
      ? 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'
      : 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY',
  };
}

function readSpec(spec: string | undefined): string {
  if (spec !== undefined) return spec;
  throw Object.assign(
    new Error(
      'AS OF SYSTEM TIME: only constant expressions, with_min_timestamp, with_max_staleness, or follower_read_timestamp are allowed',
    ),
    { code: 'XXUUU' },
  );
}

async function rewriteQuery(
  sql: string,
  tokens: readonly Token[],
  state: SessionState,
  catalogue: Catalogue,
): Promise<string> {
  const edits = createEdits(sql);
  const found = findAsOf(tokens);
  const [first, last] = [tokens[found?.from ?? -1], tokens[found?.to ?? -1]];
  if (found && first && last) edits.replace(first, last, '');
  const asOf = found ? await catalogue.resolveAsOf(readSpec(found.spec)) : state.asOf;
  if (asOf !== undefined) await editTables(tokens, edits, (name) => catalogue.sourceAsOf(asOf, name));
  editCasts(tokens, edits);
  editNames(tokens, edits, asOf);
  return edits.apply(tokens);
}
