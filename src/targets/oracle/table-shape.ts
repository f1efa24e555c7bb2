import type { ForeignKey } from '../../domain/source-table.js';
import type { TableName } from '../../domain/table.js';
import type { ColumnType } from './types.js';

/** One column of a target table. */
export interface TargetColumn extends ColumnType {
  readonly name: string;
  /** A text's length counts characters, not bytes. */
  readonly chars: boolean;
  /** Named for the column, e.g. `BINARY_CI`; null: the database's, under which the stream's keys are told apart byte by byte. */
  readonly collation: string | null;
  readonly hasDefault: boolean;
  /** Virtual: computed by the target. */
  readonly generated: boolean;
  /** NULL that is written becomes the default, which is how the column is NOT NULL. */
  readonly onNull: boolean;
  readonly identity: 'always' | 'by default' | null;
  /** The sequence that its default or its identity asks, quoted as Oracle writes it. */
  readonly sequence: string | null;
}

/** A unique constraint or index beside the primary key. */
export interface UniqueKey {
  readonly name: string;
  /** In key order; null stands for an expression. */
  readonly columns: readonly (string | null)[];
  readonly deferrable: boolean;
}

export interface TargetForeignKey extends ForeignKey {
  /** The referencing table. */
  readonly table: TableName;
  readonly deferrable: boolean;
}

/** A table of the target as the catalogue shows it to this user. */
export interface TargetTable {
  readonly name: TableName;
  readonly kind: 'table' | 'view' | 'external table' | 'temporary table';
  /** ALTER TABLE ... READ ONLY. */
  readonly readOnly: boolean;
  /** Partitioned, and a row may not move to another partition. */
  readonly rowsStay: boolean;
  readonly columns: readonly TargetColumn[];
  /** Columns of the primary key in key order; empty without one. */
  readonly primaryKey: readonly string[];
  readonly uniqueKeys: readonly UniqueKey[];
  /** Names of check constraints, without NOT NULL and IS JSON. */
  readonly checks: readonly string[];
  /** Foreign keys of this table. */
  readonly foreignKeysOut: readonly TargetForeignKey[];
  /** Foreign keys that reference this table. */
  readonly foreignKeysIn: readonly TargetForeignKey[];
  /** Enabled triggers, quoted with their schemas, as far as this user may see them. */
  readonly triggers: readonly string[];
}
