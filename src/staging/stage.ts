import type { Hlc } from '../domain/hlc.js';
import type { ColumnSet, IncomingMutation } from '../domain/mutation.js';

/** What a stage is bound to, and what it holds completely. */
export interface StageBinding {
  /** Bodies of this incarnation only are taken (protocol rule A). */
  readonly incarnation: number;
  /** The stage has everything in (floor, resolved] (protocol rule B). */
  readonly floor: Hlc;
  readonly resolved: Hlc;
  /** `planFingerprint` of the plan whose table numbers the entries carry. */
  readonly plan: string;
}

/** A change read back from the stage. */
export interface StagedMutation {
  readonly at: Hlc;
  readonly table: number;
  readonly key: Uint8Array;
  readonly after: Uint8Array | null;
  readonly columns: ColumnSet | null;
}

/** A place within a timestamp: behind that change, in the order of the stage. An empty key is before all keys of its table. */
export type StagePosition = Pick<StagedMutation, 'at' | 'table' | 'key'>;

/** Changes in the order of the stage: by time, within a timestamp by table number, within a table by key, in any order that stays. */
export interface StagedSpan {
  readonly mutations: readonly StagedMutation[];
  /** Every change in (after, end] is in `mutations`, those of `end` itself up to the last one only if it is cut. */
  readonly end: Hlc;
  /** The timestamp `end` goes on behind the last change. Only where the limits asked for it. */
  readonly cut: boolean;
}

export interface SpanLimits {
  /** A span ends at the first timestamp at which it has at least so many rows. */
  readonly rows: number;
  /** ... or so many bytes of `after`. */
  readonly bytes: number;
  /** The span may end within a timestamp, as soon as a limit is reached. */
  readonly maySplit?: boolean;
}

export interface AcceptResult {
  /** Written now and not there before. */
  readonly staged: number;
  /** At or before the committed checkpoint: dropped (protocol rule 10). */
  readonly dropped: number;
  /** Already staged: overwritten with itself. */
  readonly redelivered: number;
  /** Never seen, yet committed < timestamp <= resolved: the changefeed broke its word. Staged all the same (protocol rule 10). */
  readonly late: number;
}

export interface StageFigures {
  /** Bytes of the pages in use, not of the file, which never shrinks (protocol rule 13). */
  readonly usedBytes: number;
  /** Changes held. */
  readonly entries: number;
}

/**
 * The durable, ordered buffer between the receiver and the target. One per stream. Each promise of a write resolves once the write is
 * flushed to disk, not only committed (protocol rule 14); concurrent writes are flushed as a group.
 */
export interface Stage {
  /** Random, made with the stage's store and kept inside it (protocol rule 15). */
  readonly id: string;
  /** Null until first bound. */
  binding(): StageBinding | null;
  /**
   * Empties the stage and sets floor = resolved = `cursor` in one transaction (protocol rule B).
   * From then on only bodies of `incarnation` are taken.
   */
  bind(incarnation: number, cursor: Hlc, plan: string): Promise<void>;
  /**
   * Goes on as another incarnation with everything it holds: its changefeed is gone, and the next one begins at its resolved timestamp
   * (protocol rule 3). The stage must be bound.
   */
  renew(incarnation: number): Promise<void>;
  /**
   * Takes the rows of one body.
   * @param committed the committed checkpoint; rows at or before it are dropped
   * @param mayGrow false: a body with a row that is neither staged nor dropped is refused whole (protocol rule 12); true by default
   * @throws StaleIncarnationError when the stage is bound to another incarnation, or to none; NoRoomError
   */
  accept(
    incarnation: number,
    rows: readonly IncomingMutation[],
    committed: Hlc,
    mayGrow?: boolean,
  ): Promise<AcceptResult>;
  /**
   * Takes a resolved timestamp, after every row accepted before. One that does not advance is ignored.
   * @throws StaleIncarnationError
   */
  resolve(incarnation: number, resolved: Hlc): Promise<void>;
  /**
   * Reads (after, upTo], strictly after `after` (protocol rule 11), which may be a place within a timestamp. No read transaction stays open
   * afterwards (protocol rule 13).
   */
  read(after: Hlc | StagePosition, upTo: Hlc, limits: SpanLimits): Promise<StagedSpan>;
  /** Late rows taken since the stage was opened (`AcceptResult.late`): what was read before one came lacks it. */
  lateRows(): number;
  /** Deletes every change at or before `upTo`. */
  purge(upTo: Hlc): Promise<void>;
  figures(): StageFigures;
  /** Waits for writes under way, closes the store and gives up its lock. */
  close(): Promise<void>;
}

/** The body is of another incarnation than the stage's. Answered 409: nothing of it may be taken (protocol rule A). */
export class StaleIncarnationError extends Error {
  constructor(
    readonly incarnation: number,
    readonly bound: number | null,
  ) {
    super(
      bound === null
        ? `incarnation ${incarnation} is refused: this stage is not bound yet`
        : `incarnation ${incarnation} is refused: this stream now takes incarnation ${bound}`,
    );
    this.name = 'StaleIncarnationError';
  }
}

/** The stage may not grow now (protocol rule 12). Answered 503: nothing of the body was taken, and CockroachDB sends it again. */
export class NoRoomError extends Error {
  constructor() {
    super('the stage is at its budget: rows are taken again when what it holds is applied');
    this.name = 'NoRoomError';
  }
}

/** Another process has this stage (protocol rule 38). */
export class StageBusyError extends Error {
  constructor(
    readonly place: string,
    message = `stage folder ${place} is in use by another process: stop it, or give this worker a stage folder of its own`,
  ) {
    super(message);
    this.name = 'StageBusyError';
  }
}

/** The code of a `StageUnavailableError` whose disk is full. */
export const NO_SPACE = 'ENOSPC';

/** The stage is elsewhere and cannot be reached, or cannot do it now; the same again later may succeed. Nothing is acknowledged meanwhile. */
export class StageUnavailableError extends Error {
  constructor(
    /** An SQLSTATE, or a word where no server has answered; `NO_SPACE` for a full disk. */
    readonly code: string,
    message: string,
    options: { cause: unknown },
  ) {
    super(message, options);
    this.name = 'StageUnavailableError';
  }
}
