import type { FailureType } from './failures.js';
import type { RunbookInput } from './runbook-input.js';
import type { StreamPlan } from './table.js';

/** What a stream is started with, and what it hands to its next run when it continues as new. */
export interface StreamArgs {
  readonly run: string;
  readonly input: RunbookInput;
  readonly plan: StreamPlan;
  /** Database of the target, first segment of the sink URL's path. */
  readonly targetDatabase: string;
  readonly targetSchema: string;
  /** Whether foreign keys and triggers may be off during our transactions, as preflight has found. */
  readonly enforcementOff: boolean;
  readonly carried: StreamCarried;
}

/** What a stream remembers from run to run. */
export interface StreamCarried {
  /** Host whose disk has the stage; null before the first attempt. */
  readonly host: string | null;
  readonly attempts: number;
  readonly paused: boolean;
  /** Milliseconds since 1970, of the workflow's clock. */
  readonly restingSince: number | null;
  readonly delivered: string | null;
  readonly openIncidents: readonly FailureType[];
}

export const NOTHING_CARRIED: StreamCarried = {
  host: null,
  attempts: 0,
  paused: false,
  restingSince: null,
  delivered: null,
  openIncidents: [],
};
