import { workflowInfo } from '@temporalio/workflow';
import type { StreamArgs } from '../domain/stream-args.js';

/** Temporal ends a workflow whose history has 50 MB. Far below, and far above the payloads of one attempt. */
const MOST_BYTES = 16 * 1_048_576;

/**
 * Whether this run of a stream has to make room for the next one. Temporal's own suggestion comes late in events, and early in bytes where a
 * plan is large: a run could then do nothing but continue as new.
 */
export function historyIsLong({ input }: StreamArgs): boolean {
  const { historyLength, historySize } = workflowInfo();
  return historyLength > input.limits.streamHistory || historySize > MOST_BYTES;
}
