import type { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';

/**
 * Whether Temporal still waits for this very activity. A worker that was frozen finds, when thawed, a task that was handed to it and given up
 * long ago: its takeover would throw out the attempt that replaced it. That would lose no row (protocol rule C), yet disturb a healthy stream.
 * While Temporal cannot be asked the answer is yes: the token decides.
 */
export async function isCurrentAttempt(context: Context): Promise<boolean> {
  const { activityId, workflowExecution } = context.info;
  if (workflowExecution === undefined) return true;
  try {
    const { raw } = await context.client.workflow
      .getHandle(workflowExecution.workflowId, workflowExecution.runId)
      .describe();
    return (raw.pendingActivities ?? []).some((pending) => pending.activityId === activityId);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    context.log.warn('could not ask Temporal whether this attempt is still wanted; the takeover decides', {
      error: error instanceof Error ? error.message : String(error),
    });
    return true;
  }
}
