import { hlcOf, HLC_BYTES, writeHlc, type Hlc } from '../src/domain/hlc.js';
import type { IncomingMutation } from '../src/domain/mutation.js';
import type { StreamPlan } from '../src/domain/table.js';

/** What the rows of a case are like. */
export interface RowShape {
  readonly rows: number;
  /** Bytes of a row's JSON, about. */
  readonly bytes: number;
  readonly tables: number;
  /** `uniform`: each key comes twice; `hot`: nine rows of ten fall on one key of a hundred. */
  readonly keys: 'uniform' | 'hot';
}

const COLUMNS = ['amount', 'at', 'flag', 'id', 'n', 'name', 'note', 'price'] as const;
export const COLUMN_NAMES: readonly string[] = COLUMNS;
export const COLUMN_TYPES =
  'amount numeric(12,2), at timestamptz, flag bool, id int8, n int4, name text, note text, price float8';
/** Bytes of a row without its note. */
const OTHER_BYTES = 160;
const START = 1_759_246_920_000_000_000n;

export const CURSOR: Hlc = hlcOf(START);

/** The timestamp of the n-th row, from 0. */
export function timeOf(n: number): Hlc {
  return hlcOf(START + BigInt(n + 1));
}

/** One row as text, column by column, in the order of `COLUMN_NAMES`. */
export function valuesOf(n: number, shape: RowShape): readonly string[] {
  const note = 'some words '.repeat(Math.max(0, Math.ceil((shape.bytes - OTHER_BYTES) / 11)));
  const at = `2024-02-29T12:34:56.${String(n % 1_000_000).padStart(6, '0')}Z`;
  return [
    `${(n % 100_000) / 100}`,
    at,
    String(n % 2 === 0),
    String(keyOf(n, shape)),
    String(n % 1000),
    `customer number ${n}`,
    note,
    `${n / 8}`,
  ];
}

/** The row as the changefeed writes it. */
export function documentOf(values: readonly string[]): string {
  const quoted = new Set(['at', 'name', 'note']);
  return `{${COLUMNS.map((name, i) => `"${name}": ${quoted.has(name) ? `"${values[i]}"` : values[i]}`).join(', ')}}`;
}

export function tableOf(n: number, shape: RowShape): number {
  return n % shape.tables;
}

export function keyOf(n: number, { rows, keys }: RowShape): number {
  const all = Math.max(1, Math.floor(rows / 2));
  const spread = (n * 7919) % all;
  return keys === 'uniform' || n % 10 === 0 ? spread : spread % Math.max(1, Math.floor(all / 100));
}

/** The stream's changes in time order. */
export function mutationsOf(shape: RowShape): IncomingMutation[] {
  return Array.from({ length: shape.rows }, (_, n) => {
    const at = new Uint8Array(HLC_BYTES);
    writeHlc(at, 0, timeOf(n));
    return {
      at,
      table: tableOf(n, shape),
      key: Buffer.from(`[${keyOf(n, shape)}]`),
      after: Buffer.from(documentOf(valuesOf(n, shape))),
      columns: COLUMNS,
    };
  });
}

export function tableName(table: number): string {
  return `t${table}`;
}

/** The tables' schema; on MySQL a database. */
export const SCHEMA_NAME = 'public';

export function planOf({ tables }: RowShape): StreamPlan {
  return Array.from({ length: tables }, (_, table) => {
    const name = { schema: SCHEMA_NAME, table: tableName(table) };
    return {
      topic: name.table,
      source: name,
      sourceId: String(100 + table),
      target: name,
      keyColumns: [{ name: 'id', keyClass: 'exact' as const }],
    };
  });
}
