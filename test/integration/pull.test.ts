import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dumpBoth, liveJobs } from '../support/dumps.js';
import { startRunStack, type Run, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

/** A cluster without a licence, and a worker without a port, a certificate or a token. */
let at: RunStack;
before(async () => {
  at = await startRunStack({ withoutReceiver: true });
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.stack.cockroach.control.fault('no_license');
});
after(async () => at.stop());

const LONG = { timeoutMs: 60_000 };
const PULL = { intake: 'pull' };

const incarnation = async (run: Run): Promise<number> => (await run.status()).stream?.incarnation ?? 0;
const rows = async (table: string, n: number): Promise<void> => {
  await until(`${n} rows of ${table}`, async () => (await at.rowsOnTarget(table)) === n, LONG);
};
/** Changefeeds only: what protects history is a job, too. */
const feedJobs = async (): Promise<string[]> => (await liveJobs(at.source)).filter((job) => job.includes('CHANGEFEED'));

test('a webhook is refused for want of a licence and of a receiver, and pull is offered', async () => {
  await at.createTable('refused');
  const run = await at.start('refused', 'refused');
  const { type, message } = await run.failure();
  assert.equal(type, 'Preflight.Blocked');
  assert.match(message, /it has no receiver to which a changefeed could send.*"intake": "pull"/);
  assert.match(message, /asks for an enterprise licence.*Start with "intake": "pull"/);
});

test('a whole run without a sink: paused, resumed, cut off, over a schema change, finished with equal rows', async () => {
  await at.createTable('pulled');
  const untouched = await dumpBoth(at);
  const run = await at.start('pulled', 'pulled', PULL);
  await run.awaitPhase('drain');
  const replicate = await run.replicating();
  assert.ok(replicate.stream?.delivered, 'replicate begins with the proof of delivery');
  assert.equal(replicate.stream.jobId, null);
  for (let id = 1; id <= 20; id += 1) await at.source.query('INSERT INTO pulled VALUES ($1, $2, 1.50)', [id, `n${id}`]);
  await at.source.query('UPDATE pulled SET price = 2 WHERE id = 1');
  await at.source.query('DELETE FROM pulled WHERE id = 20');
  await rows('pulled', 19);

  // The attempt ends its feed once it has seen the row; what is written then is read by the next feed only.
  await run.signal('pause');
  await run.awaitPhase('paused');
  await until('the feed rests', async () => (await run.status()).stream?.jobStatus === 'paused', LONG);
  await until('it is ended', () => at.workerLog().includes('is ended: no changefeed is wanted now'), LONG);
  const before = await incarnation(run);
  await at.source.query(`INSERT INTO pulled VALUES (100, 'while paused', 2)`);
  const lagMs = async (): Promise<number> => (await run.handle.executeUpdate<{ lagMs: number }, []>('inspect')).lagMs;
  await until('the target falls behind', async () => (await lagMs()) > 4_000, LONG);
  assert.equal(await at.rowsOnTarget('pulled'), 19);
  await run.signal('resume');
  await run.awaitPhase('replicate');
  await rows('pulled', 20);
  await until('a resume is a new incarnation', async () => (await incarnation(run)) > before, LONG);

  const uncut = await incarnation(run);
  await at.sourceGate.shut();
  await at.source.query(`INSERT INTO pulled VALUES (101, 'while cut off', 3)`);
  await at.sourceGate.open();
  await rows('pulled', 21);
  await until('a reconnect is a new incarnation', async () => (await incarnation(run)) > uncut, LONG);

  await at.target.query('ALTER TABLE pulled ADD COLUMN note text');
  await at.source.query(`ALTER TABLE pulled ADD COLUMN note STRING DEFAULT 'as ever'`);
  await at.source.query(`INSERT INTO pulled (id, name, price, note) VALUES (102, 'later', 4, 'new')`);
  await until(
    'the new column is filled in every row',
    async () => {
      const { rows: found } = await at.target.query(`SELECT 1 FROM pulled WHERE note IS NOT NULL HAVING count(*) = 22`);
      return found.length === 1;
    },
    LONG,
  );
  assert.match(await run.handle.query<string>('report'), /changefeed without a sink \(reading\)/);
  assert.deepEqual(await feedJobs(), [], 'there never was a job');

  await run.signal('finish');
  const ending = await run.ending();
  assert.equal(ending.outcome, 'finished');
  assert.match(ending.summary, /Both sides were equal at .*: 22 rows in 1 tables .*The changefeed is read no more\./);
  assert.deepEqual(ending.remains, []);
  assert.equal(
    ending.done.some((line) => /CANCEL|is cancelled/.test(line)),
    false,
    ending.done.join('; '),
  );
  assert.deepEqual(
    (await dumpBoth(at)).filter((line) => !line.includes('column public.pulled.note')),
    untouched,
  );
});

test('a rollback ends the feed before it takes anything down, and a worker that died goes on as another incarnation', async () => {
  await at.createTable('undone');
  const untouched = await dumpBoth(at);
  const run = await at.start('undone', 'undone', PULL);
  await run.awaitPhase('drain');
  await run.replicating();
  await at.source.query(`INSERT INTO undone VALUES (1, 'a', 1)`);
  await rows('undone', 1);
  const before = await incarnation(run);
  await at.killWorker();
  await at.source.query(`INSERT INTO undone VALUES (2, 'nobody reads', 1)`);
  await at.startWorker();
  await rows('undone', 2);
  await until('the next attempt has another incarnation', async () => (await incarnation(run)) > before, LONG);
  await run.signal('rollback');
  const ending = await run.ending();
  assert.equal(ending.outcome, 'rolled back');
  assert.deepEqual(ending.remains, []);
  assert.ok(ending.done.includes('the reading of the changefeed has ended'), ending.done.join('; '));
  assert.deepEqual(await dumpBoth(at), untouched);
});
