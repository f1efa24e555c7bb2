import { setTimeout as delay } from 'node:timers/promises';
import { openIncidents } from '../src/domain/incident.js';
import type { Ending, RunbookStatus } from '../src/domain/status.js';
import { BANK_TOTAL } from './bank/schema.js';
import { compareSides, insertOnTarget } from './compare.js';
import { crashWorker } from './crash.js';
import type { Run } from './runbook.js';
import type { Scene } from './scene.js';
import type { Screen } from './screen.js';
import { startApplication, startOldApplication, type Traffic } from './traffic.js';
import { until } from './until.js';
import { judge, renderEvidence } from './verdict.js';
import type { Watch } from './watch.js';

export interface Cast {
  readonly scene: Scene;
  readonly run: Run;
  readonly watch: Watch;
  readonly screen: Screen;
  /** Everything stops when it aborts, with its reason. */
  readonly signal: AbortSignal;
  readonly fail: (error: unknown) => void;
  /** Whoever writes to CockroachDB is told here. */
  readonly onTraffic: (traffic: Traffic) => void;
}

const PHASE_LIMIT_MS = 180_000;
const FINISH_LIMIT_MS = 120_000;
const LAST_WRITES_MS = 1_000;
const OLD_PAUSE_MS = 100;
const PAUSE_MS = 15;

/** Up to the phase `replicate`: the old application's last rows are drained, then the application writes to CockroachDB. */
export async function cutOver(cast: Cast, pauseMs = PAUSE_MS): Promise<Traffic> {
  const { scene, watch, screen, signal, fail } = cast;
  const limits = { limitMs: PHASE_LIMIT_MS, signal };
  const last = await startOldApplication(scene.target, OLD_PAUSE_MS, fail);
  try {
    await until('the run drains forward replication', () => watch.status?.phase === 'drain', limits);
    await delay(LAST_WRITES_MS, undefined, { signal });
  } finally {
    await last.stop();
  }
  screen.say(
    `the old application has stopped after ${last.transactions} last writes; forward replication brings them over`,
  );
  const since = await until(
    'the application may write to CockroachDB',
    () => watch.status?.applicationMayWriteSince,
    limits,
  );
  const traffic = await startApplication(scene.source, pauseMs, fail);
  cast.onTraffic(traffic);
  screen.say(
    `forward replication is drained and stopped; from the cursor ${since} on the application writes to CockroachDB`,
  );
  await until('the run replicates', () => watch.status?.phase === 'replicate', limits);
  return traffic;
}

export interface Outcome {
  readonly ending: Ending;
  /** In figures, for the terminal. */
  readonly evidence: string;
  /** The checks that failed. */
  readonly failures: readonly string[];
}

/** The whole story. */
export async function tellStory(cast: Cast): Promise<Outcome> {
  const { scene, run, watch, screen, signal } = cast;
  const traffic = await cutOver(cast);
  const crash = await crashWorker(scene, watch, signal, (line) => screen.say(line));
  await until('the target has moved on after the crash', () => scene.readerFigures().states > crash.states, {
    limitMs: PHASE_LIMIT_MS,
    signal,
  });
  await traffic.stop();
  screen.say('the application has stopped writing to CockroachDB; sending the signal finish ...');
  const replicatingSince = watch.status?.phaseSince;
  await run.finish();
  const ending = await awaitEnding(cast, () => whyNotFinished(watch.status, replicatingSince));
  const reader = await scene.stopReader();
  const tables = await compareSides(scene.source, scene.target);
  const insertError = await insertOnTarget(scene.target);
  const evidence = {
    outcome: ending.outcome,
    rowsCompared: ending.rowsCompared,
    reader,
    killed: crash.killed,
    workerPid: crash.workerPid,
    successorPid: crash.successorPid,
    redelivered: Math.max(crash.redelivered, watch.figures.redelivered),
    late: watch.figures.late,
    forwardExitCode: await scene.forward.stop(),
    transactions: traffic.transactions,
    tables,
    insertError,
  };
  return { ending, evidence: renderEvidence(evidence, BANK_TOTAL), failures: judge(evidence) };
}

/** @throws when the run fails, or goes on replicating instead: its incident says why. */
async function awaitEnding({ run, watch, signal }: Cast, whyNot: () => string | undefined): Promise<Ending> {
  const result = run.result(signal);
  const settled: Promise<boolean> = result.then(
    () => true,
    () => true,
  );
  let isSettled = false;
  void settled.then(() => (isSettled = true));
  try {
    await until('the run has ended', () => isSettled || whyNot(), { limitMs: FINISH_LIMIT_MS, signal });
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new Error(`the run does not finish: it is in phase ${watch.status?.phase ?? 'unknown'}`, { cause });
  }
  if (!isSettled) throw new Error(`the run does not finish: ${whyNot() ?? ''}`);
  return result;
}

/**
 * Finish found something: it has reported, and the run replicates anew. An incident of the phase before, as the killed worker has left
 * it, ends by itself. Pure.
 */
export function whyNotFinished(
  status: Pick<RunbookStatus, 'phase' | 'phaseSince' | 'incidents'> | null,
  replicatingSince: number | undefined,
): string | undefined {
  if (status?.phase !== 'replicate' || status.phaseSince === replicatingSince) return undefined;
  const incident = openIncidents(status.incidents).at(-1);
  return incident && `${incident.type}: ${incident.cause}`;
}
