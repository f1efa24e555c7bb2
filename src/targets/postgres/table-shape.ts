import type { ForeignKey } from '../../domain/source-table.js';
import type { TableName } from '../../domain/table.js';

/** One column of a target table. */
export interface TargetColumn {
  readonly name: string;
  /** As declared, e.g. `numeric(12,2)`, `public.mood`, or the name of a domain. */
  readonly type: string;
  /** The type under the domain; the same as `type` where there is none. */
  readonly baseType: string;
  /** pg_type.typtype of the type, or of an array's element: `b` base, `e` enum, ... */
  readonly typeKind: string;
  /** Labels in order where the type, or an array's element, is an enum; else empty. */
  readonly enumLabels: readonly string[];
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** GENERATED ALWAYS AS (...): computed by the target. */
  readonly generated: boolean;
  readonly identity: 'always' | 'by default' | null;
  /** False for a collation under which different texts are equal. */
  readonly deterministic: boolean;
}

/** A unique index or constraint beside the primary key. */
export interface UniqueKey {
  readonly name: string;
  /** In key order; null stands for an expression. */
  readonly columns: readonly (string | null)[];
  readonly deferrable: boolean;
  /** Unique only among the rows of a WHERE. */
  readonly partial: boolean;
  /** As it is declared, without when it is checked; null for an index that is no constraint. */
  readonly definition: string | null;
}

export interface ExclusionConstraint {
  readonly name: string;
  readonly deferrable: boolean;
  /** As it is declared, without when it is checked. */
  readonly definition: string;
}

export interface TargetForeignKey extends ForeignKey {
  /** The referencing table. */
  readonly table: TableName;
  readonly deferrable: boolean;
}

export interface Trigger {
  readonly name: string;
  /** In which sessions it fires: `origin` is silent while replication is applied, `replica` fires only then. */
  readonly fires: 'origin' | 'replica' | 'always';
}

/** A table of the target as the catalogue has it. */
export interface TargetTable {
  readonly name: TableName;
  readonly oid: string;
  readonly kind: 'table' | 'partitioned table' | 'view' | 'materialized view' | 'foreign table';
  readonly columns: readonly TargetColumn[];
  /** Columns of the primary key in key order; empty without one. */
  readonly primaryKey: readonly string[];
  readonly primaryKeyDeferrable: boolean;
  readonly uniqueKeys: readonly UniqueKey[];
  /** Names of check constraints. */
  readonly checks: readonly string[];
  readonly exclusions: readonly ExclusionConstraint[];
  /** Foreign keys of this table. */
  readonly foreignKeysOut: readonly TargetForeignKey[];
  /** Foreign keys that reference this table. */
  readonly foreignKeysIn: readonly TargetForeignKey[];
  readonly triggers: readonly Trigger[];
  readonly rules: readonly string[];
  /** The table, or partitions of it, that are UNLOGGED or temporary. */
  readonly notDurable: readonly string[];
  /** Row-level security hides rows from this role. */
  readonly rowSecurity: boolean;
  /** Logical replication subscriptions that write to it. */
  readonly subscriptions: readonly string[];
}
