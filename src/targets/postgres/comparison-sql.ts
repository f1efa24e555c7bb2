import { escapeIdentifier } from 'pg';
import type { ComparedColumn, ComparedTable } from '../snapshot.js';
import { parseTargetType } from './column-fit.js';
import { quoteTable } from './names.js';

/**
 * Types whose own equality says that nothing was lost. Others (floats with -0, intervals with `1 mon` and `30 days`, timetz, ranges,
 * ...) are compared as the target spells them.
 */
const EQUAL_MEANS_SAME: ReadonlySet<string> = new Set([
  'smallint',
  'integer',
  'bigint',
  'numeric',
  'boolean',
  'uuid',
  'oid',
  'bytea',
  'date',
  'timestamp without time zone',
  'timestamp with time zone',
  'time without time zone',
  'jsonb',
]);

const TEXTS: ReadonlySet<string> = new Set(['text', 'character varying', 'citext', 'name']);
const TIMESTAMPS: ReadonlySet<string> = new Set(['timestamp without time zone', 'timestamp with time zone']);

/** The first and the last timestamp of CockroachDB before it knew infinity, as it writes them. */
const BEFORE_ALL = `'^(-4713-11-24 00:00:00|4714-11-24 00:00:00.* BC$)'`;
const AFTER_ALL = `'^294276-12-31 23:59:59\\.999999'`;

/**
 * The rows of a page that the target does not have, or has otherwise: `row` (from 1), `missing`, `columns` (from 1).
 * $1 ... $n = one text[] for each compared column
 *
 * Values are read without the limits of the column's type: an explicit cast to varchar(3) would cut silently.
 */
export function compareSql(table: ComparedTable): string {
  const sent = table.columns.map((_, index) => `$${index + 1}::text[]`).join(', ');
  const names = table.columns.map((_, index) => `c${index + 1}`).join(', ');
  const keys = table.columns.slice(0, table.keyCount);
  const match = keys.map(
    (column, index) => `t.${escapeIdentifier(column.target)} = ${readKey(column, `s.c${index + 1}`)}`,
  );
  const unequal = table.columns.map((column, index) => unequalSql(column, `s.c${index + 1}`));
  const positions = unequal.map((condition, index) => `CASE WHEN ${condition} THEN ${index + 1} END`);
  const absent = `t.${escapeIdentifier(keys[0]?.target ?? '')} IS NULL`;
  return `
    SELECT s.row::int AS row, ${absent} AS missing, array_remove(ARRAY[${positions.join(', ')}]::int[], NULL) AS columns
    FROM unnest(${sent}) WITH ORDINALITY AS s(${names}, row)
    LEFT JOIN ${quoteTable(table.target)} t ON ${match.join(' AND ')}
    WHERE ${absent} OR ${unequal.join(' OR ')}`;
}

/** Keys in order as text. With `after`: $1 ... $k = the key to go on from, last parameter = limit */
export function keysSql(table: ComparedTable, after: boolean): string {
  const keys = table.columns.slice(0, table.keyCount);
  const names = keys.map((column) => `t.${escapeIdentifier(column.target)}`);
  const shown = keys.map((column, index) => `t.${escapeIdentifier(column.target)}::text AS k${index + 1}`);
  const from = keys.map((column, index) => readKey(column, `$${index + 1}::text`));
  const where = after ? `WHERE (${names.join(', ')}) > (${from.join(', ')})` : '';
  return `SELECT ${shown.join(', ')} FROM ${quoteTable(table.target)} t ${where} ORDER BY ${names.join(', ')} LIMIT $${after ? keys.length + 1 : 1}`;
}

/** So that the index of the primary key is used, keys are compared as the column's type compares. */
function readKey(column: ComparedColumn, value: string): string {
  const { base, array } = parseTargetType(column.targetType);
  if (!array && TEXTS.has(base)) return value;
  return `${readable(base, array, value)}::${unlimited(base, array)}`;
}

function unequalSql(column: ComparedColumn, value: string): string {
  const own = `t.${escapeIdentifier(column.target)}`;
  const { base, array } = parseTargetType(column.targetType);
  const type = unlimited(base, array);
  if (column.isEnum)
    return array ? `${value}::text[] IS DISTINCT FROM ${own}::text[]` : distinctTexts(value, `${own}::text`);
  if (base === 'json')
    return array ? distinctTexts(value, `${own}::text`) : `${value}::jsonb IS DISTINCT FROM ${own}::jsonb`;
  if (!array && TEXTS.has(base)) return distinctTexts(value, `${own}::text`);
  // The spaces at its end are the type's, not the value's.
  if (!array && base === 'character') return distinctTexts(`rtrim(${value}, ' ')`, `${own}::text`);
  const read = `${readable(base, array, value)}::${type}`;
  if (EQUAL_MEANS_SAME.has(base)) return `${read} IS DISTINCT FROM ${own}`;
  return distinctTexts(`(${read})::text`, `${own}::${type}::text`);
}

function distinctTexts(a: string, b: string): string {
  return `${a} COLLATE "C" IS DISTINCT FROM ${b} COLLATE "C"`;
}

function readable(base: string, array: boolean, value: string): string {
  if (array || !TIMESTAMPS.has(base)) return value;
  return `CASE WHEN ${value} ~ ${AFTER_ALL} THEN 'infinity' WHEN ${value} ~ ${BEFORE_ALL} THEN '-infinity' ELSE ${value} END`;
}

/** `character` and `bit` without a length mean one of them: their varying kinds hold any. */
function unlimited(base: string, array: boolean): string {
  const wide = base === 'character' ? 'bpchar' : base === 'bit' ? 'bit varying' : base;
  return `${wide}${array ? '[]' : ''}`;
}
