import type { Mapped } from '../mapped-table.js';
import type { TargetTable } from './table-shape.js';

export { columnLabel, sameNames, sourceColumn, targetColumn, targetNames } from '../mapped-table.js';

export type MappedTable = Mapped<TargetTable>;
