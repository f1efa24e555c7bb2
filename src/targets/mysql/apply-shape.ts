import type { TableName } from '../../domain/table.js';
import { readLabels, readTable, type Asking } from './introspection.js';
import { sameNames } from './mapped-table.js';
import type { TargetColumn, TargetForeignKey } from './table-shape.js';
import { createValueWriter, type ColumnType, type ValueWriter } from './types.js';

/** One column of a target table, as far as writing needs it. */
export interface ApplyColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly write: ValueWriter;
  /** Generated columns are computed by the target; writing them is an error. */
  readonly generated: boolean;
  /** ON UPDATE CURRENT_TIMESTAMP: changes by itself where an update does not set it. */
  readonly changesItself: boolean;
}

/** A foreign key. */
export interface Reference {
  /** The table at its other end: the referencing one of `referencedBy`, the referenced one of `references`. */
  readonly table: TableName;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
}

/** A foreign key by which rows of another table reference this one. */
export interface IncomingReference extends Reference {
  /** It references other columns than the primary key, so that what it references may pass from row to row. */
  readonly byValue: boolean;
  /** A row that is deleted or referenced otherwise takes the referencing rows along, or changes them. */
  readonly acts: boolean;
}

/** What the apply statements need to know of a target table. */
export interface ApplyShape {
  readonly name: TableName;
  readonly columns: readonly ApplyColumn[];
  /** It has a unique key beside the primary key: a value of it may have to change hands. */
  readonly contested: boolean;
  readonly referencedBy: readonly IncomingReference[];
  readonly references: readonly Reference[];
}

/** Null when there is no such table. */
export async function readApplyShape(client: Asking, name: TableName): Promise<ApplyShape | null> {
  const table = await readTable(client, name);
  if (table === null) return null;
  return {
    name,
    columns: table.columns.map(applyColumn),
    contested: table.uniqueKeys.length > 0,
    referencedBy: table.foreignKeysIn.map((key) => ({
      ...reference(key, key.table),
      byValue: !sameNames(key.referencedColumns, table.primaryKey),
      acts: [key.onDelete, key.onUpdate].some((rule) => /^(?:CASCADE|SET )/.test(rule)),
    })),
    references: table.foreignKeysOut.map((key) => reference(key, key.references)),
  };
}

function applyColumn(column: TargetColumn): ApplyColumn {
  const { name, base } = column;
  const type: ColumnType = {
    name: base,
    declared: base === 'json' ? 'json' : column.type,
    length: base === 'bit' ? column.precision : column.length,
    precision: column.precision,
    scale: column.scale,
    fraction: column.fraction ?? 0,
    members: base === 'enum' || base === 'set' ? readLabels(column.type) : [],
    notNull: column.notNull,
  };
  return {
    name,
    type,
    write: createValueWriter(type),
    generated: column.generated,
    changesItself: column.changesItself,
  };
}

function reference({ columns, referencedColumns }: TargetForeignKey, table: TableName): Reference {
  return { table, columns, referenced: referencedColumns };
}
