import type { Hlc } from '../domain/hlc.js';
import type { TableName } from '../domain/table.js';

/** One column as each side names it. */
export interface ComparedColumn {
  readonly source: string;
  readonly target: string;
  /** The target's type in the target's own words, under any domain. */
  readonly targetType: string;
  /** The type is an enum, or an array of one. */
  readonly isEnum: boolean;
  /** CockroachDB's type text, where the dialect has to know how a value is spelled. */
  readonly sourceType?: string;
}

/** What is compared of one table. */
export interface ComparedTable {
  readonly source: TableName;
  readonly target: TableName;
  /** The first `keyCount` of them are the primary key, in the source's key order. */
  readonly columns: readonly ComparedColumn[];
  readonly keyCount: number;
  /** Columns that the source sends and the target lacks. */
  readonly notCompared: readonly string[];
}

/** One row, or one key, as the database writes it in text; never a JavaScript number (invariant 7). */
export type TextRow = readonly (string | null)[];

export interface RowDifferences {
  /** Positions in the page of rows that the target does not have. */
  readonly missing: readonly number[];
  /** Rows that the target has with other values, and the positions of those columns in `ComparedTable.columns`. */
  readonly different: readonly { readonly row: number; readonly columns: readonly number[] }[];
}

/** The target's tables at one moment, whatever is written to them meanwhile. Calls may not overlap. */
export interface TargetSnapshot {
  /** The timestamp up to which the stream is applied in this snapshot; null without a checkpoint row. */
  applied(stream: string): Promise<Hlc | null>;
  /** Compares a page of the source's rows with the target's, by the target's own readers and equality. */
  compare(table: ComparedTable, page: readonly TextRow[]): Promise<RowDifferences>;
  /** Counts the table's rows. */
  count(table: ComparedTable): Promise<number>;
  /** Keys in the target's key order, after the one given (null: from the start). */
  keys(table: ComparedTable, after: TextRow | null, limit: number): Promise<readonly TextRow[]>;
  close(): Promise<void>;
}
