import assert from 'node:assert/strict';
import { parseHlc } from '../../../src/domain/hlc.js';
import { dumpBoth, liveJobs } from '../../support/dumps.js';
import type { RunStack } from '../../support/run.js';
import { until } from '../../support/until.js';

export async function wholeRun(at: RunStack): Promise<void> {
  const { target } = at;
  await at.source.query('CREATE TABLE items (id INT PRIMARY KEY, name STRING, price DECIMAL(12,2))');
  await target.query(
    `CREATE TABLE items (id ${target.types.counted} PRIMARY KEY, name ${target.types.text}, price numeric(12,2))`,
  );
  const untouched = await dumpBoth(at);
  const run = await at.start('orders', 'items', { approvals: ['finish'] });

  const drain = await run.awaitPhase('drain');
  assert.match(drain.waitingFor ?? '', /^forwardStopped/);
  assert.equal(drain.applicationMayWriteSince, null);
  assert.match(await run.ask('finish'), /^cannot finish: replication has not started/);
  await run.signal('finnish', { gate: 'finish' });
  assert.match(await run.ask('approve', { gate: 'forward' }), /this run has no gate "forward": its input lists finish/);
  assert.equal(await run.ask('forwardStopped'), 'noted: the forward replicator has been stopped');

  const replicate = await run.awaitPhase('replicate');
  assert.ok(replicate.applicationMayWriteSince);
  assert.ok(replicate.stream?.delivered, 'replicate begins with the proof of delivery');
  for (let id = 1; id <= 20; id += 1) await at.source.query('INSERT INTO items VALUES ($1, $2, 1.5)', [id, `n${id}`]);
  await until('20 rows', async () => (await at.rowsOnTarget('items')) === 20, { timeoutMs: 30_000 });

  assert.match(await run.ask('pause'), /^pausing/);
  await run.awaitPhase('paused');
  assert.equal(await run.ask('finish'), 'cannot finish: paused; send resume first');
  assert.equal(await run.ask('pause'), 'it is paused already');
  await until('the job is paused', async () => (await liveJobs(at.source)).some((job) => job.endsWith('paused')), {
    timeoutMs: 30_000,
  });
  await at.source.query('INSERT INTO items VALUES (100, $1, 2)', ['while paused']);
  await run.signal('resume');
  await run.awaitPhase('replicate');
  await until('the row written while paused', async () => (await at.rowsOnTarget('items')) === 21, {
    timeoutMs: 30_000,
  });
  // Once the stream has looked at the job, a pause and a resume are newer than what it saw.
  const shown = async (jobStatus: string) =>
    until(`the job is shown as ${jobStatus}`, async () => (await run.status()).stream?.jobStatus === jobStatus);
  await shown('running');
  await run.ask('pause');
  await shown('paused');
  await run.ask('resume');
  await shown('running');
  await run.awaitPhase('replicate');

  await run.signal('finish');
  const waiting = await until(
    'the gate',
    async () => {
      const now = await run.status();
      return now.waitingFor?.startsWith('approve') ? now : null;
    },
    { timeoutMs: 30_000 },
  );
  assert.equal(waiting.waitingFor, 'approve {"gate":"finish"}');
  // Compared by now, at T: what protects history still stands, from a timestamp on that is not after T.
  const protection = await protectionOf(at);
  assert.ok(protection.covers);
  const jobs = await liveJobs(at.source);
  assert.ok(
    jobs.some((job) => job.startsWith(`${protection.job} `)),
    jobs.join(),
  );
  assert.match(await run.ask('approve', { gate: 'finnish' }), /found "finnish"/);
  assert.match(await run.handle.query<string>('report'), /\*\*Waits for:\*\* approve/);
  assert.equal(await run.ask('approve', { gate: 'finish' }), 'gate "finish" is open');

  const ending = await run.ending();
  assert.equal(ending.outcome, 'finished');
  assert.equal(ending.rowsCompared, 21);
  assert.match(ending.summary, /21 rows in 1 tables were compared, and the source has nothing newer/);
  assert.match(ending.mayApplicationWriteToOldDatabase, /^Yes, now\./);
  assert.ok(ending.asOf && ending.asOf > replicate.applicationMayWriteSince);
  assert.deepEqual(ending.remains, []);
  assert.match(ending.howToRestartForwardReplication, /must not carry the rows of this run back/);
  assert.deepEqual((await run.handle.describe()).memo?.['ending'], ending);

  await target.query("INSERT INTO items (name) VALUES ('first')");
  const { rows } = await target.query("SELECT id FROM items WHERE name = 'first'");
  assert.deepEqual(rows, [{ id: '101' }], 'the counter goes on beyond the rows');
  assert.deepEqual(await dumpBoth(at), untouched);

  const last = await run.status();
  const typo = last.messages.find(({ message }) => message === 'finnish');
  assert.equal(typo?.honoured, false);
  assert.match(typo?.effect ?? '', /there is no such message; known are pause, resume, finish/);
  assert.deepEqual(
    last.messages.filter(({ honoured }) => honoured).map(({ message }) => message),
    ['forwardStopped', 'pause', 'resume', 'pause', 'resume', 'finish', 'approve'],
  );
}

/** What protects history while the run waits at its gate, and whether it protects it from a timestamp on that is not after T. */
async function protectionOf({ target }: RunStack): Promise<{ readonly job: string; readonly covers: boolean }> {
  const { rows } = await target.query<{ state: string; stop: string }>(
    `SELECT r.${target.columns.state} AS state, c.stop_at AS stop
     FROM ${target.ours('run')} r JOIN ${target.ours('checkpoint')} c ON c.run = r.run`,
  );
  const [found, ...others] = rows;
  assert.ok(found && others.length === 0);
  const { protection } = JSON.parse(found.state) as { protection: { jobId: string; at: string } };
  return { job: protection.jobId, covers: parseHlc(protection.at) <= parseHlc(found.stop) };
}

export async function rowsThatDiffer(at: RunStack): Promise<void> {
  await at.createTable('articles');
  const run = await at.start('articles', 'articles', { approvals: ['finish'] });
  await run.replicating();
  await at.source.query("INSERT INTO articles VALUES (1, 'a', 1), (2, 'b', 2)");
  await until('the rows', async () => (await at.rowsOnTarget('articles')) === 2, { timeoutMs: 30_000 });

  await at.target.query("UPDATE articles SET name = 'canary-foreign' WHERE id = 2");
  await run.signal('finish');
  const differs = await until(
    'the incident',
    async () => (await run.status()).incidents.find(({ type, endedAt }) => type === 'Verify.RowsDiffer' && !endedAt),
    { timeoutMs: 30_000 },
  );
  assert.match(differs.cause, /articles: 1 different \(key .*2.*: name\)/);
  assert.doesNotMatch(differs.cause, /canary-foreign/);
  await run.awaitPhase('replicate');

  await at.source.query("UPDATE articles SET name = 'b2' WHERE id = 2");
  await until(
    'the repair',
    async () => (await at.target.query("SELECT 1 FROM articles WHERE name = 'b2'")).rowCount === 1,
    {
      timeoutMs: 30_000,
    },
  );
  await run.signal('finish');
  await until('the gate', async () => (await run.status()).waitingFor?.startsWith('approve'), { timeoutMs: 30_000 });
  await at.source.query("INSERT INTO articles VALUES (3, 'late', 3)");
  await run.signal('approve', { gate: 'finish' });
  await until(
    'the incident',
    async () => (await run.status()).incidents.some(({ type }) => type === 'Verify.SourceStillWrites'),
    { timeoutMs: 30_000 },
  );
  await run.awaitPhase('replicate');
  await until('the late row', async () => (await at.rowsOnTarget('articles')) === 3, { timeoutMs: 30_000 });

  await run.signal('approve', { gate: 'finish' });
  await run.signal('finish');
  const ending = await run.ending();
  assert.deepEqual([ending.outcome, ending.rowsCompared], ['finished', 3]);
  assert.deepEqual(await liveJobs(at.source), []);
}
