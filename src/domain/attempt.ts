import type { FailureType } from './failures.js';

/** The word of an attempt that its receiver listens (protocol rule D, step 4). HLCs cross as text. */
export interface ListeningWord {
  /** The attempt's identity; a late word of an older attempt is ignored (protocol rule 38). */
  readonly token: string;
  /** Task queue of the host that runs it. */
  readonly host: string;
  readonly incarnation: number;
  /** Where CREATE CHANGEFEED for this incarnation begins, if no live job of it exists. */
  readonly cursor: string;
  /** What is applied on the target. */
  readonly applied: string;
  /** Advertised base URL of the receiver, `https://host:port`; empty with the intake `pull`, which has none. */
  readonly receiverUrl: string;
  /** False when the stage was not complete from the checkpoint on, and a new incarnation was bound. */
  readonly stageKept: boolean;
}

/** The first resolved timestamp durably taken for an incarnation: the proof of delivery. */
export interface DeliveredWord {
  readonly token: string;
  readonly incarnation: number;
  readonly resolved: string;
}

/**
 * Trouble of the attempt. What it retries by itself is opened once it lasts, and closed by the attempt when it is over; an alarm is only opened:
 * a person acknowledges it.
 */
export interface TroubleWord {
  readonly token: string;
  readonly type:
    | 'Target.Unavailable'
    | 'Source.Unavailable'
    | 'Stage.Unavailable'
    | 'Stage.Full'
    | 'Changefeed.LateRows'
    | 'Stage.OverBudget';
  /** Null: it is over. */
  readonly cause: string | null;
}

/** How an attempt ended when it did not fail. */
export type AttemptEnd =
  | { readonly ended: 'cancelled' }
  | { readonly ended: 'shutdown' }
  | { readonly ended: 'takenOver' }
  | { readonly ended: 'halted'; readonly type: FailureType; readonly cause: string; readonly remedy: string | null };

/** What a lost attempt's last heartbeat said of its stage: one that knows less is a copy of an old disk (protocol rule 15). */
export interface MirroredStage {
  readonly stageId: string;
  readonly resolved: string;
}

/** Heartbeat details: the figures of a live attempt, for `describe` and the UI. */
export interface AttemptProgress {
  readonly stream: string;
  readonly token: string;
  readonly incarnation: number;
  readonly stageId: string;
  /** C and the stage's resolved timestamp. */
  readonly applied: string;
  readonly resolved: string;
  readonly lagMs: number;
  readonly received: number;
  readonly upserts: number;
  readonly deletes: number;
  readonly redelivered: number;
  readonly dropped: number;
  readonly late: number;
  readonly stagedChanges: number;
  readonly stagedBytes: number;
  /** What it may have, at most. */
  readonly stageBudgetBytes: number;
  /** Changes that the target refused and that wait now. */
  readonly deadLetters?: number;
}
