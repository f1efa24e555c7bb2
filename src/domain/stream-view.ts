import type { ChangefeedIncident, HealthAction } from './changefeed-health.js';
import { isNewNumber } from './dead-letters.js';
import type { UnprotectedHistory } from './only-copy.js';

/**
 * What one look at a stream shows, from the source's jobs and the target's checkpoint row. The watching activity returns only when the
 * part of it that people act on changes (`viewChanged`), or when the roll-up is due. HLCs are text.
 */
export interface StreamView {
  readonly jobId: string | null;
  /** CockroachDB's status word of the current incarnation's job, or `missing`. */
  readonly jobStatus: string;
  readonly incident: ChangefeedIncident | null;
  /** Why, for people: no secret, no row value. */
  readonly cause: string;
  /** What the stream does about it. */
  readonly action: HealthAction;
  readonly applied: string;
  readonly lagMs: number;
  readonly lagging: boolean;
  /** Not null: the checkpoint is so old that the stage may soon be the only copy of what is not applied (protocol rule 4). */
  readonly onlyCopy?: UnprotectedHistory | null;
  /** Changes that the target refused and that wait, and where, in words; null: none. */
  readonly deadLetters?: { readonly count: number; readonly cause: string } | null;
  /** A side that has not answered for some time, and its words; null: both answer. The other fields are then what was last known. */
  readonly trouble: { readonly type: 'Source.Unavailable' | 'Target.Unavailable'; readonly cause: string } | null;
}

/** True when a person or the stream has to know. Pure. */
export function viewChanged(before: StreamView | null, now: StreamView): boolean {
  return (
    before === null ||
    before.incident !== now.incident ||
    before.action !== now.action ||
    before.jobId !== now.jobId ||
    before.lagging !== now.lagging ||
    !before.onlyCopy !== !now.onlyCopy ||
    isNewNumber(before.deadLetters?.count ?? 0, now.deadLetters?.count ?? 0) ||
    before.trouble?.type !== now.trouble?.type
  );
}
