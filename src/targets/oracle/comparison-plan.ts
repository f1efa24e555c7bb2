import type { ComparedColumn, ComparedTable } from '../snapshot.js';
import { sourceColumn, targetColumn, type MappedTable } from './mapped-table.js';

/**
 * What can be compared: every column that both sides have and the changefeed sends. Null when the key is not on both sides, which
 * preflight refuses.
 */
export function planComparison({ source, target }: MappedTable): ComparedTable | null {
  const toCompared = (name: string): ComparedColumn[] => {
    const column = targetColumn(target, name);
    if (!column) return [];
    const sourceType = sourceColumn(source, name)?.type;
    const targetType = column.json ? `${column.declared} IS JSON` : column.declared;
    const own = { source: name, target: column.name, targetType, isEnum: false };
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
