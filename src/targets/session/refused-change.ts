import type { ApplyMutation } from '../target.js';

/** A change that the target did not take. Only `change` holds row values. */
export interface RefusedChange {
  readonly change: ApplyMutation;
  /** The target's column that cannot take its value; null where the row as a whole is refused. */
  readonly column: string | null;
  readonly code: string;
  readonly reason: string;
  /** The objection is to what other rows hold, or do not hold yet: without them, it might be taken. */
  readonly ofOrder: boolean;
}
