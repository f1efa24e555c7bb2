import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import pg from 'pg';
import { createFiguresReader } from './figures.js';
import type { Scene } from './scene.js';
import { until } from './until.js';
import { isWorker, type Evidence } from './verdict.js';
import type { Watch } from './watch.js';

export interface Crash extends Pick<Evidence, 'killed' | 'workerPid' | 'successorPid' | 'redelivered'> {
  /** What the reader of the bank had seen when the worker was back. */
  readonly states: number;
}

/** Enough rows on the target to say that replication is under way. */
const APPLIED_BEFORE = 500;
const APPLYING_LIMIT_MS = 60_000;
const NOTICED_LIMIT_MS = 30_000;
/** The worker answers before it has bundled its workflows, which takes most of a minute where others use the machine, too. */
const REDELIVERED_LIMIT_MS = 180_000;

/**
 * Kills the worker with SIGKILL while windows are being applied and rows are in its stage that no resolved timestamp covers, waits until
 * CockroachDB has given up sending to it, and starts it again. The changefeed then begins at its high-water: those rows come again.
 */
export async function crashWorker(
  scene: Scene,
  watch: Watch,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<Crash> {
  const appliedMeanwhile = await awaitApplying(watch, signal);
  const { worker } = scene;
  const workerPid = worker.pid;
  const commandLine = commandLineOf(workerPid);
  if (!isWorker(commandLine)) throw new Error(`process ${workerPid} is not the worker but "${commandLine}"`);
  await worker.kill('SIGKILL');
  say(
    `killed the worker (process ${workerPid}, SIGKILL) while rows were being applied; ${watch.figures.staged} were in its stage`,
  );
  await awaitNoticed(scene.source, signal);
  say('CockroachDB has noticed that nobody takes its rows; starting the worker again ...');
  await scene.restartWorker();
  const redelivered = await awaitRedelivered(scene.metricsUrl, signal);
  say(`the worker is back (process ${scene.worker.pid}); ${redelivered} rows were delivered again so far`);
  return {
    killed: { pid: workerPid, commandLine, appliedMeanwhile },
    workerPid,
    successorPid: scene.worker.pid,
    redelivered,
    states: scene.readerFigures().states,
  };
}

/** Returns the rows applied between two looks, just now. */
async function awaitApplying(watch: Watch, signal: AbortSignal): Promise<number> {
  let last = watch.figures.applied;
  return until(
    'rows are being applied while others wait in the stage',
    () => {
      const { applied, staged } = watch.figures;
      const moved = applied - last;
      last = applied;
      return applied >= APPLIED_BEFORE && staged > 0 && moved > 0 && moved;
    },
    { limitMs: APPLYING_LIMIT_MS, everyMs: 50, signal },
  );
}

/** The job retries by itself first; then it says so, and starts again from its high-water. */
async function awaitNoticed(source: string, signal: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: source });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await until(
      'CockroachDB says that the receiver does not answer',
      async () => {
        const { rows } = await client.query<{ running_status: string | null }>('SHOW CHANGEFEED JOBS');
        return rows.some((row) => row.running_status?.includes('retryable error'));
      },
      { limitMs: NOTICED_LIMIT_MS, everyMs: 200, signal },
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function awaitRedelivered(metricsUrl: string, signal: AbortSignal): Promise<number> {
  // Its own reader: the figures of the worker that is gone do not count.
  const read = createFiguresReader(metricsUrl);
  return until(
    'the changefeed has sent rows again to the worker that came back',
    async () => (await read()).redelivered || undefined,
    { limitMs: REDELIVERED_LIMIT_MS, everyMs: 250, signal },
  );
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? '';
  }
}
