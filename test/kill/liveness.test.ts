import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import proto, { type temporal } from '@temporalio/proto';
import type { Run } from '../support/run.js';
import { until } from '../support/until.js';
import { openScene, PATIENCE, type Scene } from './scene.js';

let at: Scene;
before(async () => {
  at = await openScene();
});
after(() => at.stop());

const { TIMEOUT_TYPE_HEARTBEAT } = proto.temporal.api.enums.v1.TimeoutType;
/** The time-out of short activities (activity-proxies.ts), and half of the time that one may take in all. */
const MISSED_AFTER_MS = 10_000;
const LONG_BEFORE_ITS_END_MS = 60_000;

type Time = temporal.api.workflow.v1.IPendingActivityInfo['lastStartedTime'];
const millis = (time: Time): number => Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1_000_000;

/** A short activity of prepare, held before CockroachDB has heard of its statement. */
const ACTIVITY = 'protectHistory';
async function heldInPrepare(id: string): Promise<Run> {
  const run = await at.begin(id);
  const held = at.proxies.source.arm('to-server', 'protect_mvcc_history($1', 'pause');
  await run.signal('forwardStopped');
  await at.hit(held);
  return run;
}

/** The last try of that activity as the history has it, and how long after its first beginning. */
async function lastTry(run: Run) {
  const events = (await run.handle.fetchHistory()).events ?? [];
  const scheduled = events.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === ACTIVITY);
  const started = events.find(
    (event) =>
      scheduled !== undefined &&
      String(event.activityTaskStartedEventAttributes?.scheduledEventId) === String(scheduled.eventId),
  );
  assert.ok(scheduled && started);
  const { attempt, lastFailure } = started.activityTaskStartedEventAttributes ?? {};
  return {
    attempt,
    timeout: lastFailure?.timeoutFailureInfo?.timeoutType,
    afterMs: millis(started.eventTime) - millis(scheduled.eventTime),
  };
}

async function takeBack(run: Run): Promise<void> {
  await run.signal('rollback');
  assert.equal((await run.ending()).outcome, 'rolled back');
}

test('a worker killed in a short activity is missed by its heartbeats, long before the activity’s own time is up', async () => {
  const run = await heldInPrepare('missed');
  await at.killWorker();
  at.proxies.source.cutAll();
  await at.startWorker();
  await run.awaitPhase('replicate');
  const { attempt, timeout, afterMs } = await lastTry(run);
  assert.deepEqual({ attempt, timeout }, { attempt: 2, timeout: TIMEOUT_TYPE_HEARTBEAT });
  assert.ok(afterMs >= MISSED_AFTER_MS && afterMs < LONG_BEFORE_ITS_END_MS, `after ${afterMs} ms`);
  await takeBack(run);
});

test('a short activity that takes longer than that is left alone while its worker lives', async () => {
  const run = await heldInPrepare('slow');
  await until(
    'it has been under way for longer than its heartbeat time-out',
    async () => {
      const pending = await run.pending(ACTIVITY);
      return millis(pending?.lastHeartbeatTime) - millis(pending?.lastStartedTime) > MISSED_AFTER_MS;
    },
    PATIENCE,
  );
  at.proxies.source.resume();
  await run.awaitPhase('replicate');
  const { attempt, timeout } = await lastTry(run);
  assert.deepEqual({ attempt, timeout }, { attempt: 1, timeout: undefined });
  await takeBack(run);
});
