import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { parseSinkUrl } from '../../src/cockroach/sink-url.js';
import { INCARNATION_PARAMETER, STREAM_PARAMETER } from '../../src/domain/sink-parameters.js';
import type { Incident } from '../../src/domain/incident.js';
import { httpsRequest } from '../support/https-client.js';
import { startRunStack, type Run, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
});
after(async () => at.stop());

const LONG = { timeoutMs: 90_000 };

const all = async (run: Run, type: string): Promise<readonly Incident[]> =>
  (await run.status()).incidents.filter((incident) => incident.type === type);
const opened = async (run: Run, type: string): Promise<Incident> =>
  until(`${type} opens`, async () => (await all(run, type)).find((incident) => incident.endedAt === null), LONG);
const ended = async (run: Run, type: string): Promise<unknown> =>
  until(`${type} ends`, async () => (await all(run, type)).every((incident) => incident.endedAt !== null), LONG);
const onTarget = async (table: string): Promise<string> =>
  (await at.target.query<{ ids: string | null }>(`SELECT string_agg(id::text, ',' ORDER BY id) AS ids FROM ${table}`))
    .rows[0]?.ids ?? '';
const arrive = (table: string, ids: string): Promise<unknown> =>
  until(`rows ${ids} of ${table}`, async () => (await onTarget(table)) === ids, LONG);

test('a table renamed is followed; another table in its place halts the stream until it is put right (protocol rule 9)', async () => {
  await at.createTable('named');
  const run = await at.start('named', 'named');
  await run.replicating();
  await at.source.query("INSERT INTO named VALUES (1, 'before', 1)");
  await arrive('named', '1');

  await at.source.query('ALTER TABLE named RENAME TO named_before');
  await at.source.query("INSERT INTO named_before VALUES (2, 'under the new name', 1)");
  await arrive('named', '1,2');
  assert.deepEqual(await all(run, 'Source.TableChanged'), []);

  await at.source.query('CREATE TABLE named (id INT PRIMARY KEY, name STRING, price DECIMAL(12,2))');
  const incident = await opened(run, 'Source.TableChanged');
  assert.match(incident.cause, /^table public\.named had id \d+ when the stream began and has id \d+ now/);
  await at.source.query("INSERT INTO named_before VALUES (3, 'while it is halted', 1)");

  await run.signal('resume');
  await until('it halts again', async () => (await all(run, 'Source.TableChanged')).length === 2, LONG);
  await opened(run, 'Source.TableChanged');
  assert.equal(await onTarget('named'), '1,2');

  await at.source.query('DROP TABLE named');
  await at.source.query('ALTER TABLE named_before RENAME TO named');
  await run.signal('resume');
  await arrive('named', '1,2,3');
  await ended(run, 'Source.TableChanged');
  await run.signal('rollback');
  assert.equal((await run.ending()).outcome, 'rolled back');
});

test('ALTER PRIMARY KEY halts the stream before a delete takes the wrong row, and it can be rolled back (protocol rule 8)', async () => {
  await at.source.query('CREATE TABLE keyed (id INT PRIMARY KEY, v INT NOT NULL)');
  await at.target.query('CREATE TABLE keyed (id int8 PRIMARY KEY, v int8 NOT NULL)');
  const run = await at.start('keyed', 'keyed');
  await run.replicating();
  await at.source.query('INSERT INTO keyed VALUES (1, 2), (2, 1), (3, 3), (4, 4)');
  await arrive('keyed', '1,2,3,4');
  await at.source.query('ALTER TABLE keyed ADD COLUMN note STRING');
  await at.source.query('DELETE FROM keyed WHERE id = 4');
  await arrive('keyed', '1,2,3');

  await at.source.query('BEGIN');
  await at.source.query('DELETE FROM keyed WHERE id = 3');
  await at.source.query('COMMIT');
  await at.source.query('ALTER TABLE keyed ALTER PRIMARY KEY USING COLUMNS (v)');
  // Its key is [1] now: by the key that we know, that is the row with id 1.
  await at.source.query('DELETE FROM keyed WHERE v = 1');
  const incident = await opened(run, 'Source.KeyChanged');
  assert.equal(incident.cause, 'the primary key of public.keyed was (id) when the stream began and is (v) now');
  await arrive('keyed', '1,2');

  // Changed back, the delete in between still has the other key.
  await at.source.query('ALTER TABLE keyed ALTER PRIMARY KEY USING COLUMNS (id)');
  await run.signal('resume');
  await until('it halts again', async () => (await all(run, 'Source.KeyChanged')).length === 2, LONG);
  await opened(run, 'Source.KeyChanged');
  assert.equal(await onTarget('keyed'), '1,2');
  await run.signal('rollback');
  assert.equal((await run.ending()).outcome, 'rolled back');
});

test('while the target is away: the stage becomes the only copy (protocol rule 4), and a late row is an alarm until a person resumes (rule 10)', async () => {
  await at.createTable('aged');
  // As a version that cannot protect history (before 24.1).
  await at.source.query('DROP FUNCTION crdb_internal.protect_mvcc_history(numeric, interval, text)');
  await at.source.query('ALTER TABLE aged CONFIGURE ZONE USING gc.ttlseconds = 24');
  const run = await at.start('aged', 'aged', { limits: { outage: '20s' } });
  await run.replicating();
  await at.source.query("INSERT INTO aged VALUES (1, 'before', 1)");
  await arrive('aged', '1');

  await at.targetGate.shut();
  const { rows } = await at.source.query<{ t: string }>('SELECT cluster_logical_timestamp() AS t');
  const late = rows[0]?.t ?? '';
  const incident = await opened(run, 'Stage.OnlyCopy');
  assert.match(
    incident.cause,
    /^the checkpoint is \d+ s old, and the source keeps the history of TABLE .*aged for 24 s/,
  );

  assert.equal(await postRow('aged', late), 200);
  const alarm = await opened(run, 'Changefeed.LateRows');
  assert.match(alarm.cause, /^1 row came for the first time/);
  await at.targetGate.open();
  await ended(run, 'Stage.OnlyCopy');
  await arrive('aged', '1,7');
  assert.equal((await all(run, 'Changefeed.LateRows'))[0]?.endedAt, null, 'only a person ends it');
  await run.signal('resume');
  await ended(run, 'Changefeed.LateRows');
  await run.signal('rollback');
  assert.equal((await run.ending()).outcome, 'rolled back');
});

/** Posts row 7 of a table to the receiver, as its changefeed would. */
async function postRow(table: string, updated: string): Promise<number> {
  const { rows } = await at.source.query<{ sink_uri: string }>(
    "SELECT sink_uri FROM [SHOW CHANGEFEED JOBS] WHERE status = 'running'",
  );
  const sink = rows.map((row) => parseSinkUrl(row.sink_uri)).find((one) => one?.stream === table);
  assert.ok(sink, `a running job of ${table}`);
  const { certificates } = at.stack;
  const answer = await httpsRequest({
    port: sink.port,
    path: `/${sink.path.join('/')}?${STREAM_PARAMETER}=${sink.stream}&${INCARNATION_PARAMETER}=${sink.incarnation}`,
    ca: readFileSync(certificates.ca, 'utf8'),
    cert: readFileSync(certificates.clientCertificate, 'utf8'),
    key: readFileSync(certificates.clientKey, 'utf8'),
    body: JSON.stringify({
      payload: [{ after: { id: 7, name: 'late', price: 1 }, key: [7], topic: table, updated }],
      length: 1,
    }),
  });
  return answer.status;
}
