import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker, type LogEntry } from '@temporalio/worker';
import { Connection } from '@temporalio/client';
import { createHostQueueActivities, createSharedActivities, type ActivityDeps } from '../activities/index.js';
import { startMetricsServer } from '../metrics/server.js';
import { readWorkerConfig, type WorkerConfig } from './config.js';
import { createDependencies } from './dependencies.js';
import { awaitTemporal, requireNamespace } from './temporal.js';

const WORKFLOWS = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));

/** One line to standard error, with its time. */
function say(message: string): void {
  process.stderr.write(`${new Date().toISOString()} ${message}\n`);
}

/** Temporal's core repeats itself while its server is away; one line says it all, and ours says when it is back. */
function keepLog({ level, message, meta }: LogEntry): void {
  const text = `${message} ${typeof meta?.['error'] === 'string' ? meta['error'] : ''}`;
  if (level === 'WARN' && /gRPC|connection|poll/i.test(text)) return;
  // What the SDK says of its bundle and its states is nothing to an operator; what our activities say is.
  if (level === 'INFO' && meta?.['sdkComponent'] === 'worker') return;
  say(`${level.toLowerCase()} ${message}`);
}

async function run(config: WorkerConfig): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      say(`${signal}: stopping within ${config.shutdownMs} ms`);
      stop.abort();
    });
  }
  const options = await awaitTemporal(config, stop.signal, say);
  if (options === null) return;
  // Not before: it keeps the process alive until its last connection is closed.
  Runtime.install({
    logger: new DefaultLogger('INFO', keepLog),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
    shutdownSignals: [],
  });
  const ends: (() => Promise<void>)[] = [];
  let polls = false;
  try {
    const connection = await Connection.connect(options);
    ends.push(() => connection.close());
    await requireNamespace(connection, config);
    const native = await NativeConnection.connect(options);
    ends.push(() => native.close());
    const { activities, receiver, figures, watchStages } = await createDependencies(config, connection, say);
    ends.push(() => receiver.close(1_000));
    if (config.metricsAddr !== null) {
      const metrics = await startMetricsServer(config.metricsAddr, figures, () => polls);
      ends.push(() => metrics.close());
    }
    const workers = await createWorkers(config, native, activities);
    stop.signal.addEventListener('abort', () => workers.forEach((worker) => worker.shutdown()));
    if (stop.signal.aborted) workers.forEach((worker) => worker.shutdown());
    say(
      `worker ${config.host} polls ${config.temporal.taskQueue} at ${config.temporal.address}; its receiver listens on port ${receiver.port}`,
    );
    const endWatch = watchStages();
    ends.push(() => Promise.resolve(endWatch()));
    const running = workers.map((worker) => worker.run());
    polls = true;
    await Promise.all(running);
  } finally {
    // What was opened keeps the process alive, after a start that failed too; a failed closing never hides the first cause.
    for (let end = ends.pop(); end; end = ends.pop())
      await end().catch((error: unknown) => say(`while stopping: ${String(error)}`));
  }
  say('stopped');
}

/** One for the shared queue, one for this host's own. */
async function createWorkers(
  config: WorkerConfig,
  connection: NativeConnection,
  activities: ActivityDeps,
): Promise<readonly Worker[]> {
  const common = {
    connection,
    namespace: config.temporal.namespace,
    maxHeartbeatThrottleInterval: '1s',
    // The window under way is finished on WORKER_SHUTDOWN; without a bound an outage of Temporal would hold the process.
    shutdownForceTime: config.shutdownMs,
    stickyQueueScheduleToStartTimeout: '2s',
  } as const;
  return Promise.all([
    Worker.create({
      ...common,
      taskQueue: config.temporal.taskQueue,
      workflowsPath: WORKFLOWS,
      activities: createSharedActivities(activities),
    }),
    Worker.create({ ...common, taskQueue: config.host, activities: createHostQueueActivities(activities) }),
  ]);
}

try {
  await run(readWorkerConfig());
} catch (error) {
  // One line: a stack tells an operator nothing, and could hold a value of the environment.
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  // A worker that did not end within its time keeps Temporal's core, and with it the process, alive for ever.
  process.exit();
}
