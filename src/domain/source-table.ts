import type { TableName } from './table.js';

/** What a foreign key does to the referencing rows. */
export const FOREIGN_KEY_ACTIONS = ['NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL', 'SET DEFAULT'] as const;
export type ForeignKeyAction = (typeof FOREIGN_KEY_ACTIONS)[number];

/** A foreign key, from the referencing table's side. Columns correspond by position. */
export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly references: TableName;
  readonly referencedColumns: readonly string[];
  readonly onDelete: ForeignKeyAction;
  readonly onUpdate: ForeignKeyAction;
}

/** One column as CockroachDB has it. */
export interface SourceColumn {
  readonly name: string;
  /** CockroachDB's own type text, e.g. `INT8`, `DECIMAL(10,2)`, `STRING COLLATE en`, `STRING[]`, `public.mood`. */
  readonly type: string;
  readonly nullable: boolean;
  /** Computed and not stored: the changefeed does not send it by default. */
  readonly virtual?: boolean;
  /** Computed and stored: the changefeed sends it. */
  readonly computed?: boolean;
  /** A CHECK constraint keeps the empty text, or no bytes, out: to Oracle they are NULL. */
  readonly neverEmpty?: boolean;
  /** Labels in order, where the type is an enum. */
  readonly enumLabels?: readonly string[];
}

/** One table of CockroachDB as preflight compares it with the target's. */
export interface SourceTable {
  readonly table: TableName;
  readonly columns: readonly SourceColumn[];
  /** Columns of the primary key in key order. */
  readonly primaryKey: readonly string[];
  /** Foreign keys that leave this table. */
  readonly foreignKeys: readonly ForeignKey[];
  /** Column lists of unique constraints and indexes beside the primary key. */
  readonly uniqueKeys?: readonly (readonly string[])[];
}
