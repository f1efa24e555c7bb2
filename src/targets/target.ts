import type { ApplyGroup } from '../domain/apply-groups.js';
import type { Checkpoint } from '../domain/checkpoint.js';
import type { DeadLetters, OnBadRow } from '../domain/dead-letters.js';
import type { ExtraColumns } from '../domain/extra-columns.js';
import type { Hlc } from '../domain/hlc.js';
import type { SourceOrigin } from '../domain/source-identity.js';
import type { StreamPlan, TableName } from '../domain/table.js';
import type { ColumnSet } from '../domain/mutation.js';

/** One change to apply; the last one of its key within the window. */
export interface ApplyMutation {
  readonly at: Hlc;
  /** Number of the table in the plan. */
  readonly table: number;
  /** Canonical JSON text of the key. */
  readonly key: Uint8Array;
  /** JSON text of the row; null deletes. */
  readonly after: Uint8Array | null;
  readonly columns: ColumnSet | null;
}

/** All changes in (previous, next], collapsed or not, in time order. */
export interface ApplyWindow {
  readonly previous: Hlc;
  readonly next: Hlc;
  readonly mutations: readonly ApplyMutation[];
  /** Set where the window is one timestamp that is too large to be held: `mutations` is then only the first of it. */
  readonly parts?: TimestampParts;
}

/**
 * Reads all changes of one timestamp, from a table on, in parts: by table number, each key once. A timestamp is never split over transactions
 * (protocol rule 20), so the parts are of one; they are read anew with every call, from wherever, as often as needed.
 */
export type TimestampParts = (fromTable: number) => AsyncIterable<readonly ApplyMutation[]>;

export interface AppliedFigures {
  readonly upserts: number;
  readonly deletes: number;
  /** True when a constraint objected and the source's own transaction order was used. */
  readonly inSourceOrder: boolean;
}

export interface AppliedAtOnce extends Pick<AppliedFigures, 'upserts' | 'deletes'> {
  /** Changes that a later window has to apply. */
  readonly left: number;
}

export interface ApplySessionOptions {
  readonly plan: StreamPlan;
  readonly stream: string;
  /** Where the checkpoint tables live, e.g. `_failback`. */
  readonly checkpointSchema: string;
  /** Rows of one statement. MOLT's word. */
  readonly flushSize: number;
  /** What becomes of a column that a target table lacks. */
  readonly extraColumns: ExtraColumns;
  /** Switch foreign keys and triggers off as logical replication does, where the user may (protocol rule 25). */
  readonly enforcementOff: boolean;
  /** What becomes of a change that the target will never take, where no foreign key acts; absent: the stream halts. */
  readonly onBadRow?: OnBadRow;
  /** Changes may be applied at once, too, so that every window is checked against them; absent: only while such changes are left. */
  readonly immediate?: boolean;
  /** Longest wait for a lock, in milliseconds (protocol rule 24). */
  readonly lockTimeoutMs: number;
  /** The server ends the session when a transaction of ours rests for so long, in milliseconds (protocol rule 24). */
  readonly idleInTransactionTimeoutMs: number;
  /** The group whose own row is the checkpoint of this session; absent: the stream's row is (protocol rule 26). */
  readonly group?: ApplyGroup;
}

/** Tables that are applied together, by the text of their names on the target. */
export interface GroupLayout {
  readonly number: number;
  readonly tables: readonly string[];
}

/** ... and how far they are. */
export interface StoredGroup extends GroupLayout {
  readonly applied: Hlc;
}

/** What a takeover finds. With groups, `applied` is the least of theirs. */
export interface TakenCheckpoint extends Checkpoint {
  /** By their numbers; none where the stream has one checkpoint. */
  readonly groups: readonly StoredGroup[];
}

/**
 * One connection that applies. Every transaction of it starts with the compare-and-set on the checkpoint row (protocol rule C) and changes
 * rows and checkpoint together (invariant 3). Not safe for concurrent calls.
 */
export interface ApplySession {
  /**
   * Takeover, step 1 (protocol rule D): one statement takes the token, in the rows of all groups too (rule 26), and returns what was there.
   * Ends a session that holds a row's lock for longer than `lockTimeoutMs` (rule 24). Returns null when the row is gone.
   */
  takeToken(token: string): Promise<TakenCheckpoint | null>;
  /** Takeover, step 3: writes stage and incarnation under the token. False: the token is no longer ours. */
  bind(token: string, stageId: string, incarnation: number): Promise<boolean>;
  /**
   * Applies one window in one transaction. Transient errors are thrown as TargetUnavailableError; the session is then broken: open another.
   * @throws FenceLostError, BadRowError, OutrunError, SchemaMismatchError, TargetUnavailableError
   */
  apply(token: string, window: ApplyWindow): Promise<AppliedFigures>;
  /**
   * Applies changes that may not be resolved yet, in one transaction that leaves the checkpoint where it is (protocol rule 27). Of each key only
   * what is newer than all that is applied of it, never what is at or before the checkpoint or after the stop. What the target refuses is left to
   * a later window, and so is what a foreign key acts upon. `changes` are in time order.
   * @throws as `apply`, but for BadRowError and OutrunError
   */
  applyAtOnce(token: string, changes: readonly ApplyMutation[]): Promise<AppliedAtOnce>;
  /** Dead letters of the stream that wait, as last known; 0 before the first call that writes. */
  deadLetters(): number;
  /**
   * Tries those dead letters again for which somebody has asked, in one transaction under the token, with `applied` as the checkpoint. Looks
   * whether there are any once in a while, and only while letters wait. Null: there was nothing to try.
   * @throws as `apply`
   */
  replayDeadLetters(token: string, applied: Hlc): Promise<AppliedFigures | null>;
  /**
   * With groups, the stream's row follows the one that is furthest behind: whoever reads it finds what is applied of all tables.
   * @throws FenceLostError, TargetUnavailableError
   */
  advanceToLeast(token: string): Promise<Hlc>;
  /**
   * Groups the tables anew, in one transaction; none: the stream's row is their checkpoint. All that was grouped before must be at `at`.
   * @throws FenceLostError, TargetUnavailableError
   */
  regroup(token: string, at: Hlc, groups: readonly GroupLayout[]): Promise<void>;
  /** The checkpoint row, read under its lock (protocol rule 22: after a COMMIT of unknown outcome). Null when it is gone. */
  readLocked(): Promise<Checkpoint | null>;
  close(): Promise<void>;
}

/** What the checkpoint schema remembers of a run beside its streams (protocol rule 39). */
export interface RunRecord {
  readonly run: string;
  readonly phase: string;
  /** Settings as they were before us, and what else undo needs. Plain JSON, no secrets. */
  readonly state: Readonly<Record<string, unknown>>;
}

/** Rows of the checkpoint schema. Each call is one transaction of its own. */
export interface CheckpointStore {
  /** Creates schema and tables where missing; idempotent. */
  ensureSchema(): Promise<void>;
  /** Inserts the row once, doing nothing if it is there, and returns the row that is there then (protocol rule 1). */
  insertOnce(row: { stream: string; run: string; cursor: Hlc; origin: SourceOrigin }): Promise<StoredCheckpoint>;
  read(stream: string): Promise<StoredCheckpoint | null>;
  /** Records whether a changefeed is wanted for the stream, before jobs are cancelled (protocol rule 6). */
  setFeedWanted(stream: string, wanted: boolean): Promise<void>;
  /**
   * Where the stream has to stop exactly; null: nowhere. Kept in the row, so that every later attempt knows it too.
   * @returns false when more than that is applied already, and nothing was recorded
   */
  setStopAt(stream: string, stopAt: Hlc | null): Promise<boolean>;
  /** What the attempt that holds `token` sees while the stream rests at its stop. */
  writeHold(stream: string, token: string, hold: StreamHold): Promise<void>;
  readHold(stream: string): Promise<StoredHold | null>;
  readRun(run: string): Promise<RunRecord | null>;
  writeRun(record: RunRecord): Promise<void>;
  /** Claims each target table for the run; returns the claims of others that are in the way (protocol rule 33), none taken then. */
  claimTables(run: string, tables: readonly TableName[]): Promise<readonly { table: TableName; run: string }[]>;
  /** The dead letters of the stream that wait. */
  countDeadLetters(stream: string): Promise<DeadLetters>;
  /** Has the stream's one writer try them again. Returns how many wait. */
  askReplay(stream: string): Promise<number>;
  /**
   * Removes the run's own rows only; drops tables and schema only when nobody else has a row (protocol rule 34). Dead letters stay: nobody but a
   * person may throw them away. Returns those of the run.
   */
  removeRun(run: string): Promise<DeadLetters>;
  close(): Promise<void>;
}

/** A stream at rest at its stop. */
export interface StreamHold {
  readonly at: Hlc;
  /** The stage is complete up to here. */
  readonly seenUpTo: Hlc;
  /** Changes of the source in (at, seenUpTo]. */
  readonly newerChanges: number;
}

/** What the row wants of the attempt that has it, and what that attempt sees. */
export interface StoredHold {
  readonly applied: Hlc;
  readonly stopAt: Hlc | null;
  readonly feedWanted: boolean;
  readonly hold: StreamHold | null;
}

export interface StoredCheckpoint extends Checkpoint {
  readonly run: string;
  readonly origin: SourceOrigin;
  readonly feedWanted: boolean;
}
