import { planColumns } from '../compared-columns.js';
import type { ComparedTable } from '../snapshot.js';
import type { MappedTable } from './mapped-table.js';
import type { TargetColumn } from './table-shape.js';

/** Null when the key is not on both sides, which preflight refuses. */
export function planComparison(table: MappedTable): ComparedTable | null {
  return planColumns(table, (column) => ({ targetType: comparedType(column), isEnum: column.base === 'enum' }));
}

/** The declared type with what else decides equality: `varchar(20) collate utf8mb4_bin`, and `json` where MariaDB says longtext. */
function comparedType({ base, type, collation }: TargetColumn): string {
  if (base === 'json') return 'json';
  return collation === null ? type : `${type} collate ${collation}`;
}
