import type { SourceColumn, SourceTable } from '../domain/source-table.js';
import { formatTableName, type TableName } from '../domain/table.js';
import { matchName } from './match-name.js';

/** A table of CockroachDB and the target's table that takes its rows. */
export interface Mapped<Target> {
  readonly source: SourceTable;
  readonly target: Target;
}

interface Named {
  readonly name: string;
}

/** The target's column for a source column's name; null when it has none, or several that differ in case alone. */
export function targetColumn<Column extends Named>(
  target: { readonly columns: readonly Column[] },
  name: string,
): Column | null {
  return matchName(name, target.columns, (column) => column.name);
}

/** The source's column for a target column's name. */
export function sourceColumn(source: SourceTable, name: string): SourceColumn | null {
  return matchName(name, source.columns, (column) => column.name);
}

/** The target's names of source columns; a column that it does not have keeps its name. */
export function targetNames(
  target: { readonly columns: readonly Named[] },
  names: readonly string[],
): readonly string[] {
  return names.map((name) => targetColumn(target, name)?.name ?? name);
}

export function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

/** `schema.table.column` of the target, for people. */
export function columnLabel(target: { readonly name: TableName }, column: string): string {
  return `${formatTableName(target.name)}.${column}`;
}
