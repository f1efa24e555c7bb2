import type { ComparedColumn, ComparedTable } from './snapshot.js';
import { sourceColumn, targetColumn, type Mapped } from './mapped-table.js';
import type { TableName } from '../domain/table.js';

/** What of a target's column its comparison depends on. */
export type ComparedType = Pick<ComparedColumn, 'targetType' | 'isEnum'>;

/**
 * What can be compared: every column that both sides have and the changefeed sends. Null when the key is not on both sides, which
 * preflight refuses.
 */
export function planColumns<Column extends { readonly name: string }>(
  { source, target }: Mapped<{ readonly name: TableName; readonly columns: readonly Column[] }>,
  typeOf: (column: Column) => ComparedType,
): ComparedTable | null {
  const toCompared = (name: string): ComparedColumn[] => {
    const column = targetColumn(target, name);
    if (!column) return [];
    const sourceType = sourceColumn(source, name)?.type;
    const own = { source: name, target: column.name, ...typeOf(column) };
    return [sourceType === undefined ? own : { ...own, sourceType }];
  };
  const keys = source.primaryKey.flatMap(toCompared);
  if (keys.length === 0 || keys.length !== source.primaryKey.length) return null;
  const others = source.columns
    .filter((column) => !column.virtual && !source.primaryKey.includes(column.name))
    .map((column) => column.name);
  return {
    source: source.table,
    target: target.name,
    columns: [...keys, ...others.flatMap(toCompared)],
    keyCount: keys.length,
    notCompared: others.filter((name) => targetColumn(target, name) === null),
  };
}
