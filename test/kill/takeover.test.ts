import assert from 'node:assert/strict';
import { before, after, suite, test } from 'node:test';
import type { Run } from '../support/run.js';
import { until } from '../support/until.js';
import { openScene, PATIENCE, type CheckpointSeen, type Scene } from './scene.js';

let at: Scene;
before(async () => {
  at = await openScene();
});
after(() => at.stop());

interface Point {
  readonly title: string;
  /** Returns whether the point is reached. */
  readonly arm: () => () => boolean;
  /** Says from outside that the worker stands at this very point. */
  readonly reached: (run: Run, before: CheckpointSeen) => Promise<void>;
}

/** Steps 1 to 4, which every takeover goes through. */
const POINTS: readonly Point[] = [
  {
    title: 'with the token taken and nothing else done',
    arm: () => at.proxies.target.arm('to-server', ['SET token = $2', 'COMMIT'], 'hold-answer'),
    async reached(run, was) {
      await until('the token', async () => (await at.checkpoint(run)).token !== was.token, PATIENCE);
      const { stage, incarnation } = await at.checkpoint(run);
      assert.deepEqual([stage, incarnation], [was.stage, was.incarnation], 'the row names what it named');
      await at.killWorker();
      assert.equal(await at.withStage(run, (left) => left.binding()), null, 'the stage is not bound');
    },
  },
  {
    title: 'with the stage bound to the next incarnation and the row not yet written',
    arm: () => at.proxies.target.arm('to-server', 'SET stage_id = $3', 'pause'),
    async reached(run, was) {
      await at.killWorker();
      const bound = await at.withStage(run, (stage) => stage.binding());
      assert.equal(bound?.incarnation, was.incarnation + 1);
      const row = await at.checkpoint(run);
      assert.deepEqual([row.stage, row.incarnation], [was.stage, was.incarnation], 'the row names what it named');
      assert.notEqual(row.token, was.token);
    },
  },
  {
    title: 'with the row written and CREATE CHANGEFEED not sent',
    arm: () => at.proxies.source.arm('to-server', 'CREATE CHANGEFEED', 'pause'),
    async reached(run, was) {
      await at.killWorker();
      assert.equal((await at.checkpoint(run)).incarnation, was.incarnation + 1);
      assert.deepEqual(await at.incarnations(run), was.incarnation === 0 ? [] : [was.incarnation]);
    },
  },
  {
    title: 'between the commit of CREATE CHANGEFEED and its answer',
    arm: () => at.proxies.source.arm('to-server', 'CREATE CHANGEFEED', 'hold-answer'),
    async reached(run, was) {
      await until('the job', async () => (await at.incarnations(run)).includes(was.incarnation + 1), PATIENCE);
      await at.killWorker();
    },
  },
];

suite('the worker is killed at the first start (protocol rule D)', () => {
  for (const [number, { title, arm, reached }] of POINTS.entries()) {
    test(`killed ${title}`, async () => {
      const run = await at.begin(`first-${number}`);
      const done = arm();
      await run.signal('forwardStopped');
      await at.hit(done);
      await reached(run, { token: null, stage: null, incarnation: 0, applied: '' });
      assert.equal(at.worker.running, false);
      await at.insert(run, 1, 2);
      await at.startWorker();
      await run.awaitPhase('replicate');
      await at.insert(run, 3);
      await at.arrived(run);
      assert.equal((await at.incarnations(run)).length, 1, 'one live job');
      await at.finish(run);
    });
  }
});

suite('the worker is killed while a lost stage is replaced (protocol rules B and D)', () => {
  /** Step 5, which only a stream that had a changefeed goes through. */
  const LAST_POINTS: readonly Point[] = [
    {
      title: 'with the next incarnation created and the one before it not yet cancelled',
      arm: () => at.proxies.source.arm('to-server', 'CANCEL JOB', 'pause'),
      async reached(run, was) {
        assert.deepEqual(await at.incarnations(run), [was.incarnation, was.incarnation + 1]);
        await at.killWorker();
      },
    },
    {
      title: 'with the one before it cancelled and its end not yet seen',
      arm: () => at.proxies.source.arm('to-server', 'CANCEL JOB', 'hold-answer'),
      async reached(run, was) {
        await until('its end', async () => !(await at.incarnations(run)).includes(was.incarnation), PATIENCE);
        await at.killWorker();
      },
    },
  ];
  for (const [number, { title, arm, reached }] of [...POINTS, ...LAST_POINTS].entries()) {
    test(`killed ${title}, the stage lost`, async () => {
      const { run, was } = await at.beginWithLostStage(`lost-${number}`);
      await at.insert(run, 3, 4);
      const done = arm();
      await at.startWorker();
      await at.hit(done);
      await reached(run, was);
      assert.equal(at.worker.running, false);
      await at.insert(run, 5);
      await at.startWorker();
      await at.arrived(run);
      const live = await at.oneLiveJob(run);
      assert.equal((await at.checkpoint(run)).incarnation, live, 'it is the one that the row names');
      await at.insert(run, 6);
      await at.arrived(run);
      await at.finish(run);
    });
  }
});
