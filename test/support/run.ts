import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import {
  Client,
  Connection,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import proto, { type temporal } from '@temporalio/proto';
import type pg from 'pg';
import { freePort } from '../../demo/parts/free-port.js';
import { connect } from '../../demo/pg-session.js';
import { startStack, type Stack, type StackOptions } from '../../demo/parts/stack.js';
import type { WorkerOptions, WorkerProcess } from '../../demo/parts/worker-process.js';
import type { Phase } from '../../src/domain/phases.js';
import type { Ending, RunbookStatus } from '../../src/domain/status.js';
import { startGate, type Gate } from './gate.js';
import { POSTGRES } from './target/postgres.js';
import type { Target, TestDialect } from './target/target.js';
import { until } from './until.js';

/** What a run is given unless a test says otherwise: quick, and with every cluster setting that the runbook may change. */
export const SETTINGS = {
  'kv.rangefeed.enabled': 'true',
  'kv.closed_timestamp.target_duration': '250ms',
  'kv.rangefeed.closed_timestamp_refresh_interval': '200ms',
  'kv.rangefeed.concurrent_catchup_iterators': '32',
} as const;
export type Input = Readonly<Record<string, unknown>>;

/** An activity that is under way, or waits for its next try. */
export type PendingActivity = temporal.api.workflow.v1.IPendingActivityInfo;
const { PENDING_ACTIVITY_STATE_CANCEL_REQUESTED } = proto.temporal.api.enums.v1.PendingActivityState;

/** A run under test, by its workflow id. */
export interface Run {
  readonly id: string;
  readonly handle: WorkflowHandle;
  /** The activity of that name, of the run or of its stream. */
  pending(activity: string): Promise<PendingActivity | undefined>;
  /** Waits until that activity has been tried so often in vain; answers with the words of the last try. */
  awaitFailed(activity: string, times: number): Promise<string>;
  /** Waits until that activity, which is under way, has been told to end. */
  awaitCancelling(activity: string): Promise<void>;
  status(): Promise<RunbookStatus>;
  awaitPhase(phase: Phase, timeoutMs?: number): Promise<RunbookStatus>;
  /** Says that forward replication is stopped, and awaits the phase replicate. */
  replicating(): Promise<RunbookStatus>;
  signal(name: string, payload?: unknown): Promise<void>;
  /** The update of that name: its answer, or the words with which it was refused. */
  ask(name: string, payload?: unknown): Promise<string>;
  /** The ending; fails when the run does not end within the time. */
  ending(timeoutMs?: number): Promise<Ending>;
  /** The message of the failure with which the run ended, and the catalogue's type of it. */
  failure(timeoutMs?: number): Promise<{ readonly type: string; readonly message: string }>;
}

/** Both databases, Temporal and one worker, for all tests of a file. */
export interface RunStack {
  readonly stack: Stack;
  readonly client: Client;
  /** The one started last. */
  readonly worker: WorkerProcess;
  /** SIGKILL; nothing is started in its place. */
  killWorker(): Promise<void>;
  /** Starts one more, of the same host and stage folder unless told otherwise. */
  startWorker(over?: Partial<WorkerOptions>): Promise<void>;
  readonly metricsPort: number;
  /** Connected straight, beside the gates. */
  readonly source: pg.Client;
  readonly target: Target;
  /** The same statements on both sides. */
  onBoth(...statements: readonly string[]): Promise<void>;
  /** What the worker's connections `source` and `target` go through. */
  readonly sourceGate: Gate;
  readonly targetGate: Gate;
  /** Makes the same table on both sides: `id` int8 key, `name` text, `price` decimal. */
  createTable(name: string): Promise<void>;
  start(id: string, table: string, input?: Input): Promise<Run>;
  attach(id: string): Run;
  rowsOnTarget(table: string): Promise<number>;
  workerLog(): string;
  stop(): Promise<void>;
}

interface Asked {
  query(sql: string): Promise<unknown>;
}

/** Patience, not a measure: a machine that others load makes a run slow and not wrong. */
const LONG_MS = 180_000;

export interface RunStackOptions extends Omit<StackOptions, 'targetDialect'> {
  /** Of the target; PostgreSQL unless told. */
  readonly dialect?: TestDialect;
  /** With which the worker connects to the target. */
  readonly password?: string;
  /** The worker is told nothing of a receiver. */
  readonly withoutReceiver?: boolean;
  /** Connections of the worker beside `source` and `target`. */
  readonly connections?: Readonly<Record<string, string>>;
  /** Further settings of the worker. */
  readonly env?: Readonly<Record<string, string>>;
  /** What stands between the worker and each database, and between CockroachDB and the receiver: given the port behind it, answers with its own. */
  readonly between?: Partial<Record<'source' | 'target' | 'receiver', (port: number) => Promise<number>>>;
}

export async function startRunStack(options: RunStackOptions = {}): Promise<RunStack> {
  const { between = {}, dialect = POSTGRES, password } = options;
  const stack = await startStack({ ...options, targetDialect: dialect.name });
  const ends: (() => Promise<unknown>)[] = [() => stack.stop()];
  const stop = async (): Promise<void> => {
    for (let end = ends.pop(); end; end = ends.pop()) await end().catch(() => undefined);
  };
  try {
    const target = await dialect.connect(stack.target.url);
    ends.push(() => target.end());
    if (password !== undefined) await target.setPassword(password);
    const source = await connect(stack.cockroach.url());
    ends.push(() => source.end());
    const [sourceGate, targetGate] = await Promise.all([startGate(stack.cockroach.port), startGate(stack.target.port)]);
    ends.push(
      () => sourceGate.shut(),
      () => targetGate.shut(),
    );
    const through = async (side: 'source' | 'target', gate: Gate): Promise<string> => {
      const changed = new URL(stack.connections[side] ?? '');
      changed.port = String((await between[side]?.(gate.port)) ?? gate.port);
      if (side === 'target' && password !== undefined) changed.password = password;
      return changed.toString();
    };
    const metricsPort = await freePort();
    const receiverPort = await freePort();
    const workerOptions = {
      metricsPort,
      receiverPort,
      advertisedPort: (await between.receiver?.(receiverPort)) ?? receiverPort,
      env: options.env ?? {},
      withoutReceiver: options.withoutReceiver ?? false,
      connections: {
        ...options.connections,
        source: await through('source', sourceGate),
        target: await through('target', targetGate),
      },
    };
    let worker = await stack.startWorker(workerOptions);
    const connection = await Connection.connect({ address: stack.temporal.address });
    ends.push(() => connection.close());
    const client = new Client({ connection, namespace: stack.temporal.namespace });
    const attach = (id: string): Run => openRun(client, id);
    const logFile = join(stack.folder, 'worker.log');
    return {
      stack,
      client,
      get worker() {
        return worker;
      },
      killWorker: () => worker.kill('SIGKILL'),
      async startWorker(over = {}) {
        worker = await stack.startWorker({ ...workerOptions, ...over });
      },
      metricsPort,
      source,
      target,
      sourceGate,
      targetGate,
      async onBoth(...statements) {
        for (const statement of statements) for (const side of [source, target] as Asked[]) await side.query(statement);
      },
      attach,
      async createTable(name) {
        await source.query(`CREATE TABLE ${name} (id INT PRIMARY KEY, name STRING, price DECIMAL(12,2))`);
        await target.query(
          `CREATE TABLE ${name} (id int8 PRIMARY KEY, name ${target.types.text}, price numeric(12,2))`,
        );
      },
      async start(id, table, input = {}) {
        await client.workflow.start('failback', {
          taskQueue: stack.taskQueue,
          workflowId: id,
          args: [
            { source: 'source', target: 'target', tables: [`public.${table}`], clusterSettings: SETTINGS, ...input },
          ],
        });
        return attach(id);
      },
      async rowsOnTarget(table) {
        const { rows } = await target.query(`SELECT count(*) AS n FROM ${table}`);
        return Number(rows[0]?.['n']);
      },
      workerLog: () => readFileSync(logFile, 'utf8'),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Rolls back whatever still runs: a test that failed must not be in the way of the next one. */
export async function endRuns(at: RunStack): Promise<void> {
  for await (const { workflowId } of at.client.workflow.list({
    query: `WorkflowType = 'failback' AND TaskQueue = '${at.stack.taskQueue}' AND ExecutionStatus = 'Running'`,
  })) {
    const run = at.attach(workflowId);
    // One that has ended may be listed still.
    await run.signal('rollback').catch((error: unknown) => {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    });
    await run.ending().catch(() => undefined);
  }
}

function openRun(client: Client, id: string): Run {
  const handle = client.workflow.getHandle(id);
  const status = (): Promise<RunbookStatus> => handle.query<RunbookStatus>('status');
  const awaitPhase = async (phase: Phase, timeoutMs = LONG_MS): Promise<RunbookStatus> => {
    const found = await until(
      `run ${id} in phase ${phase}`,
      async () => {
        const now = await status();
        if (now.phase === phase || now.phase === 'ended') return now;
        throw new Error(`in phase ${now.phase}, waiting for ${now.waitingFor ?? 'nothing'}`);
      },
      { timeoutMs, everyMs: 100 },
    );
    // What has ended comes to no other phase: its failure says why.
    if (found.phase !== phase) throw new Error(`run ${id} ended: ${JSON.stringify(await handle.result())}`);
    return found;
  };
  const result = async (timeoutMs: number): Promise<Ending> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`run ${id} has not ended within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      return (await Promise.race([handle.result(), late])) as Ending;
    } finally {
      clearTimeout(timer);
    }
  };
  const pending = async (activity: string): Promise<PendingActivity | undefined> => {
    // The stream may not have begun, and be over before the run.
    const described = await Promise.allSettled(
      [id, `${id}/stream`].map((workflowId) => client.workflow.getHandle(workflowId).describe()),
    );
    return described
      .flatMap((one) => (one.status === 'fulfilled' ? (one.value.raw.pendingActivities ?? []) : []))
      .find(({ activityType }) => activityType?.name === activity);
  };
  return {
    id,
    handle,
    pending,
    async awaitFailed(activity, times) {
      const tried = await until(
        `${activity} of run ${id} has failed ${times} times`,
        async () => {
          const found = await pending(activity);
          return (found?.attempt ?? 0) > times && found;
        },
        { timeoutMs: LONG_MS, everyMs: 100 },
      );
      return tried.lastFailure?.message ?? '';
    },
    async awaitCancelling(activity) {
      await until(
        `${activity} of run ${id} is told to end`,
        async () => (await pending(activity))?.state === PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
        { timeoutMs: LONG_MS, everyMs: 100 },
      );
    },
    status,
    awaitPhase,
    async replicating() {
      await handle.signal('forwardStopped');
      return awaitPhase('replicate');
    },
    async signal(name, payload) {
      await handle.signal(name, ...(payload === undefined ? [] : [payload]));
    },
    async ask(name, payload) {
      try {
        return payload === undefined
          ? await handle.executeUpdate<string, []>(name)
          : await handle.executeUpdate<string, [unknown]>(name, { args: [payload] });
      } catch (error) {
        return innermost(error).message;
      }
    },
    ending: async (timeoutMs = LONG_MS) => result(timeoutMs),
    async failure(timeoutMs = LONG_MS) {
      try {
        await result(timeoutMs);
      } catch (error) {
        if (!(error instanceof WorkflowFailedError)) throw error;
        const cause = innermost(error);
        return { type: cause instanceof ApplicationFailure ? (cause.type ?? '') : cause.name, message: cause.message };
      }
      throw new Error(`run ${id} did not fail`);
    },
  };
}

function innermost(error: unknown): Error {
  let found = error instanceof Error ? error : new Error(String(error));
  while (found.cause instanceof Error) found = found.cause;
  return found;
}
