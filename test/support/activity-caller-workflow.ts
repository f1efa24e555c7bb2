import { proxyActivities } from '@temporalio/workflow';

/** Calls one activity by its name, once. Its failure is the workflow's. */
export async function callActivity(call: {
  readonly taskQueue: string;
  readonly activity: string;
  readonly argument: unknown;
}): Promise<unknown> {
  const activities = proxyActivities<Record<string, (argument: unknown) => Promise<unknown>>>({
    taskQueue: call.taskQueue,
    startToCloseTimeout: '1 minute',
    retry: { maximumAttempts: 1 },
  });
  return activities[call.activity]?.(call.argument);
}
