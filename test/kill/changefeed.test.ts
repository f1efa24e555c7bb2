import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import type { FrontFaultName } from '../../demo/simulator/front-faults.js';
import type { Run } from '../support/run.js';
import { until } from '../support/until.js';
import { openScene, PATIENCE, type Scene } from './scene.js';

let at: Scene;
before(async () => {
  at = await openScene();
});
after(() => at.stop());
afterEach(() => at.stack.cockroach.control.clearFaults());

/** Every job that was ever made for the run, in the order in which they were. */
async function jobsOf(run: Run): Promise<readonly string[]> {
  const { rows } = await at.source.query<{ status: string }>(
    `SELECT status FROM [SHOW CHANGEFEED JOBS] WHERE sink_uri LIKE $1 ORDER BY created`,
    [`%failback_stream=${run.id}%`],
  );
  return rows.map(({ status }) => status);
}

interface Lost {
  readonly title: string;
  readonly fault: FrontFaultName;
  readonly args: Readonly<Record<string, unknown>>;
  /** Jobs that are made in all. */
  readonly made: number;
}

/** The worker gives up two seconds after the limit of 3 s, looks for a late job for 3 s, and makes another: long before the late one is there. */
const LOST: readonly Lost[] = [
  { title: 'and its answer is dropped', fault: 'create_drop_answer', args: {}, made: 1 },
  {
    title: '10 s after its connection was cut',
    fault: 'create_late_commit',
    args: { delayMs: 10_000 },
    made: 2,
  },
  {
    title: '10 s after the worker gave up',
    fault: 'create_late_commit',
    args: { delayMs: 15_000, cut: false },
    made: 2,
  },
];

suite('exactly one live job remains (protocol rule 6)', () => {
  for (const [number, { title, fault, args, made }] of LOST.entries()) {
    test(`when CREATE CHANGEFEED commits ${title}, and the run goes on`, async () => {
      const run = await at.begin(`create-${number}`, { createChangefeed: '3s' });
      await at.stack.cockroach.control.fault(fault, args);
      await run.replicating();
      await at.insert(run, 1, 2);
      await at.arrived(run);
      await until('every job that was asked for', async () => (await jobsOf(run)).length === made, PATIENCE);
      assert.equal(await at.oneLiveJob(run), (await at.checkpoint(run)).incarnation);
      await until(
        'the surplus is cancelled',
        async () => (await jobsOf(run)).filter((status) => status === 'canceled').length === made - 1,
        PATIENCE,
      );
      await at.insert(run, 3);
      await at.arrived(run);
      assert.equal((await at.incarnations(run)).length, 1);
      await at.finish(run);
    });
  }
});
