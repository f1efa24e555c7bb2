import { planColumns } from '../compared-columns.js';
import type { ComparedTable } from '../snapshot.js';
import type { MappedTable } from './mapped-table.js';

/** Null when the key is not on both sides, which preflight refuses. */
export function planComparison(table: MappedTable): ComparedTable | null {
  return planColumns(table, ({ declared, json }) => ({
    targetType: json ? `${declared} IS JSON` : declared,
    isEnum: false,
  }));
}
