/** A table by schema and name, spelled as its database spells it (case as stored). */
export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/**
 * `schema.table` as in the input and in messages. A part with a dot, a blank or a quote in it stands in double quotes (one inside is
 * doubled), so that two names never look alike. Not SQL: capitals and keywords need no quotes.
 */
export function formatTableName(name: TableName): string {
  return `${formatPart(name.schema)}.${formatPart(name.table)}`;
}

function formatPart(part: string): string {
  return PLAIN.test(part) ? part : `"${part.replaceAll('"', '""')}"`;
}

const PLAIN = /^[^.\s"']+$/;
const NAME = /^(?:"((?:[^"]|"")+)"|([^.\s"']+))\.(?:"((?:[^"]|"")+)"|([^.\s"']+))$/;

/** Reads what `formatTableName` writes; null where it is something else. */
export function parseTableName(text: string): TableName | null {
  const [, quotedSchema, schema, quotedTable, table] = NAME.exec(text) ?? [];
  const part = (quoted: string | undefined, plain: string | undefined): string =>
    quoted?.replaceAll('""', '"') ?? plain ?? '';
  const name = { schema: part(quotedSchema, schema), table: part(quotedTable, table) };
  return name.schema === '' || name.table === '' ? null : name;
}

/**
 * How the JSON text of a key column becomes its identity. A key is its value, not its text (invariant 4): a DECIMAL key is
 * `[1.500]` in the insert and `[1.5]` in the delete.
 * - `exact`: CockroachDB writes one value in one way (integers, strings, uuid, bytes, dates and times, booleans, ...).
 * - `decimal`: trailing zeros and the exponent are spelling.
 * - `float`: `-0` is `0`.
 * Types whose text cannot be made canonical (collated strings) are refused by preflight.
 */
export const KEY_CLASSES = ['exact', 'decimal', 'float'] as const;
export type KeyClass = (typeof KEY_CLASSES)[number];

export interface KeyColumn {
  readonly name: string;
  readonly keyClass: KeyClass;
}

/** One table of a stream, as prepare has found it. Plain data: crosses Temporal and is kept with the stage. */
export interface StreamTable {
  /** What the changefeed writes into `topic`. */
  readonly topic: string;
  readonly source: TableName;
  /** The source's descriptor id; a change of it halts the stream (protocol rule 9). */
  readonly sourceId: string;
  readonly target: TableName;
  /** Primary key columns in the source's key order. */
  readonly keyColumns: readonly KeyColumn[];
  /**
   * Number of the group that is applied by itself; absent: all tables are applied as one. It is no part of `planFingerprint`: what the stage
   * holds does not depend on it.
   */
  readonly group?: number;
}

/**
 * The tables of a stream, parents before the children that reference them. The position of a table in this list is its number in
 * the stage, so a stage belongs to one plan (see `planFingerprint`).
 */
export type StreamPlan = readonly StreamTable[];

/** Text that is equal for equal plans; a stage bound under another plan is not ours to read. */
export function planFingerprint(plan: StreamPlan): string {
  return JSON.stringify(
    plan.map((table) => [
      table.topic,
      table.sourceId,
      table.target.schema,
      table.target.table,
      table.keyColumns.map((column) => [column.name, column.keyClass]),
    ]),
  );
}
