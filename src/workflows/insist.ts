import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
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

const FIRST_AGAIN_MS = 5_000;
/** An outage of hours must not fill the history. */
const LAST_AGAIN_MS = 30_000;

/**
 * Does it again until it succeeds; an incident says why not yet, and is closed when it is cut off too: whoever does it next says anew what is
 * wrong. `work` is expected to give up after some tries (`boundedActivities`).
 */
export async function insist<T>({ incident, resumes, refused }: Insistence, work: () => Promise<T>): Promise<T> {
  const said: { type: FailureType; cause: string }[] = [];
  const close = async (): Promise<void> => {
    for (const { type } of said.splice(0)) await incident({ type, open: false });
  };
  try {
    for (let againMs = FIRST_AGAIN_MS; ; againMs = Math.min(againMs * 2, LAST_AGAIN_MS)) {
      try {
        return await work();
      } catch (error) {
        if (isCancellation(error)) throw error;
        const type = failureTypeOf(error) ?? 'Internal.Defect';
        const cause = reasonOf(error);
        const { retryable } = FAILURES[type];
        if (said[0]?.type !== type || !retryable) await close();
        if (!retryable && refused === 'throw') throw error;
        if (said[0]?.cause !== cause) {
          said.splice(0, 1, { type, cause });
          await incident({ type, open: true, cause });
        }
        const seen = resumes();
        const again = (): boolean => resumes() !== seen;
        if (retryable) await condition(again, againMs);
        else await condition(again);
      }
    }
  } finally {
    await CancellationScope.nonCancellable(close);
  }
}
