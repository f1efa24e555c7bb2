import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectCockroach } from '../../src/cockroach/client.js';
import { CockroachError } from '../../src/cockroach/errors.js';
import {
  chooseKept,
  ensureChangefeed,
  settleJobs,
  SupersededIncarnationError,
} from '../../src/cockroach/ensure-changefeed.js';
import { cancelAll, cancelLower, JobStateError, pauseJob, resumeJob } from '../../src/cockroach/job-control.js';
import {
  countOtherLiveChangefeeds,
  findForeignFeeds,
  InvalidJobIdError,
  isLive,
  listStreamJobs,
  observeJob,
  type ChangefeedJob,
  readJob,
} from '../../src/cockroach/jobs.js';
import { buildSinkUrl } from '../../src/cockroach/sink-url.js';
import type { JobStatus } from '../../src/domain/changefeed-health.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { createCertificateAuthority } from '../support/certificates.js';
import { until } from '../support/until.js';
import { startLive, wantedChangefeed, type Live } from './live.js';

let live: Live;
before(async () => {
  live = await startLive();
  await live.simulator.control.fault('feed_tuning', { statusEveryMs: 50, backoffScale: 0.1 });
  await live.sql('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await live.sql('CREATE TABLE t (id INT PRIMARY KEY, v STRING)');
});
after(() => live.stop());

const liveIds = async (stream: string) =>
  (await listStreamJobs(live.cockroach, stream)).filter(isLive).map((job) => [job.jobId, job.incarnation]);

/** Creates a job past `ensureChangefeed`, as a lost CREATE that committed does. */
async function createBeside(stream: string, incarnation: number): Promise<string> {
  const { sinkUrl } = await wantedChangefeed(live.cockroach, stream, incarnation);
  const [row] = await live.sql(`CREATE CHANGEFEED FOR TABLE t INTO '${sinkUrl}' WITH updated, resolved = '250ms'`);
  return String(row?.['job_id']);
}

test('a changefeed is created once; asked again it is found', async () => {
  const wanted = await wantedChangefeed(live.cockroach, 'once', 1);
  const first = await ensureChangefeed(live.cockroach, wanted);
  const second = await ensureChangefeed(live.cockroach, wanted);
  assert.deepEqual([first.created, second.created], [true, false]);
  assert.equal(first.jobId, second.jobId);
  assert.deepEqual(await liveIds('once'), [[first.jobId, 1]]);
});

test('the job carries on_error = pause (protocol rule 5)', async () => {
  const { jobId } = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'onerror', 1));
  const [row] = await live.sql(`SELECT options FROM crdb_sim.job WHERE job_id = ${jobId}`);
  assert.equal((row?.['options'] as Record<string, unknown>)['on_error'], 'pause');
});

test('surplus jobs of the incarnation are cancelled, whoever made them (protocol rule 6)', async () => {
  const oldest = await createBeside('surplus', 2);
  const others = [await createBeside('surplus', 2), await createBeside('surplus', 2)];
  const ensured = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'surplus', 2));
  assert.deepEqual([ensured.jobId, ensured.created], [oldest, false]);
  assert.deepEqual([...ensured.cancelled].sort(), others.sort());
  assert.deepEqual(await liveIds('surplus'), [[oldest, 2]]);
});

test('a lower incarnation is left alone until it is cancelled, and then only it (protocol rule 3)', async () => {
  await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'lower', 1));
  const next = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'lower', 2));
  assert.equal((await liveIds('lower')).length, 2);
  await cancelLower(live.cockroach, { stream: 'lower', incarnation: 2 });
  assert.deepEqual(await liveIds('lower'), [[next.jobId, 2]]);
});

test('a higher incarnation is never cancelled, and nothing is created beside it (protocol rule 6)', async () => {
  const higher = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'higher', 5));
  await assert.rejects(
    ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'higher', 4)),
    SupersededIncarnationError,
  );
  await assert.rejects(settleJobs(live.cockroach, { stream: 'higher', incarnation: 4 }), SupersededIncarnationError);
  await cancelLower(live.cockroach, { stream: 'higher', incarnation: 5 });
  assert.deepEqual(await liveIds('higher'), [[higher.jobId, 5]]);
});

test('a health poll keeps one job of the incarnation and cancels everything lower', async () => {
  await createBeside('poll', 1);
  const kept = await createBeside('poll', 2);
  await createBeside('poll', 2);
  const settled = await settleJobs(live.cockroach, { stream: 'poll', incarnation: 2 });
  assert.equal(settled.kept?.jobId, kept);
  assert.equal(settled.cancelled.length, 2);
  assert.deepEqual(await liveIds('poll'), [[kept, 2]]);
});

test('a health poll that finds no job of the incarnation cancels nothing', async () => {
  const lower = await createBeside('none', 1);
  assert.deepEqual(await settleJobs(live.cockroach, { stream: 'none', incarnation: 2 }), { kept: null, cancelled: [] });
  assert.deepEqual(await liveIds('none'), [[lower, 1]]);
});

test('CREATE committed and its answer was dropped: the job is found, and one remains (protocol rule 6)', async () => {
  await live.simulator.control.fault('create_drop_answer');
  const ensured = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'dropped', 1));
  assert.equal(ensured.created, false, 'the answer really was dropped');
  assert.deepEqual(await liveIds('dropped'), [[ensured.jobId, 1]]);
  const again = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'dropped', 1));
  assert.equal(again.jobId, ensured.jobId);
});

test('CREATE commits after the client gave up and after it was looked for: one job remains (protocol rule 6)', async (t) => {
  const proxy = await startByteProxy(t, live.simulator.port);
  const url = new URL(live.simulator.url());
  url.port = String(proxy.port);
  const session = await connectCockroach({ connectionString: url.toString(), applicationName: 'failback test' });
  try {
    const wanted = await wantedChangefeed(live.cockroach, 'late', 1, { createTimeoutMs: 3_000, lateCommitMs: 100 });
    // The statement stands still on its way, and arrives long after everybody has stopped waiting for it.
    proxy.arm('to-server', 'CREATE CHANGEFEED', 'pause');
    await assert.rejects(
      ensureChangefeed(session, wanted),
      (error) => error instanceof CockroachError && error.retryable,
    );
    assert.equal(proxy.hits(), 1);
    const retried = await ensureChangefeed(live.cockroach, { ...wanted, createTimeoutMs: 30_000 });
    assert.equal(retried.created, true, 'nothing was there to be found yet');
    proxy.resume();
    await until('the late CREATE has committed', async () => (await liveIds('late')).length === 2);
    const settled = await settleJobs(live.cockroach, { stream: 'late', incarnation: 1 });
    assert.equal(settled.cancelled.length, 1);
    assert.deepEqual(await liveIds('late'), [[settled.kept?.jobId, 1]]);
  } finally {
    await session.close();
  }
});

test('a refusal is not taken for a lost answer', async () => {
  const wanted = await wantedChangefeed(live.cockroach, 'refused', 1, {
    tables: [{ schema: 'public', table: 'nope' }],
  });
  const started = performance.now();
  await assert.rejects(
    ensureChangefeed(live.cockroach, { ...wanted, lateCommitMs: 20_000 }),
    (error) => error instanceof CockroachError && error.kind === 'targetsUnresolved' && !error.retryable,
  );
  assert.ok(performance.now() - started < 10_000);
});

test('pause and resume are idempotent and wait until they are done', async () => {
  const { jobId } = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'pausing', 1));
  for (let time = 0; time < 2; time++) assert.equal((await pauseJob(live.cockroach, jobId)).status, 'paused');
  const found = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'pausing', 1));
  assert.deepEqual([found.jobId, found.created], [jobId, false], 'a paused job is not created again');
  for (let time = 0; time < 2; time++) assert.equal((await resumeJob(live.cockroach, jobId)).status, 'running');
});

test('cancelAll ends every incarnation, a paused one too, and is idempotent', async () => {
  const { jobId } = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'ending', 1));
  await createBeside('ending', 2);
  await pauseJob(live.cockroach, jobId);
  assert.equal((await cancelAll(live.cockroach, { stream: 'ending' })).length, 2);
  assert.deepEqual(await liveIds('ending'), []);
  assert.deepEqual(await cancelAll(live.cockroach, { stream: 'ending' }), []);
  await assert.rejects(pauseJob(live.cockroach, jobId), JobStateError);
  await assert.rejects(resumeJob(live.cockroach, jobId), /job \d+ is canceled and cannot be resumed/);
});

test('a cancelled job is replaced by a new one', async () => {
  const first = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'again', 1));
  await live.sql(`CANCEL JOB ${first.jobId}`);
  const second = await ensureChangefeed(live.cockroach, await wantedChangefeed(live.cockroach, 'again', 1));
  assert.equal(second.created, true);
  assert.notEqual(second.jobId, first.jobId);
});

test('a job is observed without its secrets', async () => {
  const wanted = await wantedChangefeed(live.cockroach, 'secret', 3);
  const authority = await createCertificateAuthority('an authority');
  const client = await authority.issueClient('a changefeed');
  const tls = { caCert: authority.cert, clientCert: client.cert, clientKey: client.key };
  const sinkUrl = buildSinkUrl({
    host: '127.0.0.1',
    port: 9,
    path: ['db', 'public'],
    stream: 'secret',
    incarnation: 3,
    tls,
  });
  const { jobId } = await ensureChangefeed(live.cockroach, { ...wanted, sinkUrl, authHeader: 'Bearer CANARY' });
  const job = await until('the sink has failed once', async () => {
    const seen = await observeJob(live.cockroach, jobId);
    return seen?.runningStatus.startsWith('retryable error') ? seen : null;
  });
  const text = JSON.stringify(job, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  const pems = Object.values(tls);
  for (const secret of ['CANARY', ...pems, ...pems.map((pem) => Buffer.from(pem).toString('base64'))])
    assert.ok(!decodeURIComponent(text).includes(secret), secret);
  assert.deepEqual([job.jobId, job.status, job.incarnation], [jobId, 'running', 3]);
  assert.deepEqual(job.fullTableNames, ['defaultdb.public.t']);
  await cancelAll(live.cockroach, { stream: 'secret' });
});

test('a job that is not there is null, and what is no job id is refused', async () => {
  assert.equal(await observeJob(live.cockroach, '123456'), null);
  await assert.rejects(observeJob(live.cockroach, '1; DROP TABLE t'), InvalidJobIdError);
});

test('feeds of others into our receiver are found; ours and those elsewhere are not', async () => {
  const receiver = { host: '127.0.0.1', port: 30004, path: ['shop', 'public'] };
  const create = async (url: string) =>
    String((await live.sql(`CREATE CHANGEFEED FOR TABLE t INTO '${url}' WITH updated`))[0]?.['job_id']);
  const at = (stream: string, path: readonly string[], port = 30004) =>
    buildSinkUrl({ ...receiver, path, port, stream, incarnation: 1, tls: {} });
  const molt = await create('webhook-https://127.0.0.1:30004/shop/public?insecure_tls_skip_verify=true');
  const other = await create(at('another', ['SHOP', 'public']));
  const ours = await create(at('mine', ['shop', 'public']));
  await create(at('elsewhere', ['shop', 'other']));
  await create(at('elsewhere', ['shop', 'public'], 30005));
  const found = await findForeignFeeds(live.cockroach, receiver, 'mine');
  assert.deepEqual(found.map((job) => job.jobId).sort(), [molt, other].sort());
  const before = await countOtherLiveChangefeeds(live.cockroach, 'mine');
  await live.sql(`CANCEL JOB ${ours}`);
  assert.equal(await countOtherLiveChangefeeds(live.cockroach, 'mine'), before, 'our own do not count');
});

test('an aborted wait ends at once', async () => {
  await createBeside('aborted', 1);
  const stop = new AbortController();
  stop.abort(new Error('the worker stops'));
  await assert.rejects(cancelAll(live.cockroach, { stream: 'aborted' }, { signal: stop.signal }), /the worker stops/);
  assert.equal((await liveIds('aborted')).length, 1);
});

const JOB: ChangefeedJob = {
  jobId: '10',
  status: 'running',
  incarnation: 2,
  highWater: null,
  runningStatus: '',
  error: '',
  fullTableNames: [],
  sink: null,
};
const job = (jobId: string, status: JobStatus, incarnation = 2) => ({ ...JOB, jobId, status, incarnation });
const KEPT: readonly (readonly [string, readonly ChangefeedJob[], string | null])[] = [
  ['nothing', [], null],
  ['the oldest by number, not by text', [job('10', 'running'), job('9', 'running')], '9'],
  ['one that runs before one that rests', [job('1', 'paused'), job('2', 'running')], '2'],
  ['one that rests before none', [job('1', 'pause-requested')], '1'],
  ['not one that is being cancelled', [job('1', 'cancel-requested'), job('2', 'reverting')], null],
  ['not one that has ended', [job('1', 'failed'), job('2', 'canceled'), job('3', 'succeeded')], null],
  ['not a lower incarnation', [job('1', 'running', 1)], null],
  ['although a higher one has ended', [job('1', 'running'), job('2', 'canceled', 3)], '1'],
];
for (const [name, jobs, kept] of KEPT)
  test(`kept: ${name}`, () => assert.equal(chooseKept(jobs, { stream: 's', incarnation: 2 })?.jobId ?? null, kept));

const SINK = 'webhook-https://h:30004/db/public?failback_stream=s&failback_incarnation=2';
for (const [version, more] of [
  ['21.2', { full_table_names: '{d.public.t}', topics: '', format: 'json' }],
  ['24.3', { full_table_names: '{d.public.t}', readable_high_water_timestamptz: '2026-01-01 00:00:00+00' }],
  ['one without running_status, error and full_table_names', {}],
] as const)
  test(`a job is read by the names of its columns, as of ${version}`, () => {
    const job = readJob({ ...more, job_id: '7', status: 'running', sink_uri: SINK, high_water_timestamp: null });
    assert.deepEqual([job.jobId, job.status, job.incarnation, job.highWater], ['7', 'running', 2, null]);
    assert.deepEqual([job.runningStatus, job.error], ['', '']);
    assert.deepEqual(job.fullTableNames, 'full_table_names' in more ? ['d.public.t'] : []);
  });
