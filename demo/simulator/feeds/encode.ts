import { hlcText, type Hlc } from './hlc.js';
import { jsonString, PUNCTUATION, type JsonStyle } from './json-text.js';
import { valueEncoder, type ValueEncoder } from './value.js';

export interface Column {
  readonly name: string;
  /** As PostgreSQL's `format_type()` names it. */
  readonly type: string;
  /** Virtual columns have a place in the logged row and are sent when asked, without a value. */
  readonly virtual?: boolean;
}

/** How one version of a table looks: columns in the order of the logged values, key columns in key order. */
export interface RowShape {
  readonly columns: readonly Column[];
  readonly keyColumns: readonly Column[];
}

/** `row` and `key_only` are for changefeeds without a sink. */
export type EnvelopeKind = 'wrapped' | 'row' | 'key_only';

export interface EnvelopeOptions {
  readonly kind: EnvelopeKind;
  readonly style: JsonStyle;
  readonly virtualColumns: 'omitted' | 'null';
  readonly updated: boolean;
  readonly diff: boolean;
  readonly mvccTimestamp: boolean;
  readonly keyInValue: boolean;
  readonly topicInValue: boolean;
}

/** Values as PostgreSQL's texts, in the order of the shape's columns. */
export type RowText = readonly (string | null)[];

export interface Change {
  readonly key: RowText;
  readonly after: RowText | null;
  readonly before: RowText | null;
  readonly updated: Hlc;
  /** When the row was written; differs from `updated` in a scan or a backfill. */
  readonly mvcc: Hlc;
}

export interface Encoded {
  readonly key: string;
  readonly value: string;
}

export type RowEncoder = (change: Change) => Encoded;

/** `beforeShape` differs from `shape` when a schema change re-emits a table: its old rows have the old columns. */
export function createRowEncoder(
  shape: RowShape,
  topic: string,
  options: EnvelopeOptions,
  beforeShape = shape,
): RowEncoder {
  const { style } = options;
  const { comma, colon } = PUNCTUATION[style];
  const row = objectEncoder(shape.columns, options);
  const before = objectEncoder(beforeShape.columns, options);
  const liveKey = arrayEncoder(
    shape.keyColumns.map((column) => valueEncoder(column.type, style)),
    comma,
  );
  const deletedKey = arrayEncoder(
    shape.keyColumns.map((column) => valueEncoder(column.type, style, 'deletedKey')),
    comma,
  );
  const topicField = options.topicInValue ? `${comma}"topic"${colon}${jsonString(topic, style)}` : '';

  // Fields stand in alphabetical order, as CockroachDB writes them.
  return (change) => {
    const key = change.after === null ? deletedKey(change.key) : liveKey(change.key);
    if (options.kind !== 'wrapped') return { key, value: options.kind === 'key_only' ? '' : bare(change) };
    let value = `{"after"${colon}${change.after === null ? 'null' : row(change.after)}`;
    if (options.diff) value += `${comma}"before"${colon}${change.before === null ? 'null' : before(change.before)}`;
    if (options.keyInValue) value += `${comma}"key"${colon}${key}`;
    if (options.mvccTimestamp) value += `${comma}"mvcc_timestamp"${colon}"${hlcText(change.mvcc)}"`;
    value += topicField;
    if (options.updated) value += `${comma}"updated"${colon}"${hlcText(change.updated)}"`;
    return { key, value: `${value}}` };
  };

  /** The row itself with its timestamp under a name of CockroachDB's; nothing for a deleted one. */
  function bare({ after, updated }: Change): string {
    if (after === null) return '';
    const meta = `"__crdb__"${colon}{"updated"${colon}"${hlcText(updated)}"}`;
    return options.updated ? `{${meta}${comma}${row(after).slice(1)}` : row(after);
  }
}

/** The body of a resolved message, the same with and without a sink. */
export function resolvedMessage(resolved: Hlc, kind: EnvelopeKind = 'wrapped'): string {
  const message = `{"resolved":"${hlcText(resolved)}"}`;
  return kind === 'wrapped' ? message : `{"__crdb__":${message}}`;
}

/** The body of a webhook request with rows. */
export function batchBody(rows: readonly string[]): string {
  return `{"payload":[${rows.join(',')}],"length":${rows.length}}`;
}

function objectEncoder(
  columns: readonly Column[],
  { style, virtualColumns }: EnvelopeOptions,
): (row: RowText) => string {
  const { comma, colon } = PUNCTUATION[style];
  const fields = columns
    .map((column, index) => ({ ...column, index, encode: valueEncoder(column.type, style) }))
    .filter((column) => column.virtual !== true || virtualColumns === 'null')
    .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
    .map((field, position) => ({
      ...field,
      prefix: `${position === 0 ? '' : comma}${jsonString(field.name, style)}${colon}`,
    }));
  return (row) => {
    let text = '{';
    for (const field of fields) {
      const value = row[field.index];
      text += field.prefix + (value === null || value === undefined ? 'null' : field.encode(value));
    }
    return `${text}}`;
  };
}

function arrayEncoder(encoders: readonly ValueEncoder[], comma: string): (row: RowText) => string {
  return (row) => {
    let text = '[';
    for (const [index, encode] of encoders.entries()) {
      const value = row[index];
      text += (index === 0 ? '' : comma) + (value === null || value === undefined ? 'null' : encode(value));
    }
    return `${text}]`;
  };
}
