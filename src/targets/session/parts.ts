import type { Checkpoint } from '../../domain/checkpoint.js';
import type { Hlc } from '../../domain/hlc.js';
import type { ApplyMutation, GroupLayout, TakenCheckpoint, TimestampParts } from '../target.js';
import type { Batch } from './batch.js';
import type { DeadLetterBox } from './dead-letter-box.js';
import type { Objection } from './objection.js';

/** What a dialect gives for `createApplySession`: all of one connection, none of it safe for concurrent calls. */
export interface ApplyParts {
  readonly transaction: TransactionWords;
  readonly row: CheckpointRow;
  readonly groups: CheckpointGroups;
  readonly letters: DeadLetterBox;
  readonly guard: Guard;
  readonly writer: ChangeWriter;
  readonly errors: ErrorWords;
  /** Ends the session; a connection that does not answer is cut. */
  close(): Promise<void>;
}

/** The apply transaction: READ COMMITTED (protocol rule 22), with foreign keys and triggers off where the session was asked for it. */
export interface TransactionWords {
  begin(): Promise<void>;
  /** @throws where nothing was committed, even if the database says so without an error */
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** The row of one stream in the checkpoint table, or of one of its groups in that of groups, as an applier reads and writes it. */
export interface CheckpointRow {
  /** Takes the token and records this session as the holder, in one statement. Null when there is no row. */
  take(token: string): Promise<Checkpoint | null>;
  /** Records this session as the holder, if the token is still `token`. False when it is not. */
  record(token: string): Promise<boolean>;
  bind(token: string, stageId: string, incarnation: number): Promise<boolean>;
  /** The compare-and-set of protocol rule C. False: no row was hit. */
  advance(token: string, previous: Hlc, next: Hlc): Promise<boolean>;
  /** Takes the row's lock under the token, and leaves the checkpoint where it is. Null: the token is no longer ours. */
  hold(token: string): Promise<HeldCheckpoint | null>;
  read(): Promise<Checkpoint | null>;
  /** Waits for the row's lock, and so for the end of a commit of unknown outcome (protocol rule 22). */
  readLocked(): Promise<Checkpoint | null>;
  /** Ends the recorded holder's session, if it is still that very session. True when there was one to end. */
  endHolder(): Promise<boolean>;
  /** The server's names of the sessions that hold a lock on the row now. */
  lockHolders(): Promise<readonly string[]>;
}

export interface HeldCheckpoint {
  readonly applied: Hlc;
  /** Nothing after it may be applied (protocol rule 32); null: there is no stop. */
  readonly stopAt: Hlc | null;
}

/**
 * The rows of a stream's groups beside its own (protocol rule 26). Whoever changes several of them locks the stream's own row first, so that
 * they come one after the other and see each other's rows; a window locks the row of its group alone.
 */
export interface CheckpointGroups {
  /** Takes the token in the stream's row and in those of its groups, in one transaction. `applied` is then the least of the groups. */
  take(token: string): Promise<TakenCheckpoint | null>;
  /** The stream's row says again what its groups have in common. Null: the token is another's. */
  advanceToLeast(token: string): Promise<Hlc | null>;
  /** Writes the groups anew, all at `at`. False: the token is another's. */
  regroup(token: string, at: Hlc, groups: readonly GroupLayout[]): Promise<boolean>;
  /** As in `CheckpointRow`, of any row of the stream. */
  endHolders(): Promise<boolean>;
  lockHolders(): Promise<readonly string[]>;
}

/**
 * What has been applied beyond the checkpoint: the timestamp of the newest change of each such key, a delete's too (protocol rule 27). Every
 * call is made inside a transaction that holds the checkpoint row's lock, so that nobody else changes the guards of the stream meanwhile. None
 * begins or ends a transaction.
 */
export interface Guard {
  /** True while anything is applied beyond the checkpoint; this one may be asked without the lock. */
  any(): Promise<boolean>;
  /** Those of the changes that are newer than what is applied of their keys. */
  newer(changes: readonly ApplyMutation[]): Promise<readonly ApplyMutation[]>;
  newerParts(parts: TimestampParts): TimestampParts;
  /** Remembers changes as applied; the last one of each key. */
  raise(changes: readonly ApplyMutation[]): Promise<void>;
  /** What is at or before the checkpoint needs no guard: it is never applied again (protocol rule 11). */
  prune(upTo: Hlc): Promise<void>;
  /** The newest timestamp of all; null: there is none. May be asked without the lock. */
  furthest(): Promise<Hlc | null>;
}

/** What became of a set: written, or undone because of an objection to its rows; `no way` where none was tried. */
export type Outcome = 'written' | 'no way' | Objection;

export interface SetOptions {
  /** Rows beyond the set's own that may be moved for it; more, and it is undone, for its halves may need none. */
  readonly most: number;
  /** True at most once in a transaction, for its first attempt: the dialect's fastest way, whatever can be used once only. */
  readonly bulk: boolean;
}

/** Writes changes inside the session's transaction. Any error but an objection ends it (protocol rule 21). */
export interface ChangeWriter {
  /** Makes what the next transaction can use. Called outside of one. */
  prepare(mutations: readonly ApplyMutation[]): Promise<void>;
  /**
   * Writes changes of distinct keys as a set, which leads from one state of the source to another: in whichever of the dialect's ways the
   * constraints let pass. What is not written is undone.
   */
  writeSet(set: readonly ApplyMutation[], options: SetOptions): Promise<Outcome>;
  /**
   * Runs `work` so that it can be undone, with deferred constraints checked at its end. Returns the objection with which it was undone. What
   * `stays` says no to is undone, too.
   */
  undoable<T>(work: () => Promise<T>, stays?: (done: T) => boolean): Promise<{ readonly done: T } | Objection>;
  /** Whether changes may be written in batches, one after the other, parents before children, then deletes the other way round. */
  mayBatch(changes: readonly ApplyMutation[]): Promise<boolean>;
  writeBatch(batch: Batch): Promise<void>;
  /** The changes without deletes whose key no row of the target can have: its row was refused when it came. */
  withoutImpossibleDeletes(changes: readonly ApplyMutation[]): Promise<readonly ApplyMutation[]>;
  /** The target's column that cannot take its value, as far as can be told; the reason holds no value. */
  explain(
    change: ApplyMutation,
    objection: Objection,
  ): Promise<{ readonly column: string | null; readonly reason: string }>;
  /** Whether a foreign key acts (CASCADE, SET NULL, SET DEFAULT) in the family of tables that foreign keys bind to this one. */
  acts(table: number): Promise<boolean>;
  /** Has every table read again from the catalogue: somebody may have mended one. */
  forget(): void;
  /** Why a set with `no way` cannot be written, and what a person can do. */
  noWay(tables: readonly string[]): Error;
}

/** What the dialect makes of its driver's errors. */
export interface ErrorWords {
  /** An error of ours passes; anything else becomes the port's error of its class. `doing` says what was under way. */
  toTargetError(error: unknown, doing: string, options?: { readonly commitUnknown?: boolean }): Error;
  /** True when no statement of the session will be answered any more. */
  endsSession(error: unknown): boolean;
  /** True when a lock was waited for as long as the session may wait. */
  isLockTimeout(error: unknown): boolean;
  /** The error without what may not be shown. */
  causeOf(error: unknown): Error & { readonly code: string };
  /** How a person ends a session of the database. */
  readonly endingSessions: string;
}
