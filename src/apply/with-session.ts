import { StageUnavailableError } from '../staging/stage.js';
import { TargetUnavailableError } from '../targets/failures.js';
import type { ApplySession } from '../targets/target.js';
import { restAfter, type TroubleOptions } from './backoff.js';
import { closeAfterGrace } from './cut-off.js';
import type { ApplyIncident } from './progress.js';

export interface SessionOptions extends TroubleOptions {
  readonly abortGraceMs: number;
  readonly openSession: () => Promise<ApplySession>;
}

/** Works over a session of its own; transient errors of target and stage are waited out, and the work begun anew. Null: it was aborted. */
export async function withSession<T>(
  options: SessionOptions,
  onTrouble: (trouble: ApplyIncident) => void,
  work: (session: ApplySession) => Promise<T>,
): Promise<T | null> {
  for (let failures = 1; !options.signal.aborted; failures += 1) {
    let session: ApplySession | null = null;
    try {
      session = await options.openSession();
      const closeWhenCut = closeAfterGrace(session, options);
      try {
        return await work(session);
      } finally {
        closeWhenCut();
      }
    } catch (error) {
      if (!(error instanceof TargetUnavailableError) && !(error instanceof StageUnavailableError)) throw error;
      await session?.close();
      session = null;
      await restAfter(error, failures, options, onTrouble);
    } finally {
      await session?.close();
    }
  }
  return null;
}
