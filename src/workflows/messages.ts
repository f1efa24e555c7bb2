import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Inspection } from '../activities/watch.js';
import type { DeliveredWord, ListeningWord, TroubleWord } from '../domain/attempt.js';
import type { IncidentWord } from '../domain/incident.js';
import type { Message } from '../domain/messages.js';
import type { RunbookStatus, StreamStatus } from '../domain/status.js';

/** What people say to a run: by signal, or by the update of the same name for those who want an answer. */
export const personSignals = {
  pause: defineSignal('pause'),
  resume: defineSignal('resume'),
  finish: defineSignal('finish'),
  rollback: defineSignal('rollback'),
  approve: defineSignal<[{ gate: string }?]>('approve'),
  forwardStopped: defineSignal('forwardStopped'),
  replayDeadLetters: defineSignal('replayDeadLetters'),
} as const satisfies Record<Message, unknown>;

export const personUpdates = {
  pause: defineUpdate<string>('pause'),
  resume: defineUpdate<string>('resume'),
  finish: defineUpdate<string>('finish'),
  rollback: defineUpdate<string>('rollback'),
  approve: defineUpdate<string, [{ gate: string }?]>('approve'),
  forwardStopped: defineUpdate<string>('forwardStopped'),
  replayDeadLetters: defineUpdate<string>('replayDeadLetters'),
} as const satisfies Record<Message, unknown>;

/** Fresh figures, by one activity. */
export const inspectUpdate = defineUpdate<Inspection>('inspect');
/** One typed object of what was last known. */
export const statusQuery = defineQuery<RunbookStatus>('status');
/** The page for people, as in the current details. */
export const reportQuery = defineQuery<string>('report');

/** From the stream to its run. */
export const streamStatusSignal = defineSignal<[StreamStatus]>('stream status');
export const incidentSignal = defineSignal<[IncidentWord]>('stream incident');

/** From the run to its stream. */
export const streamPauseSignal = defineSignal('pause stream');
export const streamResumeSignal = defineSignal('resume stream');

/** From an attempt (the activity `receiveAndApply`) to its stream. */
export const listeningSignal = defineSignal<[ListeningWord]>('listening');
export const deliveredSignal = defineSignal<[DeliveredWord]>('delivered');
export const troubleSignal = defineSignal<[TroubleWord]>('trouble');
