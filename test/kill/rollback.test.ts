import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, suite, test } from 'node:test';
import type { Phase } from '../../src/domain/phases.js';
import type { Ending } from '../../src/domain/status.js';
import { dumpBoth, liveJobs } from '../support/dumps.js';
import type { Run } from '../support/run.js';
import { until } from '../support/until.js';
import { openScene, PATIENCE, type Scene } from './scene.js';

let at: Scene;
before(async () => {
  at = await openScene();
});
after(() => at.stop());
afterEach(async () => {
  await at.stack.cockroach.control.clearFaults();
  Object.values(at.proxies).forEach((proxy) => proxy.resume());
});

/** A run that waits in drain, with what both sides hold before it touches anything. */
async function untouchedRun(id: string): Promise<{ readonly run: Run; readonly untouched: string[] }> {
  const run = await at.begin(id);
  return { run, untouched: await dumpBoth(at) };
}

async function rolledBack(run: Run, untouched: readonly string[]): Promise<Ending> {
  const ending = await run.ending();
  assert.equal(ending.outcome, 'rolled back');
  assert.deepEqual(ending.remains, []);
  assert.deepEqual(await dumpBoth(at), untouched, 'settings, schemas and jobs are as before');
  return ending;
}

/** A point at which the run is held on the wire, the phase and the activity that stand there, and what the wire does once a rollback is asked. */
interface Hold {
  readonly title: string;
  readonly phase: Phase;
  readonly activity: string;
  readonly arm: () => () => boolean;
  /** What is seen from outside while it is held. */
  readonly seen: (run: Run, untouched: readonly string[]) => Promise<void>;
  /** `cut`: what is held is lost; `pass`: it goes on; `late`: it goes on only when the run has ended. */
  readonly then: 'cut' | 'pass' | 'late';
  /** The side at which it is held. */
  readonly side: 'source' | 'target' | 'receiver';
}

const tokenOf = async (run: Run) => (await at.checkpoint(run)).token;

const HOLDS: readonly Hold[] = [
  {
    title: 'in prepare, before its first effect',
    phase: 'prepare',
    activity: 'rememberRun',
    side: 'target',
    arm: () => at.proxies.target.arm('to-server', 'CREATE SCHEMA', 'pause'),
    seen: async (_, untouched) => assert.deepEqual(await dumpBoth(at), untouched),
    then: 'cut',
  },
  {
    title: 'in prepare, with history protected and nobody told by which job',
    phase: 'prepare',
    activity: 'protectHistory',
    side: 'source',
    arm: () => at.proxies.source.arm('to-server', 'protect_mvcc_history($1', 'hold-answer'),
    async seen() {
      await until('the protection', async () => (await liveJobs(at.source)).length, PATIENCE);
    },
    then: 'cut',
  },
  {
    title: 'in cursor, with its row there and nobody told',
    phase: 'cursor',
    activity: 'insertCheckpoint',
    side: 'target',
    arm: () => at.proxies.target.arm('to-server', ['.checkpoint (stream', 'COMMIT'], 'hold-answer'),
    async seen(run) {
      await until('the row', () => at.checkpoint(run), PATIENCE);
    },
    then: 'pass',
  },
  {
    title: 'in receiver, before the attempt has an effect',
    phase: 'receiver',
    activity: 'receiveAndApply',
    side: 'target',
    arm: () => at.proxies.target.arm('to-server', 'SET token = $2', 'pause'),
    seen: async (run) => assert.equal(await tokenOf(run), null),
    then: 'late',
  },
  {
    title: 'in receiver, with the token taken',
    phase: 'receiver',
    activity: 'receiveAndApply',
    side: 'target',
    arm: () => at.proxies.target.arm('to-server', ['SET token = $2', 'COMMIT'], 'hold-answer'),
    async seen(run) {
      await until('the token', () => tokenOf(run), PATIENCE);
    },
    then: 'late',
  },
  {
    title: 'in receiver, with the stage bound and the row not yet naming it',
    phase: 'receiver',
    activity: 'receiveAndApply',
    side: 'target',
    arm: () => at.proxies.target.arm('to-server', 'SET stage_id = $3', 'pause'),
    seen: async (run) => assert.equal((await at.checkpoint(run)).stage, null),
    then: 'late',
  },
  {
    title: 'with the attempt listening, and CockroachDB’s way to it closed',
    phase: 'receiver',
    activity: 'proveReceiver',
    side: 'receiver',
    arm: () => at.proxies.receiver.arm('to-server', { bytes: 1 }, 'pause'),
    seen: async (run) => assert.notEqual((await at.checkpoint(run)).stage, null),
    then: 'late',
  },
];

suite('a rollback while a phase is held on the wire', () => {
  for (const [number, { title, phase, activity, side, arm, seen, then }] of HOLDS.entries()) {
    test(title, async () => {
      const { run, untouched } = await untouchedRun(`held-${number}`);
      const done = arm();
      await run.signal('forwardStopped');
      await at.hit(done);
      await seen(run, untouched);
      await run.awaitPhase(phase);
      await run.signal('rollback');
      // A short activity is not broken off: the rollback waits until its outcome is known.
      if (then !== 'late') await run.awaitCancelling(activity);
      if (then === 'cut') at.proxies[side].cutAll();
      if (then === 'pass') at.proxies[side].resume();
      const ending = await rolledBack(run, untouched);
      assert.match(ending.summary, new RegExp(`in phase ${phase}\\. No row was written`));
      if (then !== 'late') return;
      at.proxies[side].resume();
      await until('what was held has met its end', async () => (await sessionsOf(run)) === 0, PATIENCE);
      assert.deepEqual(await dumpBoth(at), untouched, 'what arrives late changes nothing');
    });
  }
});

/** Sessions of the run on the target. */
async function sessionsOf(run: Run): Promise<number | null> {
  const { rowCount } = await at.target.query('SELECT FROM pg_stat_activity WHERE application_name = $1', [
    `failback ${run.id}`,
  ]);
  return rowCount;
}

suite('a rollback with the receiver down', () => {
  test('its host is started again after the signal', async () => {
    const { run, untouched } = await untouchedRun('down-again');
    await run.replicating();
    await at.insert(run, 1, 2);
    await at.arrived(run);
    await at.killWorker();
    await at.insert(run, 3);
    await run.signal('rollback');
    await at.startWorker();
    const ending = await rolledBack(run, untouched);
    assert.match(ending.summary, /keeps the rows applied so far: every change up to \d+\.\d{10}/);
    assert.equal(await at.rowsOnTarget('t_down_again'), 2, 'the applied rows stay, and none is added');
  });

  test('its host never comes back, and another one’s worker undoes it', async () => {
    const { run, untouched } = await untouchedRun('down-other');
    await run.replicating();
    await at.insert(run, 1);
    await at.arrived(run);
    const other = await at.stack.startWorker({
      host: `${at.stack.taskQueue}-other`,
      stageDir: join(at.stack.folder, 'other'),
    });
    await at.killWorker();
    await run.signal('rollback');
    await rolledBack(run, untouched);
    assert.equal(await at.rowsOnTarget('t_down_other'), 1);
    await other.stop();
    await at.startWorker();
  });

  test('killed at the very undo, between a cancelled job and the word of it', async () => {
    const { run, untouched } = await untouchedRun('down-undo');
    await run.replicating();
    const held = at.proxies.source.arm('to-server', 'CANCEL JOB', 'hold-answer');
    await run.signal('rollback');
    await at.hit(held);
    const { rows } = await at.target.query('SELECT feed_wanted FROM _failback.checkpoint WHERE stream = $1', [run.id]);
    assert.deepEqual(rows, [{ feed_wanted: 'f' }], 'recorded before the job is cancelled: no poll creates it again');
    await at.killWorker();
    await at.startWorker();
    await rolledBack(run, untouched);
  });
});

suite('what a rollback cannot undo', () => {
  test('a setting that is not put back at once is put back by the next try', async () => {
    const { run, untouched } = await untouchedRun('not-at-once');
    await run.replicating();
    await at.stack.cockroach.control.fault('statement_error', {
      pattern: 'SET CLUSTER SETTING kv\\.closed',
      sqlstate: '40001',
      message: 'restart transaction: injected',
      times: 1,
    });
    await run.signal('rollback');
    await rolledBack(run, untouched);
  });

  test('is named with what a person has to do, and everything else is undone', async () => {
    const { run, untouched } = await untouchedRun('refused');
    await run.replicating();
    const live = await liveJobs(at.source);
    await at.stack.cockroach.control.fault('statement_error', {
      pattern: '^CANCEL JOB',
      sqlstate: '42501',
      message: 'user root does not have privileges for job',
      times: 1_000,
    });
    await run.signal('rollback');
    const ending = await run.ending();
    assert.equal(ending.outcome, 'rolled back');
    const [changefeed, history, ...others] = ending.remains;
    assert.match(changefeed ?? '', /does not have privileges.*: CANCEL JOB .*failback_stream=refused/);
    assert.match(history ?? '', /does not have privileges.*: cancel the job described as "failback refused"/);
    assert.deepEqual(others, []);
    assert.match(ending.summary, /something remains for a person/i);
    const remaining = new Set(live.map((job) => `source: job ${job}`));
    assert.deepEqual(
      (await dumpBoth(at)).filter((line) => !remaining.has(line)),
      untouched,
      'but for the two jobs, both sides are as before',
    );

    await at.stack.cockroach.control.clearFaults();
    for (const job of live) await at.source.query(`CANCEL JOB ${job.split(' ', 1)[0]}`);
    await until('nothing is left', async () => (await liveJobs(at.source)).length === 0, PATIENCE);
    assert.deepEqual(await dumpBoth(at), untouched);
  });
});
