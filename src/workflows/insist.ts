import { condition, isCancellation } from '@temporalio/workflow';
import { FAILURES, type FailureType } from '../domain/failures.js';
import type { IncidentWord } from '../domain/incident.js';
import { failureTypeOf, reasonOf } from './compensation.js';

/** Who hears why something does not succeed yet, and who may say "again". */
export interface Insistence {
  readonly incident: (word: IncidentWord) => Promise<void> | void;
  /** Grows with each `resume` of a person. */
  readonly resumes: () => number;
  /** What to do about a refusal that waiting will not mend: throw it, or wait for `resume`. */
  readonly refused: 'throw' | 'awaitResume';
}

const AGAIN_AFTER_MS = 5_000;

/** Does it again until it succeeds; an incident says why not yet. `work` is expected to give up after some tries (`boundedActivities`). */
export async function insist<T>({ incident, resumes, refused }: Insistence, work: () => Promise<T>): Promise<T> {
  let open: FailureType | null = null;
  for (;;) {
    try {
      const value = await work();
      if (open !== null) await incident({ type: open, open: false });
      return value;
    } catch (error) {
      if (isCancellation(error)) throw error;
      const type = failureTypeOf(error) ?? 'Internal.Defect';
      const { retryable } = FAILURES[type];
      if (open !== null && (open !== type || !retryable)) await incident({ type: open, open: false });
      if (!retryable && refused === 'throw') throw error;
      open = type;
      await incident({ type, open: true, cause: reasonOf(error) });
      const seen = resumes();
      const again = (): boolean => resumes() !== seen;
      if (retryable) await condition(again, AGAIN_AFTER_MS);
      else await condition(again);
    }
  }
}
