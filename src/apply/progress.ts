import { minHlc, type Hlc } from '../domain/hlc.js';
import type { AppliedFigures } from '../targets/target.js';

/** Why the loop does not get on just now. Ends with the next success. */
export interface ApplyIncident {
  /** Which of the two the loop waits for. */
  readonly side: 'target' | 'stage';
  /** Its code, e.g. an SQLSTATE. */
  readonly code: string;
  readonly message: string;
  /** Failures in a row. */
  readonly attempts: number;
}

/** What the loop has done since it began. Counters only grow. */
export interface ApplyProgress {
  /** C as last read from, or written to, the target; null before the first read. */
  readonly applied: Hlc | null;
  /** The stage's resolved timestamp; null while unbound. */
  readonly resolved: Hlc | null;
  /** Transactions that moved the checkpoint. */
  readonly windows: number;
  /** ... of which a constraint objected to the set-based order. */
  readonly windowsInSourceOrder: number;
  /** Changes taken from the stage, before collapsing. */
  readonly mutations: number;
  readonly upserts: number;
  readonly deletes: number;
  /** Transactions retried. */
  readonly retries: number;
  /** Changes that the target refused and that wait now. */
  readonly deadLetters: number;
  readonly incident: ApplyIncident | null;
}

export const NO_PROGRESS: ApplyProgress = {
  applied: null,
  resolved: null,
  windows: 0,
  windowsInSourceOrder: 0,
  mutations: 0,
  upserts: 0,
  deletes: 0,
  retries: 0,
  deadLetters: 0,
  incident: null,
};

export function addWindow(
  progress: ApplyProgress,
  window: { readonly next: Hlc; readonly mutations: number },
  figures: AppliedFigures,
): ApplyProgress {
  return {
    ...addRows(progress, figures),
    applied: window.next,
    windows: progress.windows + 1,
    windowsInSourceOrder: progress.windowsInSourceOrder + (figures.inSourceOrder ? 1 : 0),
    mutations: progress.mutations + window.mutations,
    incident: null,
  };
}

export function addRows(
  progress: ApplyProgress,
  { upserts, deletes }: Pick<AppliedFigures, 'upserts' | 'deletes'>,
): ApplyProgress {
  return { ...progress, upserts: progress.upserts + upserts, deletes: progress.deletes + deletes };
}

/** Of one loop in several runs after each other: counters go on. */
export function continued(before: ApplyProgress, now: ApplyProgress): ApplyProgress {
  return { ...now, ...addCounters(before, now) };
}

/** Of loops side by side: what is applied of all, and the trouble of whoever has most of it. */
export function together(parts: readonly ApplyProgress[]): ApplyProgress {
  return parts.reduce((all, part) => ({
    applied: all.applied === null || part.applied === null ? null : minHlc(all.applied, part.applied),
    resolved: part.resolved ?? all.resolved,
    ...addCounters(all, part),
    deadLetters: all.deadLetters + part.deadLetters,
    incident: (part.incident?.attempts ?? 0) > (all.incident?.attempts ?? 0) ? part.incident : all.incident,
  }));
}

function addCounters(a: ApplyProgress, b: ApplyProgress) {
  return {
    windows: a.windows + b.windows,
    windowsInSourceOrder: a.windowsInSourceOrder + b.windowsInSourceOrder,
    mutations: a.mutations + b.mutations,
    upserts: a.upserts + b.upserts,
    deletes: a.deletes + b.deletes,
    retries: a.retries + b.retries,
  };
}
