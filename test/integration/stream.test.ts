import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { WatchWish } from '../../src/activities/watch.js';
import type { DeliveredWord, ListeningWord, TroubleWord } from '../../src/domain/attempt.js';
import { liveJobs } from '../support/dumps.js';
import { startRunStack, type Run, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
});
after(async () => at.stop());

const LONG = { timeoutMs: 60_000, everyMs: 100 };
const LIMITS = { heartbeatTimeout: '4s', hostGrace: '8s', healthEvery: '500ms' };

/** By the id of a run of the stream; without one, the latest. */
const streamOf = (run: Run, runId?: string): WorkflowHandle => at.client.workflow.getHandle(`${run.id}/stream`, runId);
const runIdOf = async (run: Run): Promise<string> => (await streamOf(run).describe()).runId;
const eventsOf = async (run: Run, runId?: string) => (await streamOf(run, runId).fetchHistory()).events ?? [];

async function begin(id: string, limits: Readonly<Record<string, unknown>> = {}): Promise<Run> {
  await at.createTable(id);
  const run = await at.start(id, id, { limits: { ...LIMITS, ...limits } });
  await run.replicating();
  return run;
}

const insert = (run: Run, id: number) => at.source.query(`INSERT INTO ${run.id} VALUES ($1, $2, 1)`, [id, `row ${id}`]);
const arrived = (run: Run, rows: number) =>
  until(`${rows} rows`, async () => (await at.rowsOnTarget(run.id)) === rows, LONG);

async function checkpointOf(run: Run) {
  const { rows } = await at.target.query<{ token: string; stage: string; incarnation: string }>(
    'SELECT token, stage_id AS stage, incarnation FROM _failback.checkpoint WHERE stream = $1',
    [run.id],
  );
  const [row] = rows;
  assert.ok(row);
  return { ...row, incarnation: Number(row.incarnation) };
}

async function finish(run: Run, rows: number): Promise<void> {
  await run.signal('finish');
  const ending = await run.ending();
  assert.deepEqual([ending.outcome, ending.rowsCompared], ['finished', rows]);
}

const attempts = async (run: Run): Promise<number> => (await run.status()).stream?.attempts ?? 0;

/** Words of nobody make the history longer, until the stream continues as new and its next attempt has looked at its changefeed. */
async function growUntilNew(run: Run, meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<string> {
  const was = await runIdOf(run);
  const now = await until(
    'it continues as new',
    async () => {
      const found = await runIdOf(run);
      if (found !== was) return found;
      await meanwhile();
      await streamOf(run).signal('trouble', { token: 'nobody', type: 'Target.Unavailable', cause: 'never heard' });
      return null;
    },
    LONG,
  );
  await until('its next attempt has looked', async () => (await closed(run, 'watchStream', now)) > 0, LONG);
  return now;
}

async function scheduled(run: Run, activity: string, runId: string) {
  return (await eventsOf(run, runId)).filter(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity,
  );
}

async function closed(run: Run, activity: string, runId: string): Promise<number> {
  const ids = (await scheduled(run, activity, runId)).map(({ eventId }) => String(eventId));
  return (await eventsOf(run, runId)).filter((event) => ids.includes(closes(event))).length;
}

type Event = Awaited<ReturnType<typeof eventsOf>>[number];
const closes = (event: Event): string =>
  String(
    (
      event.activityTaskCompletedEventAttributes ??
      event.activityTaskFailedEventAttributes ??
      event.activityTaskTimedOutEventAttributes ??
      event.activityTaskCanceledEventAttributes
    )?.scheduledEventId ?? 'none',
  );

/** In no run of the stream are two attempts open at once, and none is at its end. */
async function assertOneAtATime(run: Run, runIds: readonly string[]): Promise<void> {
  for (const runId of runIds) {
    const ids = (await scheduled(run, 'receiveAndApply', runId)).map(({ eventId }) => String(eventId));
    assert.ok(ids.length > 0);
    let open = 0;
    for (const event of await eventsOf(run, runId)) {
      if (ids.includes(String(event.eventId))) open += 1;
      if (ids.includes(closes(event))) open -= 1;
      assert.ok(open <= 1, `two attempts at once in run ${runId}`);
      if (event.workflowExecutionContinuedAsNewEventAttributes) assert.equal(open, 0, 'its attempt has ended');
    }
  }
}

test('a late word of an attempt that is over changes nothing while the next one runs (protocol rule 38)', async () => {
  const run = await begin('late', { streamHistory: 150 });
  const { token } = await checkpointOf(run);
  const runId = await growUntilNew(run);
  const isDelivered = (event: Event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'delivered';
  await until('the next attempt is delivered to', async () => (await eventsOf(run)).some(isDelivered), LONG);
  const was = await checkpointOf(run);
  assert.notEqual(was.token, token);

  const HLC = '1.0000000000';
  await streamOf(run).signal('listening', {
    token,
    host: 'a host of long ago',
    incarnation: 99,
    cursor: HLC,
    applied: HLC,
    receiverUrl: 'https://127.0.0.1:1',
    stageKept: false,
  } satisfies ListeningWord);
  await streamOf(run).signal('delivered', { token, incarnation: 99, resolved: HLC } satisfies DeliveredWord);
  await streamOf(run).signal('trouble', {
    token,
    type: 'Target.Unavailable',
    cause: 'a late word',
  } satisfies TroubleWord);
  await until(
    'all three are heard',
    async () => {
      const events = await eventsOf(run);
      const last = events.findLastIndex((event) => event.workflowExecutionSignaledEventAttributes);
      return events.slice(last).some((event) => event.workflowTaskCompletedEventAttributes);
    },
    LONG,
  );
  const events = await eventsOf(run);
  const firstLate = events.findLastIndex(
    (event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'listening',
  );
  assert.deepEqual(
    events.slice(firstLate).filter((event) => event.activityTaskCancelRequestedEventAttributes),
    [],
    'what watches the changefeed is not called back',
  );
  await insert(run, 1);
  await arrived(run, 1);

  const { stream, incidents } = await run.status();
  assert.equal(stream?.host, `${at.stack.taskQueue}-host`);
  assert.equal(stream.incarnation, was.incarnation);
  assert.notEqual(stream.delivered, HLC);
  assert.equal(await runIdOf(run), runId);
  assert.equal((await scheduled(run, 'receiveAndApply', runId)).length, 1, 'the attempt went on');
  assert.deepEqual(
    incidents.filter(({ cause, type }) => cause.includes('late word') || type === 'Receiver.Unreachable'),
    [],
  );
  await finish(run, 1);
});

suite('a stream continues as new (protocol rule 37)', () => {
  const LIMIT = { streamHistory: 100 };

  test('the attempt hands over to the next one on the same stage, and no row is lost', async () => {
    const run = await begin('handed', LIMIT);
    const runIds = [await runIdOf(run)];
    const was = await checkpointOf(run);
    const before = (await run.status()).stream;
    let rows = 0;
    for (let times = 0; times < 2; times += 1) runIds.push(await growUntilNew(run, () => insert(run, ++rows)));
    await insert(run, ++rows);
    await arrived(run, rows);

    const now = await checkpointOf(run);
    assert.notEqual(now.token, was.token);
    assert.deepEqual([now.stage, now.incarnation], [was.stage, was.incarnation], 'stage and incarnation stay');
    const { stream } = await run.status();
    assert.deepEqual([stream?.jobId, stream?.host], [before?.jobId, before?.host], 'and so does the changefeed');
    assert.ok((stream?.attempts ?? 0) >= (before?.attempts ?? 0) + 2, 'attempts are counted on');
    assert.ok(stream?.delivered);
    await finish(run, rows);
    await assertOneAtATime(run, runIds);
  });

  test('the attempt of a run that is terminated ends by itself, with a line and a figure (protocol rule 39)', async () => {
    const run = await begin('terminated', LIMIT);
    await growUntilNew(run);
    await insert(run, 1);
    await arrived(run, 1);
    const { stream } = await run.status();
    await run.handle.terminate('a person pressed the button');
    await until('its end', () => at.workerLog().includes('terminated: its workflow is gone'), LONG);
    const varz = await (await fetch(`http://127.0.0.1:${at.metricsPort}/_/varz`)).text();
    assert.match(varz, /^attempts_orphaned_total 1$/m);
    assert.doesNotMatch(varz, /stream="terminated"/);
    await insert(run, 2);
    const job = `SELECT running_status FROM [SHOW CHANGEFEED JOB ${stream?.jobId}]`;
    await until(
      'the changefeed finds nobody who takes the row',
      async () =>
        /retryable error/.test((await at.source.query<{ running_status: string }>(job)).rows[0]?.running_status ?? ''),
      LONG,
    );
    assert.equal(await at.rowsOnTarget('terminated'), 1);
    await at.source.query(`CANCEL JOB ${stream?.jobId}`);
  });

  test('what is paused stays paused, until it is resumed', async () => {
    const run = await begin('resting', LIMIT);
    const runIds = [await runIdOf(run)];
    await run.ask('pause');
    await until(
      'its job is paused',
      async () => (await liveJobs(at.source)).some((job) => job.endsWith('paused')),
      LONG,
    );
    await insert(run, 1);
    const now = await growUntilNew(run);
    runIds.push(now);
    const [looked] = await scheduled(run, 'watchStream', now);
    const argument = looked?.activityTaskScheduledEventAttributes?.input?.payloads?.[0];
    assert.ok(argument);
    const wish = defaultPayloadConverter.fromPayload<WatchWish>(argument);
    assert.equal(wish.wanted, 'paused');
    assert.ok(wish.restingMs > 0, 'for how long, is known');
    assert.equal((await run.status()).phase, 'paused');
    assert.ok((await liveJobs(at.source)).some((job) => job.endsWith('CHANGEFEED paused')));
    assert.equal(await at.rowsOnTarget('resting'), 0);
    await run.ask('resume');
    await arrived(run, 1);
    await finish(run, 1);
    await assertOneAtATime(run, runIds);
  });

  test('an incident that nothing would open again ends after it, when a person resumes', async () => {
    const run = await begin('remembered', LIMIT);
    const alarm = async () =>
      (await run.status()).incidents.find(({ type }) => type === 'Changefeed.LateRows')?.endedAt;
    const { token } = await checkpointOf(run);
    await streamOf(run).signal('trouble', { token, type: 'Changefeed.LateRows', cause: '1 row' } satisfies TroubleWord);
    await until('the incident', async () => (await alarm()) === null, LONG);
    await growUntilNew(run);
    assert.equal(await alarm(), null, 'still open');
    await run.ask('resume');
    await until('the end of the incident', async () => typeof (await alarm()) === 'number', LONG);
    await insert(run, 1);
    await arrived(run, 1);
    await finish(run, 1);
  });

  test('an incident stays open over it, and a job that somebody else has paused is not resumed by it', async () => {
    const run = await begin('strange', LIMIT);
    const found = async () =>
      (await run.status()).incidents
        .filter(({ type }) => type === 'Changefeed.JobPaused')
        .map(({ endedAt }) => endedAt);
    const { stream } = await run.status();
    await at.source.query(`PAUSE JOB ${stream?.jobId}`);
    await until('the incident', async () => (await found()).length === 1, LONG);
    const seen = await attempts(run);
    const runId = await growUntilNew(run);
    await until('the next attempt has reported', async () => (await attempts(run)) > seen, LONG);
    assert.deepEqual(await scheduled(run, 'ensureChangefeed', runId), []);
    assert.deepEqual(await found(), [null], 'the very same incident, still open');
    await insert(run, 1);
    await run.ask('resume');
    await arrived(run, 1);
    await until('the end of the incident', async () => (await found())[0] !== null, LONG);
    await finish(run, 1);
  });
});
