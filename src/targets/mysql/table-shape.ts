import type { ForeignKey } from '../../domain/source-table.js';
import type { TableName } from '../../domain/table.js';

/** One column of a target table. */
export interface TargetColumn {
  readonly name: string;
  /** As declared, e.g. `decimal(12,2)`, `bigint(20) unsigned`, `enum('a','b')`. */
  readonly type: string;
  /** The type's name alone: `decimal`, `bigint`, `enum`. `json` stands for MariaDB's, too, which is a checked longtext. */
  readonly base: string;
  /** Characters that it holds; bytes for binary types, and for the text types, which count them. Null: no text. */
  readonly length: number | null;
  readonly precision: number | null;
  readonly scale: number | null;
  /** Digits of a second, 0 to 6. Null: no time. */
  readonly fraction: number | null;
  readonly unsigned: boolean;
  /** Labels in order where the type is an enum; else empty. */
  readonly enumLabels: readonly string[];
  /** Null: no text. */
  readonly charset: string | null;
  readonly collation: string | null;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** GENERATED ALWAYS AS (...): computed by the target. */
  readonly generated: boolean;
  readonly autoIncrement: boolean;
  /** ON UPDATE CURRENT_TIMESTAMP: changes by itself where an update does not set it. */
  readonly changesItself: boolean;
  /** The sequence that its default calls, as the server writes it: MariaDB has them. */
  readonly sequence: string | null;
}

/** A unique index beside the primary key. */
export interface UniqueKey {
  readonly name: string;
  /** In key order; null stands for an expression, or for the beginning of a column alone. */
  readonly columns: readonly (string | null)[];
}

export interface TargetForeignKey extends ForeignKey {
  /** The referencing table. */
  readonly table: TableName;
}

/** A table of the target as information_schema has it for this user. */
export interface TargetTable {
  readonly name: TableName;
  readonly kind: 'table' | 'view' | 'sequence';
  /** `InnoDB`, ... */
  readonly engine: string;
  readonly columns: readonly TargetColumn[];
  /** Columns of the primary key in key order; empty without one. */
  readonly primaryKey: readonly string[];
  readonly uniqueKeys: readonly UniqueKey[];
  /** Names of check constraints, without MariaDB's own of a JSON column. */
  readonly checks: readonly string[];
  /** Foreign keys of this table. */
  readonly foreignKeysOut: readonly TargetForeignKey[];
  /** Foreign keys that reference this table. */
  readonly foreignKeysIn: readonly TargetForeignKey[];
  /** Names of its triggers, as far as this user may see them. */
  readonly triggers: readonly string[];
}
