import type { ExtraColumns } from '../domain/extra-columns.js';
import type { Finding } from '../domain/finding.js';
import type { ForeignKey, SourceTable } from '../domain/source-table.js';
import type { TableName } from '../domain/table.js';

/** What is to be replicated into a target, as its dialect's preflight looks at it. */
export interface TargetPlan {
  readonly tables: readonly { readonly source: SourceTable; readonly target: TableName }[];
  readonly run: string;
  readonly streams: readonly string[];
  readonly checkpointSchema: string;
  /** Connections that the run opens at once. */
  readonly connectionsNeeded: number;
  /** The plan asks to apply with triggers and foreign keys off where that is allowed. */
  readonly enforcementOffWanted: boolean;
  /** Table of the drain's sentinel row; null: there is none. */
  readonly sentinel: TableName | null;
  /** What becomes of a column that a target table lacks. */
  readonly extraColumns: ExtraColumns;
  /** Changes are to be applied before they are acknowledged, not only once they are resolved. */
  readonly immediate?: boolean;
  /** What the target refuses is put aside. */
  readonly deadLetters?: boolean;
}

/** A target's table, as far as the order of tables depends on it. */
export interface ReferencingTable {
  readonly name: TableName;
  readonly foreignKeysOut: readonly (ForeignKey & { readonly table: TableName })[];
}

export interface TargetPreflight<Table extends ReferencingTable = ReferencingTable> {
  /** Every problem at once. */
  readonly findings: readonly Finding[];
  /** The target's tables under their own spelling, by `formatTableName` of the name in the plan; null: missing. */
  readonly tables: ReadonlyMap<string, Table | null>;
  /** Wanted, allowed to the user, and safe for these tables (protocol rule 25). */
  readonly enforcementOff: boolean;
  /** The sentinel's table under its own spelling; null: none, or missing. */
  readonly sentinel: TableName | null;
}
