import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../support/until.js';
import { untold } from './cases/untold.js';
import { openScene, PATIENCE, type Scene } from './scene.js';

let at: Scene;
before(async () => {
  at = await openScene();
});
after(() => at.stop());

/** A figure of the live attempt on `/_/varz`. */
async function figure(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${at.metricsPort}/_/varz`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}{`));
  return Number(line?.slice(line.lastIndexOf(' ')));
}

test('killed with a row staged and its body not answered: it is sent again, and is there once', async () => {
  const run = await at.beginWithRows('unanswered');
  // All is encrypted there: the body of one large row is told by its size.
  const held = at.proxies.receiver.arm('to-server', { bytes: 60_000 }, 'hold-answer');
  await at.source.query(`INSERT INTO t_unanswered VALUES (3, repeat('x', 80000), 3)`);
  await at.hit(held);
  await until('the row in the stage', async () => (await figure('stage_mutations')) > 0, PATIENCE);
  await at.killWorker();
  assert.equal(await at.rowsOnTarget('t_unanswered'), 2);
  assert.equal(await at.withStage(run, (stage) => stage.figures().entries), 1, 'staged, and on disk');
  await at.startWorker();
  await until('it comes again', async () => (await figure('stage_duplicate_mutations_total')) > 0, PATIENCE);
  await at.arrived(run);
  await at.finish(run);
});

test('killed with a window committed and nobody told: nothing is applied twice', () => untold(at));

test('the stage is lost while the changefeed runs: the next incarnation begins at the checkpoint', async () => {
  const { run, was } = await at.beginWithLostStage('lost-stage');
  await at.insert(run, 3);
  await at.startWorker();
  await at.arrived(run);
  const now = await at.checkpoint(run);
  assert.equal(now.incarnation, was.incarnation + 1);
  assert.notEqual(now.stage, was.stage);
  await at.oneLiveJob(run);
  await at.finish(run);
});

test('a dying changefeed’s last rows and resolved timestamp change nothing (protocol rule A)', async () => {
  const { run, was } = await at.beginWithLostStage('last-words');
  await at.insert(run, 3, 4, 5);
  await at.stack.cockroach.control.fault('feed_last_words', { times: 1 });
  // The old changefeed speaks once more while the new one has delivered nothing: its word would step over rows 3 to 5.
  const cut = at.proxies.source.arm('to-server', 'CANCEL JOB', 'cut-after');
  await at.startWorker();
  await at.hit(cut);
  await until(
    'its last words',
    async () => {
      const { rows } = await at.source.query<{ args: { times: number } }>(
        `SELECT args FROM crdb_sim.feed_fault WHERE name = 'feed_last_words'`,
      );
      return rows[0]?.args.times === 0;
    },
    PATIENCE,
  );
  await at.insert(run, 6);
  await at.arrived(run);
  assert.equal((await at.checkpoint(run)).incarnation, was.incarnation + 1);
  await at.finish(run);
});

test('the target is set back by one window under a live applier: what it lost comes again', async () => {
  const run = await at.beginWithRows('set-back');
  const was = await at.checkpoint(run);
  await at.insert(run, 3, 4);
  await at.arrived(run);
  const { applied } = await at.checkpoint(run);
  assert.notEqual(applied, was.applied);
  // What a restore does: rows and checkpoint of one moment, at once.
  await at.target.query('BEGIN');
  await at.target.query('DELETE FROM t_set_back WHERE id > 2');
  await at.target.query('UPDATE _failback.checkpoint SET applied = $2::numeric WHERE stream = $1', [
    run.id,
    was.applied,
  ]);
  await at.target.query('COMMIT');
  await at.arrived(run);
  assert.ok(at.worker.running, 'by the very same worker');
  const now = await at.checkpoint(run);
  assert.ok(now.incarnation > was.incarnation, 'the stage no longer had it: a new incarnation began there');
  await at.oneLiveJob(run);
  await at.insert(run, 5);
  await at.arrived(run);
  await at.finish(run);
});

test('killed while paused: the next attempt rests too and is watched, and a resume goes on', async () => {
  const run = await at.beginWithRows('rests');
  const { stream } = await run.status();
  assert.match(await run.ask('pause'), /^pausing/);
  const isPaused = async (): Promise<boolean> =>
    (await at.source.query(`SELECT FROM [SHOW CHANGEFEED JOB ${stream?.jobId}] WHERE status = 'paused'`)).rowCount ===
    1;
  await until('the job rests', isPaused, PATIENCE);
  await at.killWorker();
  await at.insert(run, 3);
  await at.startWorker();
  await until(
    'the next attempt is watched',
    async () => {
      const now = (await run.status()).stream;
      return (
        now !== null && now.attempts > (stream?.attempts ?? 0) && now.reached === true && now.jobStatus === 'paused'
      );
    },
    PATIENCE,
  );
  assert.ok(await isPaused());
  assert.equal(await at.rowsOnTarget('t_rests'), 2);
  await run.signal('resume');
  await at.arrived(run);
  assert.deepEqual(
    (await run.status()).incidents.filter(({ endedAt, type }) => endedAt === null && type !== 'Host.Lost'),
    [],
  );
  await at.finish(run);
});
