import { ActivityCancellationType, proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import type { RunbookInput } from '../domain/runbook-input.js';

/**
 * One call per retry profile; `summary` is the line that the UI's timeline shows. A cancelled run waits for the activity's end: an undo
 * must not race with the step that it undoes.
 */
const COMMON = { cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED } satisfies ActivityOptions;

/** The worker of a short activity is missed after so long; every worker tells of them in between. */
const MISSED_AFTER = '10 s';

/** Seconds of work, idempotent, tried again until it succeeds or is refused for good. */
export function quickActivities(summary: string): Activities {
  return proxyActivities<Activities>({
    ...COMMON,
    summary,
    startToCloseTimeout: '2 minutes',
    heartbeatTimeout: MISSED_AFTER,
    retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '20 s' },
  });
}

/** The same, but after some tries the caller hears why not: it makes that an incident and asks again. */
export function boundedActivities(summary: string): Activities {
  return proxyActivities<Activities>({
    ...COMMON,
    summary,
    startToCloseTimeout: '2 minutes',
    heartbeatTimeout: MISSED_AFTER,
    retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumAttempts: 3 },
  });
}

/** An undo: tried for a time, then it is left to a person. */
export function undoActivities(summary: string): Activities {
  return proxyActivities<Activities>({
    ...COMMON,
    summary,
    startToCloseTimeout: '2 minutes',
    heartbeatTimeout: MISSED_AFTER,
    scheduleToCloseTimeout: '5 minutes',
    retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '10 s', maximumAttempts: 8 },
  });
}

/** Minutes to hours of work or of watching, with heartbeats. */
export function watchingActivities(summary: string, input: Pick<RunbookInput, 'limits'>): Activities {
  return proxyActivities<Activities>({
    ...COMMON,
    summary,
    startToCloseTimeout: '30 days',
    heartbeatTimeout: input.limits.heartbeatTimeout,
    retry: { initialInterval: '1 s', backoffCoefficient: 1, maximumInterval: '1 s' },
  });
}

/** The same, but after some tries the caller hears why not: it makes that an incident and asks again. */
export function longActivities(summary: string, input: Pick<RunbookInput, 'limits'>): Activities {
  return proxyActivities<Activities>({
    ...COMMON,
    summary,
    startToCloseTimeout: '30 days',
    heartbeatTimeout: input.limits.heartbeatTimeout,
    retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumAttempts: 3 },
  });
}

/** The long activity of a stream, on the queue of one host. Its retries are the stream's, which chooses the host. */
export function hostActivities(
  host: string,
  limits: { readonly heartbeatTimeoutMs: number; readonly hostGraceMs: number },
): Activities {
  return proxyActivities<Activities>({
    ...COMMON,
    summary: `receive and apply on ${host}`,
    taskQueue: host,
    scheduleToStartTimeout: limits.hostGraceMs,
    startToCloseTimeout: '365 days',
    heartbeatTimeout: limits.heartbeatTimeoutMs,
    retry: { maximumAttempts: 1 },
  });
}
