import type { Client, WorkflowHandle } from '@temporalio/client';
import type { Ending, RunbookStatus } from '../src/domain/status.js';
import { BANK_TABLES } from './bank/schema.js';
import { SENTINEL_TABLE } from './sentinel.js';
import { SHOP_TABLES } from './shop/schema.js';

/** Workflow id of the run on a Temporal server of the demo's own. */
export const RUN = 'orders';

/** The input as a person would write it to a file for `temporal workflow start --input-file`. */
export const INPUT = {
  source: 'source',
  target: 'target',
  tables: [...BANK_TABLES, ...SHOP_TABLES],
  clusterSettings: { 'kv.rangefeed.enabled': 'true', 'kv.closed_timestamp.target_duration': '1s' },
  drain: { forward: 'forward', quietFor: '2s', pollEvery: '500ms', sentinel: SENTINEL_TABLE, stoppedBy: 'worker' },
  limits: { heartbeatTimeout: '5s' },
} as const;

/** The run, as the demo steers it: by messages and queries only. */
export interface Run {
  /** What is known now; rejects while no worker answers. */
  status(): Promise<RunbookStatus>;
  finish(): Promise<void>;
  /** Rejects when the run fails, and when the signal aborts. */
  result(signal: AbortSignal): Promise<Ending>;
  terminate(): Promise<void>;
}

interface StartOptions {
  readonly client: Client;
  readonly taskQueue: string;
  /** Workflow id. */
  readonly run: string;
}

const QUERY_MS = 3_000;

/** @throws when a run of that name is there already */
export async function startRun({ client, taskQueue, run }: StartOptions, old: string): Promise<Run> {
  const handle: WorkflowHandle = await client.workflow.start('failback', {
    taskQueue,
    workflowId: run,
    args: [INPUT],
    // Should the demo be ended by force, a server that is not its own is rid of the run after a day.
    workflowExecutionTimeout: '1 day',
    staticSummary: `the demo: a bank and a shop, from CockroachDB back to ${old}`,
  });
  return {
    status: () => client.withDeadline(Date.now() + QUERY_MS, () => handle.query<RunbookStatus>('status')),
    finish: () => handle.signal('finish'),
    result: (signal) => client.withAbortSignal(signal, () => handle.result() as Promise<Ending>),
    terminate: async () => void (await handle.terminate('the demo has ended')),
  };
}
