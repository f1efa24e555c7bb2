import { createEdits } from './edits.js';
import { createReader, quoteIdentifier } from './reader.js';
import { type Rewritten } from './rewritten.js';
import type { Token } from './tokens.js';
import { editCasts } from './type-names.js';

/** The primary key of a table and its writable columns. */
export interface TableShape {
  readonly keyColumns: readonly string[];
  readonly allColumns: readonly string[];
}

/** `UPSERT INTO t [(columns)] ... [RETURNING ...]`: INSERT that overwrites the given columns of the row with its key. */
export async function rewriteUpsert(
  sql: string,
  tokens: readonly Token[],
  shapeOf: (name: readonly string[]) => Promise<TableShape | undefined>,
): Promise<Rewritten | undefined> {
  const r = createReader(sql, tokens);
  if (!r.accept('upsert', 'into')) return undefined;
  const name = r.name();
  const afterName = r.position;
  let given: string[] | undefined;
  if (r.isSign('(')) {
    r.next();
    given = r.list(() => r.identifier());
  }
  r.back(afterName);
  const shape = await shapeOf(name);
  const first = tokens[0];
  if (!shape || !first) return { sql: sql.replace(/upsert/i, 'INSERT') };
  const written = given ?? shape.allColumns;
  const set = written
    .filter((column) => !shape.keyColumns.includes(column))
    .map((column) => `${quoteIdentifier(column)} = excluded.${quoteIdentifier(column)}`);
  const conflict = ` ON CONFLICT (${shape.keyColumns.map(quoteIdentifier).join(', ')}) DO ${set.length > 0 ? `UPDATE SET ${set.join(', ')}` : 'NOTHING'}`;
  const edits = createEdits(sql);
  editCasts(tokens, edits);
  edits.replace(first, first, 'INSERT');
  const returning = tokens.findIndex((token) => token.kind === 'word' && token.value === 'returning');
  const before = returning > 0 ? tokens[returning - 1] : tokens.at(-1);
  if (before) edits.insertAfter(before, conflict);
  return { sql: edits.apply(tokens) };
}
