import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isJobStatus,
  JOB_STATUSES,
  judgeChangefeed,
  judgePulled,
  type HealthAction,
  type ChangefeedIncident,
  type HealthInput,
  type JobFacts,
  type JobStatus,
} from '../../src/domain/changefeed-health.js';

const JOB: JobFacts = {
  jobId: '7',
  status: 'running',
  incarnation: 3,
  highWater: null,
  runningStatus: 'running: resolved=1795320930.614519667,0',
  error: '',
  fullTableNames: ['d.public.t'],
};
const INPUT: HealthInput = {
  job: JOB,
  delivery: { proven: true, sinceAdvanceMs: 500 },
  sendsElsewhere: null,
  wanted: 'running',
  stallAfterMs: 60_000,
  restingMs: 0,
  protectionMaxAgeMs: 345_600_000,
};
const of = (job: Partial<JobFacts>, more: Partial<HealthInput> = {}): HealthInput => ({
  ...INPUT,
  job: { ...JOB, ...job },
  ...more,
});

/** [status, wanted, incident, action] with a changefeed that delivers and says nothing wrong: every pair there is. */
type Row = readonly [JobStatus | null, HealthInput['wanted'], ChangefeedIncident | null, HealthAction];
const TABLE: readonly Row[] = [
  [null, 'running', 'Changefeed.JobGone', 'recreate'],
  [null, 'paused', null, 'none'],
  [null, 'gone', null, 'none'],
  ['pending', 'running', null, 'none'],
  ['pending', 'paused', null, 'pause'],
  ['pending', 'gone', null, 'wait'],
  ['running', 'running', null, 'none'],
  ['running', 'paused', null, 'pause'],
  ['running', 'gone', null, 'wait'],
  ['retry-running', 'running', null, 'none'],
  ['retry-running', 'paused', null, 'pause'],
  ['retry-running', 'gone', null, 'wait'],
  ['pause-requested', 'running', 'Changefeed.JobPaused', 'ask'],
  ['pause-requested', 'paused', null, 'none'],
  ['pause-requested', 'gone', null, 'wait'],
  ['paused', 'running', 'Changefeed.JobPaused', 'ask'],
  ['paused', 'paused', null, 'none'],
  ['paused', 'gone', null, 'wait'],
  ['cancel-requested', 'running', 'Changefeed.JobGone', 'recreate'],
  ['cancel-requested', 'paused', 'Changefeed.JobGone', 'recreate'],
  ['cancel-requested', 'gone', null, 'wait'],
  ['reverting', 'running', 'Changefeed.JobGone', 'recreate'],
  ['reverting', 'paused', 'Changefeed.JobGone', 'recreate'],
  ['reverting', 'gone', null, 'wait'],
  ['retry-reverting', 'running', 'Changefeed.JobGone', 'recreate'],
  ['retry-reverting', 'paused', 'Changefeed.JobGone', 'recreate'],
  ['retry-reverting', 'gone', null, 'wait'],
  ['revert-failed', 'running', 'Changefeed.JobGone', 'recreate'],
  ['revert-failed', 'paused', 'Changefeed.JobGone', 'recreate'],
  ['revert-failed', 'gone', null, 'none'],
  ['canceled', 'running', 'Changefeed.JobGone', 'recreate'],
  ['canceled', 'paused', 'Changefeed.JobGone', 'recreate'],
  ['canceled', 'gone', null, 'none'],
  ['failed', 'running', 'Changefeed.JobFailed', 'recreate'],
  ['failed', 'paused', 'Changefeed.JobFailed', 'recreate'],
  ['failed', 'gone', null, 'none'],
  ['succeeded', 'running', 'Changefeed.JobGone', 'recreate'],
  ['succeeded', 'paused', 'Changefeed.JobGone', 'recreate'],
  ['succeeded', 'gone', null, 'none'],
];

for (const [status, wanted, incident, action] of TABLE)
  test(`a job that is ${status ?? 'not listed'} while wanted ${wanted}: ${incident ?? 'well'}, ${action}`, () => {
    const verdict = judgeChangefeed(status === null ? { ...INPUT, job: null, wanted } : of({ status }, { wanted }));
    assert.deepEqual([verdict.incident, verdict.action, verdict.healthy], [incident, action, incident === null]);
  });

test('the table above is total', () => {
  const wanted = ['running', 'paused', 'gone'];
  const all = [null, ...JOB_STATUSES].flatMap((status) => wanted.map((want) => `${String(status)} ${want}`));
  assert.deepEqual(TABLE.map(([status, want]) => `${String(status)} ${want}`).sort(), all.sort());
});

test('a job that says running while nothing arrives is stalled, and its words prove nothing', () => {
  const verdict = judgeChangefeed(of({}, { delivery: { proven: false, sinceAdvanceMs: 61_000 } }));
  assert.equal(verdict.incident, 'Changefeed.Stalled');
  assert.match(verdict.cause, /nothing at all has arrived for 61 s; job 7 is running and says "running: resolved=/);
});

test('a job that sends to the host before is created again, unless it is to rest', () => {
  const verdict = judgeChangefeed(of({}, { sendsElsewhere: 'old:8443' }));
  assert.deepEqual([verdict.incident, verdict.action], ['Changefeed.SendsElsewhere', 'recreate']);
  assert.match(verdict.cause, /job 7 sends to old:8443/);
  assert.equal(
    judgeChangefeed(of({ status: 'paused' }, { sendsElsewhere: 'old:8443', wanted: 'paused' })).incident,
    null,
  );
});

test('a stall names what the sink met', () => {
  const runningStatus =
    'retryable error: retryable changefeed error: Post "https://h:1/a": dial tcp: connect: connection refused';
  const verdict = judgeChangefeed(of({ runningStatus }, { delivery: { proven: true, sinceAdvanceMs: 90_000 } }));
  assert.equal(verdict.incident, 'Changefeed.Stalled');
  assert.match(verdict.cause, /connection refused/);
});

test('without proof of delivery a young changefeed waits', () => {
  const verdict = judgeChangefeed(of({}, { delivery: { proven: false, sinceAdvanceMs: 1_000 } }));
  assert.deepEqual([verdict.healthy, verdict.action], [true, 'wait']);
});

const ERRORS: readonly (readonly [string, ChangefeedIncident, HealthAction])[] = [
  ['batch timestamp 1.0,0 must be after replica GC threshold 2.0,0', 'Cursor.TooOld', 'ask'],
  ['"orders" was truncated', 'Changefeed.TableTruncated', 'recreateWithoutTable'],
  ['"orders" was dropped', 'Changefeed.TableDropped', 'ask'],
  ['something else', 'Changefeed.JobFailed', 'recreate'],
];
for (const [error, incident, action] of ERRORS) {
  test(`failed with "${error}"`, () => {
    const verdict = judgeChangefeed(of({ status: 'failed', error }));
    assert.deepEqual([verdict.incident, verdict.action], [incident, action]);
  });
  test(`paused by on_error with "${error}"`, () => {
    const runningStatus = `job failed (${error}) but is being paused because of on_error=pause`;
    const verdict = judgeChangefeed(of({ status: 'paused', runningStatus }));
    assert.deepEqual([verdict.incident, verdict.action], [incident, action]);
    assert.ok(verdict.cause.includes(error));
  });
}

test('a pause is an incident from half of the time for which CockroachDB keeps its history (protocol rule 5)', () => {
  const at = (restingMs: number) => judgeChangefeed(of({ status: 'paused' }, { wanted: 'paused', restingMs }));
  assert.equal(at(172_799_999).incident, null);
  assert.equal(at(172_800_000).incident, 'Changefeed.PauseTooLong');
  assert.match(at(172_800_000).cause, /48 h.*96 h/);
  for (const protectionMaxAgeMs of [0, null]) {
    const forEver = of({ status: 'paused' }, { wanted: 'paused', restingMs: 1e12, protectionMaxAgeMs });
    assert.equal(judgeChangefeed(forEver).incident, null);
  }
});

test('status words', () => {
  assert.ok(isJobStatus('paused'));
  assert.ok(!isJobStatus('toString'));
  assert.ok(!isJobStatus('PAUSED'));
});

test('with pull there is no job: what is delivered is judged, unless the stream rests', () => {
  const judge = (wanted: 'running' | 'paused', sinceAdvanceMs: number, proven = true) =>
    judgePulled({ delivery: { proven, sinceAdvanceMs }, wanted, stallAfterMs: 60_000 });
  assert.deepEqual([judge('running', 60_000).healthy, judge('running', 60_000).action], [true, 'none']);
  assert.equal(judge('running', 1_000, false).action, 'wait');
  const stalled = judge('running', 60_001);
  assert.deepEqual([stalled.incident, stalled.action], ['Changefeed.Stalled', 'wait']);
  assert.match(stalled.cause, /^no resolved timestamp has arrived for 60 s over the connection/);
  assert.match(judge('running', 60_001, false).cause, /^nothing at all/);
  assert.equal(judge('paused', 1e9).incident, null);
});
