import type { TableName } from '../domain/table.js';

/** A name as an SQL identifier that means exactly this name. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * A text as an SQL string literal. CockroachDB takes a backslash in a plain literal as itself, as the standard does.
 */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** `"schema"."table"`, resolved in the connection's database. */
export function quoteTable(name: TableName): string {
  return `${quoteIdentifier(name.schema)}.${quoteIdentifier(name.table)}`;
}

/** The elements of an array as CockroachDB prints it, e.g. `{d.public.a,"d.public.\"b c\""}`. NULL elements do not occur in names. */
export function parseNameArray(text: string): readonly string[] {
  return [...text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/g)].map((match) =>
    match[1] === undefined ? (match[2] ?? '') : match[1].replace(/\\(.)/g, '$1'),
  );
}
