import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { captureCursor } from '../../src/cockroach/clock.js';
import { describeTable, readClusterId, readDatabase } from '../../src/cockroach/introspect.js';
import { listChangefeedJobs } from '../../src/cockroach/jobs.js';
import { preflightCockroach, type CockroachPreflight } from '../../src/cockroach/preflight.js';
import { readUnprotectedHistory } from '../../src/cockroach/protection.js';
import { buildSinkUrl } from '../../src/cockroach/sink-url.js';
import { formatHlc } from '../../src/domain/hlc.js';
import { OPTIONS, startLive, type Live } from './live.js';

const HOUR = 3_600_000;
const public_ = (...tables: string[]) => tables.map((table) => ({ schema: 'public', table }));

let live: Live;
before(async () => {
  live = await startLive();
  await live.simulator.control.fault('feed_tuning', { closedTimestampLagMs: 50 });
  await live.sql('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await live.sql('CREATE TABLE parents (id INT PRIMARY KEY, name STRING NOT NULL, UNIQUE (name))');
  await live.sql(
    `CREATE TABLE children (id INT, price DECIMAL(10,2), parent INT REFERENCES parents (id) ON DELETE CASCADE,
       doubled DECIMAL AS (price * 2) STORED, PRIMARY KEY (price, id))`,
  );
  await live.sql('CREATE TABLE keyless (v STRING)');
  await live.sql('CREATE USER app');
  await live.sql('CREATE USER granted');
  await live.sql('GRANT SYSTEM VIEWJOB, MODIFYCLUSTERSETTING, REPLICATION TO granted');
  await live.sql('GRANT SELECT, CHANGEFEED ON TABLE parents, children TO granted');
});
after(() => live.stop());

const RECEIVER = { host: '127.0.0.1', port: 30004, path: ['shop', 'public'] };
const request = (more: Partial<CockroachPreflight> = {}): CockroachPreflight => ({
  tables: public_('parents', 'children'),
  options: OPTIONS,
  settings: {},
  stream: 'orders',
  receiver: RECEIVER,
  outageMs: HOUR,
  now: () => Date.now(),
  ...more,
});

async function ids(more: Partial<CockroachPreflight> = {}, user = 'root'): Promise<string[]> {
  const session = user === 'root' ? live.cockroach : await live.connectAs(user);
  const { findings } = await preflightCockroach(session, request(more));
  for (const finding of findings) assert.ok(finding.message.length > 30 && finding.found !== '');
  return findings.map((finding) => `${finding.severity} ${finding.id} ${finding.object}`);
}

test('a table is described with keys, types, references and identity', async () => {
  const table = await describeTable(live.cockroach, { schema: 'public', table: 'children' });
  assert.ok(table);
  assert.match(table.id, /^\d+$/);
  assert.equal(table.fullName, 'defaultdb.public.children');
  assert.deepEqual(table.primaryKey, ['price', 'id']);
  assert.deepEqual(table.keyColumns, [
    { name: 'price', type: 'DECIMAL(10,2)', keyClass: 'decimal', hidden: false, virtual: false },
    { name: 'id', type: 'INT8', keyClass: 'exact', hidden: false, virtual: false },
  ]);
  assert.deepEqual(table.columns, [
    { name: 'id', type: 'INT8', nullable: false },
    { name: 'price', type: 'DECIMAL(10,2)', nullable: false },
    { name: 'parent', type: 'INT8', nullable: true },
    { name: 'doubled', type: 'DECIMAL', nullable: true, computed: true },
  ]);
  assert.deepEqual(
    table.foreignKeys.map(({ name: _name, ...rest }) => rest),
    [
      {
        columns: ['parent'],
        references: { schema: 'public', table: 'parents' },
        referencedColumns: ['id'],
        onDelete: 'CASCADE',
        onUpdate: 'NO ACTION',
      },
    ],
  );
  const parents = await describeTable(live.cockroach, { schema: 'public', table: 'parents' });
  assert.deepEqual(parents?.uniqueKeys, [['name']]);
  assert.equal(await describeTable(live.cockroach, { schema: 'public', table: 'PARENTS' }), null);
});

test('a table made anew under the same name has another id (protocol rule 9)', async () => {
  const id = async () => (await describeTable(live.cockroach, { schema: 'public', table: 'anew' }))?.id;
  await live.sql('CREATE TABLE anew (id INT PRIMARY KEY)');
  const first = await id();
  await live.sql('ALTER TABLE anew ADD COLUMN v STRING');
  assert.equal(await id(), first);
  await live.sql('DROP TABLE anew');
  await live.sql('CREATE TABLE anew (id INT PRIMARY KEY)');
  assert.notEqual(await id(), first);
  assert.match(await readClusterId(live.cockroach), /^[0-9a-f-]{36}$/);
  assert.equal(await readDatabase(live.cockroach), 'defaultdb');
});

test('all is well: no finding, and nothing is left behind', async () => {
  const jobs = (await listChangefeedJobs(live.cockroach)).length;
  assert.deepEqual(await ids(), []);
  assert.equal((await listChangefeedJobs(live.cockroach)).length, jobs);
});

test('a user with exactly the privileges named has no finding', async () => {
  assert.deepEqual(await ids({ settings: { 'kv.closed_timestamp.target_duration': '1s' } }, 'granted'), []);
});

test('every problem is found at once', async () => {
  const found = await ids({ tables: public_('parents', 'nope', 'keyless'), outageMs: 100 * HOUR });
  assert.deepEqual(found, [
    'blocking table.missing public.nope',
    'blocking key.rowid public.keyless',
    'blocking history.maxAge cluster',
  ]);
});

test('a user without privileges is told each of them, with its GRANT', async () => {
  const session = await live.connectAs('app');
  const { findings } = await preflightCockroach(
    session,
    request({ settings: { 'kv.closed_timestamp.target_duration': '1s' } }),
  );
  const grants = findings.map((finding) => (finding.remedy.kind === 'statement' ? finding.remedy.sql : finding.id));
  assert.deepEqual(grants.sort(), [
    'GRANT CHANGEFEED ON TABLE "public"."children" TO "app";',
    'GRANT CHANGEFEED ON TABLE "public"."parents" TO "app";',
    'GRANT SELECT ON TABLE "public"."children" TO "app";',
    'GRANT SELECT ON TABLE "public"."parents" TO "app";',
    'GRANT SYSTEM MODIFYCLUSTERSETTING TO "app";',
    'GRANT SYSTEM VIEWJOB TO "app";',
  ]);
  assert.ok(findings.every((finding) => finding.severity === 'blocking'));
});

test('without the right to protect history a short TTL blocks (protocol rule 4)', async () => {
  await live.sql('REVOKE SYSTEM REPLICATION FROM granted');
  try {
    assert.deepEqual(await ids({ outageMs: 2 * HOUR }, 'granted'), []);
    assert.deepEqual(await ids({ outageMs: 5 * HOUR }, 'granted'), [
      'blocking history.gcTtl TABLE defaultdb.public.parents',
      'blocking history.gcTtl TABLE defaultdb.public.children',
    ]);
    const [short] = (await preflightCockroach(await live.connectAs('granted'), request({ outageMs: 5 * HOUR })))
      .findings;
    assert.match(short?.message ?? '', /GRANT SYSTEM REPLICATION TO "granted";$/);
    assert.deepEqual(await ids({ outageMs: 5 * HOUR }), [], 'root may protect it');
  } finally {
    await live.sql('GRANT SYSTEM REPLICATION TO granted');
  }
});

test('history that nobody protects is known by its shortest TTL (protocol rule 4)', async () => {
  const tables = public_('parents', 'children');
  const granted = await live.connectAs('granted');
  assert.equal(await readUnprotectedHistory(granted, tables), null);
  await live.sql('REVOKE SYSTEM REPLICATION FROM granted');
  await live.sql('ALTER TABLE children CONFIGURE ZONE USING gc.ttlseconds = 600');
  try {
    assert.deepEqual(await readUnprotectedHistory(granted, tables), {
      object: 'TABLE defaultdb.public.children',
      ttlMs: 600_000,
    });
    assert.equal(await readUnprotectedHistory(live.cockroach, tables), null, 'root may protect it');
  } finally {
    await live.sql('ALTER TABLE children CONFIGURE ZONE USING gc.ttlseconds = 14400');
    await live.sql('GRANT SYSTEM REPLICATION TO granted');
  }
});

test('rangefeeds that are off block, unless the runbook will switch them on', async () => {
  await live.sql('SET CLUSTER SETTING kv.rangefeed.enabled = false');
  try {
    assert.deepEqual(await ids(), ['blocking rangefeed.disabled cluster']);
    assert.deepEqual(await ids({ settings: { 'kv.rangefeed.enabled': 'true' } }), []);
  } finally {
    await live.sql('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  }
});

test('a missing licence blocks before anything is stopped, and pull is named', async () => {
  await live.simulator.control.fault('no_license');
  try {
    const { findings } = await preflightCockroach(live.cockroach, request());
    assert.deepEqual(
      findings.map((finding) => finding.id),
      ['changefeed.licence'],
    );
    assert.match(findings[0]?.message ?? '', /XXC02.*"intake": "pull" in the input/);
  } finally {
    await live.simulator.control.clearFaults('no_license');
  }
});

test('pull needs neither a licence, CHANGEFEED nor VIEWJOB, and its own statement is tried', async () => {
  await live.sql('CREATE USER reader');
  await live.sql('GRANT SYSTEM REPLICATION TO reader');
  await live.simulator.control.fault('no_license');
  const pull = { intake: 'pull', receiver: null } as const;
  try {
    const refused = await preflightCockroach(await live.connectAs('reader'), request(pull));
    const found = refused.findings.find(({ id }) => id === 'privilege.changefeed');
    assert.match(
      found?.message ?? '',
      /requires the SELECT privilege .*GRANT SELECT ON TABLE "public"\."parents", "public"\."children" TO "reader";$/,
    );
    await live.sql('GRANT SELECT ON TABLE parents, children TO reader');
    assert.deepEqual(await ids(pull, 'reader'), []);
    const option = request({ ...pull, options: { ...OPTIONS, nonsense: null } });
    assert.match(
      (await preflightCockroach(live.cockroach, option)).findings[0]?.found ?? '',
      /invalid option "nonsense"/,
    );
    await live.simulator.control.fault('feed_stall');
    assert.deepEqual(await ids({ ...pull, rangefeedTrialMs: 300 }), ['warning rangefeed.silent cluster']);
  } finally {
    await live.simulator.control.clearFaults();
  }
});

test('a changefeed that sends nothing is a warning', async () => {
  await live.simulator.control.fault('feed_stall');
  try {
    assert.deepEqual(await ids({ rangefeedTrialMs: 300 }), ['warning rangefeed.silent cluster']);
  } finally {
    await live.simulator.control.clearFaults('feed_stall');
  }
});

test("an option that CockroachDB refuses is said once, in CockroachDB's words", async () => {
  const { findings } = await preflightCockroach(live.cockroach, request({ options: { ...OPTIONS, nonsense: null } }));
  assert.deepEqual(
    findings.map((finding) => finding.id),
    ['changefeed.option'],
  );
  assert.match(findings[0]?.found ?? '', /invalid option "nonsense"/);
});

test('a cursor whose history is gone blocks; one that is there does not', async () => {
  const cursor = await captureCursor(live.cockroach);
  assert.deepEqual(await ids({ cursor }), []);
  await live.sql('CREATE TABLE young (id INT PRIMARY KEY)');
  assert.deepEqual(await ids({ tables: public_('young'), cursor }), ['blocking cursor.refused public.young']);
  const threshold = formatHlc(await captureCursor(live.cockroach));
  await live.simulator.control.fault('gc', { threshold });
  try {
    const found = await ids({ tables: public_('parents'), cursor });
    assert.deepEqual(found, ['blocking cursor.tooOld public.parents']);
  } finally {
    await live.simulator.control.clearFaults('gc');
  }
});

test('another changefeed into this receiver blocks, with the statement that ends it', async () => {
  const sink = buildSinkUrl({ ...RECEIVER, stream: 'other', incarnation: 1, tls: {} });
  const [row] = await live.sql(`CREATE CHANGEFEED FOR TABLE parents INTO '${sink}' WITH updated`);
  const { findings } = await preflightCockroach(live.cockroach, request());
  assert.deepEqual(
    findings.map((finding) => finding.id),
    ['receiver.inUse'],
  );
  const job = String(row?.['job_id']);
  assert.match(findings[0]?.message ?? '', new RegExp(`roll back the run other first; .*: CANCEL JOB ${job};$`));
  assert.deepEqual(await ids({ stream: 'other' }), [], 'its own stream is not in its way');
  await live.sql(`CANCEL JOB ${String(row?.['job_id'])}`);
});

test('clocks that differ are a warning, never more (protocol rule 31)', async () => {
  assert.deepEqual(await ids({ now: () => Date.now() - 60_000 }), ['warning clock.skew cluster']);
});
