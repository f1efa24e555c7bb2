import type { MirroredStage } from './attempt.js';
import type { FailureType } from './failures.js';
import type { RunbookInput } from './runbook-input.js';
import type { StreamStatus } from './status.js';
import type { StreamPlan } from './table.js';

/** The first pause between two attempts. */
export const FIRST_BACKOFF_MS = 500;

/** What a stream is started with, and what it hands to its next run when it continues as new. */
export interface StreamArgs {
  readonly run: string;
  readonly input: RunbookInput;
  readonly plan: StreamPlan;
  /** Segments of the sink URL's path, as the target's dialect wants them. */
  readonly sinkPath: readonly string[];
  /** Whether foreign keys and triggers may be off during our transactions, as preflight has found. */
  readonly enforcementOff: boolean;
  readonly carried: StreamCarried;
}

/** The changefeed was made sure of for this incarnation, after so many wishes to resume. */
export interface EnsuredJob {
  readonly incarnation: number;
  readonly resumes: number;
}

/** What a stream remembers from run to run: whatever the next attempt or a person's question depends on. */
export interface StreamCarried {
  /** What was last reported; its host is the one whose disk has the stage, null before the first attempt. */
  readonly status: StreamStatus | null;
  /** That host did not take the last attempt. */
  readonly hostLost: boolean;
  readonly paused: boolean;
  /** Milliseconds since 1970, of the workflow's clock. */
  readonly restingSince: number | null;
  readonly resumes: number;
  readonly renew: boolean;
  readonly mirrored: MirroredStage | null;
  readonly ensured: EnsuredJob | null;
  /** Milliseconds since 1970: when the protection of history was last moved; null: not by the stream. */
  readonly protectedAt: number | null;
  /** Pause before the next attempt but one that was handed over. */
  readonly backoffMs: number;
  readonly openIncidents: readonly FailureType[];
}

export const NOTHING_CARRIED: StreamCarried = {
  status: null,
  hostLost: false,
  paused: false,
  restingSince: null,
  resumes: 0,
  renew: false,
  mirrored: null,
  ensured: null,
  protectedAt: null,
  backoffMs: FIRST_BACKOFF_MS,
  openIncidents: [],
};
