import type { Hlc } from './hlc.js';

/**
 * The checkpoint row of a stream: how far the target is, and who may go on. It lives on the target and changes in the same
 * transaction as the rows (invariant 3).
 */
export interface Checkpoint {
  readonly stream: string;
  /** C: everything at or before it is applied, nothing after it. */
  readonly applied: Hlc;
  /** The cursor with which the stream began. */
  readonly cursor: Hlc;
  /** The attempt that may write; random for each attempt and compared for equality (protocol rule C). */
  readonly token: string | null;
  /** The stage that holds what is not applied yet. */
  readonly stageId: string | null;
  /** n: the number of the stream's current CREATE CHANGEFEED; 0 before the first (protocol rule A). */
  readonly incarnation: number;
}
