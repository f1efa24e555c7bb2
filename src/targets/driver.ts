import type { ExtraColumns } from '../domain/extra-columns.js';
import type { Finding } from '../domain/finding.js';
import type { SourceTable } from '../domain/source-table.js';
import type { TableName } from '../domain/table.js';
import type { ComparedTable, TargetSnapshot } from './snapshot.js';
import type { ApplySession, CheckpointStore } from './target.js';
import type { SessionOptions } from './session/session.js';

/** What is to be replicated into a target. */
export interface TargetWish {
  readonly tables: readonly { readonly source: SourceTable; readonly target: TableName }[];
  readonly run: string;
  readonly enforcementOffWanted: boolean;
  /** Table of the drain's sentinel row; null: there is none. */
  readonly sentinel: TableName | null;
  readonly extraColumns: ExtraColumns;
  /** Connections that applying may open; absent: the one of a single apply loop. */
  readonly applyConnections?: number;
  /** Changes are to be applied before they are acknowledged, not only once they are resolved. */
  readonly immediate?: boolean;
  /** What the target refuses is to be put aside. */
  readonly deadLetters?: boolean;
}

export interface TargetAnswer {
  readonly findings: readonly Finding[];
  /** The target's own spelling of each table, in the order wished, parents before children; missing ones are left out. */
  readonly order: readonly TableName[];
  /** Foreign keys between these tables on the target, in the same spelling. */
  readonly references: readonly { readonly table: TableName; readonly references: TableName }[];
  readonly enforcementOff: boolean;
  /** The target's own spelling of the sentinel's table; null: none, or missing. */
  readonly sentinel: TableName | null;
}

/** What aligning the sequences has done, and what it could not. A line each, without row values but the sequence's own. */
export interface SequencesAnswer {
  readonly done: readonly string[];
  readonly remains: readonly string[];
}

/** Whom a driver works for. */
export interface DriverOptions {
  readonly run: string;
  /** Absent: where the dialect keeps it. */
  readonly checkpointSchema?: string | undefined;
}

/** One target database behind a connection name. Each dialect has its own folder and answers to this. */
export interface TargetDriver {
  /** Where target tables are when the input names no schema; null: in a schema of the source's name. */
  readonly defaultSchema: string | null;
  /** Where the checkpoint lives, as people find it. */
  readonly checkpointSchema: string;
  /** Name of the table of dead letters, as people write it in SQL. */
  readonly deadLetterTable: string;
  /** Segments of the sink URL's path for tables of this schema. */
  sinkPath(schema: string): Promise<readonly string[]>;
  preflight(wish: TargetWish): Promise<TargetAnswer>;
  openStore(): Promise<CheckpointStore>;
  openApplySession(options: Omit<SessionOptions, 'checkpointSchema'>): Promise<ApplySession>;
  /** Everything of the target at one moment, for the comparison. */
  openSnapshot(): Promise<TargetSnapshot>;
  /** What is compared of each table, column by column. */
  planComparison(
    tables: readonly { readonly source: SourceTable; readonly target: TableName }[],
  ): Promise<readonly ComparedTable[]>;
  /** Writes the drain's sentinel row; idempotent by its id. */
  writeSentinel(table: TableName, id: string): Promise<void>;
  /** @returns whether it was there */
  eraseSentinel(table: TableName, id: string): Promise<boolean>;
  alignSequences(tables: readonly TableName[]): Promise<SequencesAnswer>;
}
