import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { captureCursor } from '../../src/cockroach/clock.js';
import { CockroachError } from '../../src/cockroach/errors.js';
import { observeJob } from '../../src/cockroach/jobs.js';
import {
  canProtectHistory,
  listProtections,
  protectHistory,
  readGcTtls,
  readProtectionMaxAge,
  releaseProtection,
  rollProtection,
} from '../../src/cockroach/protection.js';
import { applySettings, readSettings, restoreSettings } from '../../src/cockroach/settings.js';
import { formatHlc } from '../../src/domain/hlc.js';
import { startLive, type Live } from './live.js';

const RANGEFEED = 'kv.rangefeed.enabled';
const TARGET = 'kv.closed_timestamp.target_duration';
const WANTED = [
  { name: RANGEFEED, value: 'true' },
  { name: TARGET, value: '1s' },
];
const NAMES = WANTED.map(({ name }) => name);

let live: Live;
before(async () => {
  live = await startLive();
  await live.sql('CREATE TABLE t (id INT PRIMARY KEY)');
});
after(() => live.stop());

const dump = () => live.sql('SELECT variable, value, origin FROM crdb_internal.cluster_settings ORDER BY 1');
const show = async (name: string) => (await live.sql(`SHOW CLUSTER SETTING ${name}`))[0]?.[name];

/** Reads, then sets: the two steps of the runbook. */
async function change() {
  const old = await readSettings(live.cockroach, NAMES);
  const applied = await applySettings(live.cockroach, WANTED);
  return old.map((state, index) => ({ old: state, ours: applied[index]?.ours ?? '' }));
}
const ALONE = { otherLiveChangefeeds: 0 };

test('settings are read before they are set, and come back exactly, defaults included (protocol rule 35)', async () => {
  const before = await dump();
  const entries = await change();
  assert.deepEqual(entries, [
    { old: { name: RANGEFEED, value: 'false', isDefault: true }, ours: 'true' },
    { old: { name: TARGET, value: '00:00:03', isDefault: true }, ours: '00:00:01' },
  ]);
  assert.notDeepEqual(await dump(), before);
  const restored = await restoreSettings(live.cockroach, entries, ALONE);
  assert.deepEqual(
    restored.map(({ name, outcome }) => [name, outcome]),
    [
      [TARGET, 'restored'],
      [RANGEFEED, 'restored'],
    ],
  );
  assert.deepEqual(await dump(), before);
});

test('a value that somebody had set comes back as that value', async () => {
  await live.sql(`SET CLUSTER SETTING ${TARGET} = '2s'`);
  const before = await dump();
  const entries = await change();
  assert.deepEqual(entries[1]?.old, { name: TARGET, value: '00:00:02', isDefault: false });
  await restoreSettings(live.cockroach, entries, ALONE);
  assert.deepEqual(await dump(), before);
  await live.sql(`RESET CLUSTER SETTING ${TARGET}`);
});

test('what somebody has changed since is left alone (protocol rule 35)', async () => {
  const entries = await change();
  await live.sql(`SET CLUSTER SETTING ${TARGET} = '5s'`);
  const restored = await restoreSettings(live.cockroach, entries, ALONE);
  assert.deepEqual(restored[0], {
    name: TARGET,
    outcome: 'left',
    reason: 'somebody has set it to 00:00:05 since (ours was 00:00:01)',
  });
  assert.equal(restored[1]?.outcome, 'restored');
  assert.equal(await show(TARGET), '00:00:05');
  await live.sql(`RESET CLUSTER SETTING ${TARGET}`);
});

test('rangefeeds stay on while another live changefeed needs them (protocol rule 35)', async () => {
  const entries = await change();
  const restored = await restoreSettings(live.cockroach, entries, { otherLiveChangefeeds: 2 });
  assert.deepEqual(
    restored.map(({ name, outcome }) => [name, outcome]),
    [
      [TARGET, 'restored'],
      [RANGEFEED, 'left'],
    ],
  );
  assert.match(restored[1]?.reason ?? '', /2 other live changefeed/);
  assert.equal(await show(RANGEFEED), 'true');
  await restoreSettings(live.cockroach, entries, ALONE);
  assert.equal(await show(RANGEFEED), 'false');
});

test('setting and restoring twice does no more than once', async () => {
  const before = await dump();
  const entries = await change();
  assert.deepEqual(await applySettings(live.cockroach, WANTED), [
    { name: RANGEFEED, ours: 'true' },
    { name: TARGET, ours: '00:00:01' },
  ]);
  await restoreSettings(live.cockroach, entries, ALONE);
  const again = await restoreSettings(live.cockroach, entries, ALONE);
  assert.ok(again.every(({ outcome }) => outcome === 'restored'));
  assert.deepEqual(await dump(), before);
});

test('each setting is tried although the one before it failed', async () => {
  const entries = await change();
  await live.simulator.control.fault('statement_error', {
    pattern: `RESET CLUSTER SETTING ${TARGET}`,
    message: 'not now',
  });
  const restored = await restoreSettings(live.cockroach, entries, ALONE);
  assert.deepEqual(
    restored.map(({ outcome }) => outcome),
    ['failed', 'restored'],
  );
  assert.ok(restored[0]?.error instanceof CockroachError, 'it is told apart from what was left for a reason');
  assert.match(restored[0].reason, /not now/);
  await live.simulator.control.clearFaults();
  await restoreSettings(live.cockroach, entries, ALONE);
  assert.equal(await show(TARGET), '00:00:03');
});

test('an unknown setting, and what is no name of one, are refused', async () => {
  await assert.rejects(
    readSettings(live.cockroach, ['kv.nope']),
    (error) => error instanceof CockroachError && error.kind === 'settingUnknown',
  );
  await assert.rejects(readSettings(live.cockroach, ['kv.a; DROP TABLE t']), /is not the name of a cluster setting/);
});

test('a cursor lies above every commit before it and below every one after it', async () => {
  await live.sql('CREATE TABLE seen (id INT PRIMARY KEY)');
  await live.sql('INSERT INTO seen VALUES (1)');
  const cursor = await captureCursor(live.cockroach);
  await live.sql('INSERT INTO seen VALUES (2)');
  const rows = await live.sql(`SELECT id FROM seen AS OF SYSTEM TIME '${formatHlc(cursor)}'`);
  assert.deepEqual(
    rows.map((row) => String(row['id'])),
    ['1'],
  );
  assert.ok((await captureCursor(live.cockroach)) > cursor);
});

const status = async (jobId: string) =>
  (await live.sql('SELECT status FROM crdb_internal.jobs WHERE job_id = $1', [jobId]))[0]?.['status'];

test('history is protected and released; releasing twice is fine (protocol rule 4)', async () => {
  assert.equal(await canProtectHistory(live.cockroach), true);
  const at = await captureCursor(live.cockroach);
  const made = await protectHistory(live.cockroach, { at, forSeconds: 60, description: 'failback orders' });
  assert.equal(await status(made.jobId), 'running');
  assert.equal(await observeJob(live.cockroach, made.jobId), null, 'it is no changefeed');
  await releaseProtection(live.cockroach, made.jobId);
  await releaseProtection(live.cockroach, made.jobId);
  await releaseProtection(live.cockroach, '12345');
  assert.equal(await status(made.jobId), 'canceled');
});

test('a protection rolls forward: the new one is there before the old one goes (protocol rule 4)', async () => {
  const next = async () => ({ at: await captureCursor(live.cockroach), forSeconds: 60, description: 'failback' });
  const first = await rollProtection(live.cockroach, null, await next());
  await live.simulator.control.fault('statement_error', { pattern: 'protect_mvcc_history', message: 'not now' });
  await assert.rejects(rollProtection(live.cockroach, first, await next()), CockroachError);
  await live.simulator.control.clearFaults();
  assert.equal(await status(first.jobId), 'running');
  const second = await rollProtection(live.cockroach, first, await next());
  assert.deepEqual([await status(first.jobId), await status(second.jobId)], ['canceled', 'running']);
});

test('protections are found by their description, and only while they live', async () => {
  const protect = async (description: string) => {
    const at = await captureCursor(live.cockroach);
    return (await protectHistory(live.cockroach, { at, forSeconds: 60, description })).jobId;
  };
  const [told, untold, other] = [
    await protect('failback a'),
    await protect('failback a'),
    await protect('failback ab'),
  ];
  const found = () => listProtections(live.cockroach, 'failback a');
  assert.deepEqual(await found(), [told, untold]);
  await releaseProtection(live.cockroach, told);
  assert.deepEqual(await found(), [untold]);
  assert.deepEqual(await listProtections(live.cockroach, 'failback ab'), [other]);
});

test('gc.ttlseconds of a table, inherited and its own', async () => {
  const tables = [{ schema: 'public', table: 't' }];
  const read = async () => (await readGcTtls(live.cockroach, 'defaultdb', tables)).map((ttl) => ttl.seconds);
  assert.deepEqual(await read(), [14_400]);
  await live.sql('ALTER TABLE t CONFIGURE ZONE USING gc.ttlseconds = 600');
  assert.deepEqual(await read(), [600]);
});

test('how long CockroachDB keeps the history of a paused changefeed', async () => {
  assert.equal(await readProtectionMaxAge(live.cockroach), 96 * 3_600_000);
});
