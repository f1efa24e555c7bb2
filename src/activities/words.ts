import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { pause } from './pause.js';

const AGAIN_AFTER_MS = 1_000;

/**
 * Says things to a workflow, in order, without holding up the speaker: an outage of Temporal is no outage of replication. What cannot be said
 * is tried again until it is, until the workflow is gone, or until the signal aborts.
 */
export interface Words {
  readonly say: (signal: string, payload: unknown) => void;
}

export function createWords(options: {
  readonly client: Client;
  readonly workflowId: string;
  readonly signal: AbortSignal;
  readonly onGone: () => void;
  readonly log: (message: string) => void;
}): Words {
  const { client, workflowId, signal, onGone, log } = options;
  let last: Promise<void> = Promise.resolve();

  async function deliver(name: string, payload: unknown): Promise<void> {
    while (!signal.aborted) {
      try {
        // By id alone: a stream that has continued as new is the same stream.
        await client.workflow.getHandle(workflowId).signal(name, payload);
        return;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return onGone();
        log(`the word "${name}" did not reach ${workflowId}; again in ${AGAIN_AFTER_MS} ms`);
        await pause(AGAIN_AFTER_MS, signal).catch(() => undefined);
      }
    }
  }

  return {
    say: (name, payload) => {
      last = last.then(() => deliver(name, payload));
    },
  };
}
