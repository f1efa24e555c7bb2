import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { WorkflowFailedError } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Activities } from '../../src/activities/index.js';
import type { RunStack } from './run.js';

/** Has the worker under test carry out one activity, at the very moment that a test wants it to, as a late or doubled task would. */
export interface ActivityCaller {
  /** The activity's answer, or an error with the words of its failure. */
  call<Name extends keyof Activities>(
    activity: Name,
    argument: Parameters<Activities[Name]>[0],
  ): Promise<Awaited<ReturnType<Activities[Name]>>>;
  stop(): Promise<void>;
}

export async function startActivityCaller({ stack, client }: RunStack): Promise<ActivityCaller> {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
  });
  const connection = await NativeConnection.connect({ address: stack.temporal.address });
  const taskQueue = `${stack.taskQueue}-caller`;
  const worker = await Worker.create({
    connection,
    namespace: stack.temporal.namespace,
    taskQueue,
    workflowsPath: fileURLToPath(new URL('./activity-caller-workflow.ts', import.meta.url)),
  });
  const running = worker.run();
  return {
    async call<Name extends keyof Activities>(
      activity: Name,
      argument: Parameters<Activities[Name]>[0],
    ): Promise<Awaited<ReturnType<Activities[Name]>>> {
      try {
        return (await client.workflow.execute('callActivity', {
          taskQueue,
          workflowId: `call-${activity}-${randomUUID()}`,
          args: [{ taskQueue: stack.taskQueue, activity, argument }],
        })) as Awaited<ReturnType<Activities[Name]>>;
      } catch (error) {
        // Workflow, activity, and the failure itself.
        if (error instanceof WorkflowFailedError && error.cause?.cause instanceof Error) throw error.cause.cause;
        throw error;
      }
    },
    async stop() {
      worker.shutdown();
      await running;
      await connection.close();
    },
  };
}
