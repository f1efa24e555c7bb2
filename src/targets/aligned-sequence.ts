import { formatTableName, type TableName } from '../domain/table.js';
import type { SequencesAnswer } from './driver.js';

/**
 * What became of a sequence.
 * - `set`: it now goes on beyond the rows.
 * - `beyond`: it did already.
 * - `not-permitted`: the user may not read or set it.
 * - `exhausted`: no value is left beyond the rows within its bounds.
 */
export type SequenceOutcome = 'set' | 'beyond' | 'not-permitted' | 'exhausted';

/** A sequence that gives a column its values. */
export interface AlignedSequence {
  /** In the target's own words, e.g. `public.orders_id_seq`, `AUTO_INCREMENT`. */
  readonly sequence: string;
  readonly table: TableName;
  readonly column: string;
  /** The least value it would have given next; null when it may not be read. */
  readonly was: string | null;
  /** The value that it gives next; null when it may not be read. */
  readonly now: string | null;
  readonly outcome: SequenceOutcome;
  /** What a person with the privilege runs instead; null when nothing is left to do. */
  readonly statement: string | null;
}

/** A line each, without row values but the sequence's own. */
export function describeAligned(aligned: readonly AlignedSequence[]): SequencesAnswer {
  const label = ({ sequence, table, column }: AlignedSequence): string =>
    `${sequence} of ${formatTableName(table)}.${column}`;
  return {
    done: aligned
      .filter(({ outcome }) => outcome === 'set')
      .map((one) => `${label(one)} now gives ${one.now ?? 'its next value'} (was ${one.was ?? 'unknown'})`),
    remains: aligned.flatMap((one) => (one.statement === null ? [] : [`${label(one)}: run ${one.statement}`])),
  };
}
