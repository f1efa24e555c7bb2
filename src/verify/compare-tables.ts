import { formatHlc, type Hlc } from '../domain/hlc.js';
import { formatTableName } from '../domain/table.js';
import type { ComparedTable, TargetSnapshot, TextRow } from '../targets/snapshot.js';
import { findExtraKeys } from './extra-keys.js';
import { prefetch } from './prefetch.js';
import type { SourceReader } from './source-reader.js';

/** A count, and the first of what was counted. Keys are JSON arrays of texts; no other value of a row is ever reported. */
export interface KeyList {
  readonly total: number;
  readonly keys: readonly string[];
}

export interface TableComparison {
  /** `schema.table` of the target. */
  readonly table: string;
  /** Rows of the source at the timestamp. */
  readonly rows: number;
  /** On the source, not on the target. */
  readonly missing: KeyList;
  /** On both sides with different values. */
  readonly different: {
    readonly total: number;
    readonly rows: readonly { readonly key: string; readonly columns: readonly string[] }[];
  };
  /** On the target, not on the source. */
  readonly extra: KeyList;
}

/** The target is not at the timestamp at which it is to be compared. */
export class TargetNotAtTimestampError extends Error {
  constructor(
    readonly stream: string,
    readonly at: Hlc,
    readonly applied: Hlc | null,
  ) {
    super(
      `the target cannot be compared at ${formatHlc(at)}: stream ${stream} is applied up to ${applied === null ? 'nothing (no checkpoint row)' : formatHlc(applied)}; compare again when it stands exactly there`,
    );
    this.name = 'TargetNotAtTimestampError';
  }
}

export interface ComparisonInput {
  /** Reads the source as of `at`. */
  readonly source: SourceReader;
  readonly target: TargetSnapshot;
  readonly at: Hlc;
  /** Each must be applied up to exactly `at` in the snapshot. Empty: not asked. */
  readonly streams: readonly string[];
  readonly tables: readonly ComparedTable[];
  /** Longest list of keys in the report of a table, per kind; 20 by default. */
  readonly listed?: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: { readonly table: string; readonly rows: number }) => void;
}

/**
 * Compares every row of every table at one timestamp: no row is sampled, and no value becomes a JavaScript number.
 * @throws TargetNotAtTimestampError; the signal's reason when aborted; what source and target throw
 */
export async function compareTables(input: ComparisonInput): Promise<readonly TableComparison[]> {
  for (const stream of input.streams) {
    const applied = await input.target.applied(stream);
    if (applied !== input.at) throw new TargetNotAtTimestampError(stream, input.at, applied);
  }
  const results: TableComparison[] = [];
  for (const table of input.tables) results.push(await compareTable(input, table));
  return results;
}

/** Keys of a table that are missing, different or extra. */
export function countDiffering({ missing, different, extra }: TableComparison): number {
  return missing.total + different.total + extra.total;
}

async function compareTable(input: ComparisonInput, table: ComparedTable): Promise<TableComparison> {
  const listed = input.listed ?? 20;
  const name = formatTableName(table.target);
  const missing: string[] = [];
  const different: { key: string; columns: readonly string[] }[] = [];
  let [rows, missingTotal, differentTotal] = [0, 0, 0];

  for await (const page of prefetch(input.source.pages(table))) {
    input.signal.throwIfAborted();
    const found = await input.target.compare(table, page);
    rows += page.length;
    missingTotal += found.missing.length;
    differentTotal += found.different.length;
    for (const row of found.missing.slice(0, listed - missing.length)) missing.push(keyText(table, page[row]));
    for (const { row, columns } of found.different.slice(0, listed - different.length)) {
      different.push({ key: keyText(table, page[row]), columns: columns.map((column) => columnName(table, column)) });
    }
    input.onProgress?.({ table: name, rows });
  }

  // Each row of the source that was found met one row of the target of its own: keys are the same values on both sides.
  const extraTotal = (await input.target.count(table)) - (rows - missingTotal);
  const extra = await findExtraKeys(input, table, Math.min(extraTotal, listed));
  return {
    table: name,
    rows,
    missing: { total: missingTotal, keys: missing },
    different: { total: differentTotal, rows: different },
    extra: { total: extraTotal, keys: extra.map((key) => keyText(table, key)) },
  };
}

function columnName(table: ComparedTable, position: number): string {
  return table.columns[position]?.target ?? String(position);
}

function keyText(table: ComparedTable, row: TextRow | undefined): string {
  return JSON.stringify((row ?? []).slice(0, table.keyCount));
}
