import type { SourceColumn, SourceTable } from '../../domain/source-table.js';
import { formatTableName } from '../../domain/table.js';
import { matchName } from './names.js';
import type { TargetColumn, TargetTable } from './table-shape.js';

/** A table of CockroachDB and the target's table that takes its rows. */
export interface MappedTable {
  readonly source: SourceTable;
  readonly target: TargetTable;
}

/** The target's column for a source column's name; null when it has none. */
export function targetColumn(target: TargetTable, name: string): TargetColumn | null {
  return matchName(name, target.columns, (column) => column.name);
}

/** The source's column for a target column's name. */
export function sourceColumn(source: SourceTable, name: string): SourceColumn | null {
  return matchName(name, source.columns, (column) => column.name);
}

/** The target's names of source columns; a column that it does not have keeps its name. */
export function targetNames(target: TargetTable, names: readonly string[]): readonly string[] {
  return names.map((name) => targetColumn(target, name)?.name ?? name);
}

export function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

/** `SCHEMA.TABLE.COLUMN` of the target, for people. */
export function columnLabel(target: TargetTable, column: string): string {
  return `${formatTableName(target.name)}.${column}`;
}
