import type { Incident } from './incident.js';
import type { Phase } from './phases.js';
import type { Gate, Intake } from './runbook-input.js';

/** A message of a person as the run has taken it. */
export interface MessageRecord {
  /** Milliseconds since 1970, of the workflow's clock. */
  readonly at: number;
  readonly message: string;
  /** What it did, or why it could not be honoured. */
  readonly effect: string;
  readonly honoured: boolean;
}

/** What the stream last reported. HLCs are text. */
export interface StreamStatus {
  readonly stream: string;
  /** Absent: a webhook. */
  readonly intake?: Intake;
  readonly host: string | null;
  /** A request of our own has reached the attempt that serves, through the URL that CockroachDB is given. */
  readonly reached?: boolean;
  readonly jobId: string | null;
  readonly jobStatus: string | null;
  readonly incarnation: number;
  /** The first resolved timestamp that the receiver durably took for this incarnation: the proof that rows arrive. */
  readonly delivered: string | null;
  readonly applied: string | null;
  readonly lagMs: number | null;
  readonly attempts: number;
  /** Changes that the target refused and that wait. */
  readonly deadLetters?: number;
}

/** The whole answer of the query `status`: what was last known, as of `asOf`. */
export interface RunbookStatus {
  readonly run: string;
  readonly phase: Phase;
  readonly phaseSince: number;
  readonly asOf: number;
  /** What the run waits for now, in words; null while it works. */
  readonly waitingFor: string | null;
  readonly openGates: readonly Gate[];
  /** From when on the application may write to CockroachDB: the cursor. Null: not yet. */
  readonly applicationMayWriteSince: string | null;
  readonly forward: string | null;
  /** How both sides compare as of the cursor, in words; null before that is asked. */
  readonly atCursor: string | null;
  readonly warnings: readonly string[];
  readonly stream: StreamStatus | null;
  readonly incidents: readonly Incident[];
  readonly messages: readonly MessageRecord[];
  readonly ending: Ending | null;
}

/** How a run ended, in words. The result of the workflow. */
export interface Ending {
  readonly outcome: 'finished' | 'rolled back' | 'failed';
  /** The whole thing in one paragraph. */
  readonly summary: string;
  readonly mayApplicationWriteToOldDatabase: string;
  readonly asOf: string | null;
  readonly rowsCompared: number | null;
  /** What was done, a line each. */
  readonly done: readonly string[];
  /** What remains for a person, a line each; empty: nothing. */
  readonly remains: readonly string[];
  readonly howToRestartForwardReplication: string;
}

/** Messages kept in the status; older ones are in the history. */
export const MESSAGES_KEPT = 30;
