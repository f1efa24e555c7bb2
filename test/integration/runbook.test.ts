import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dumpBoth, liveJobs } from '../support/dumps.js';
import { startRunStack, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
});
after(async () => at.stop());

test('a whole run: paused, resumed, finished through its gate, in words', async () => {
  await at.source.query('CREATE TABLE items (id INT PRIMARY KEY, name STRING, price DECIMAL(12,2))');
  await at.target.query('CREATE TABLE items (id bigserial PRIMARY KEY, name text, price numeric(12,2))');
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
  const { rows: protections } = await at.target.query<{ job: string; covers: boolean }>(
    `SELECT r.state -> 'protection' ->> 'jobId' AS job, (r.state -> 'protection' ->> 'at')::numeric <= c.stop_at AS covers
     FROM _failback.run r JOIN _failback.checkpoint c ON c.run = r.run`,
  );
  assert.equal(protections.length, 1);
  assert.equal(protections[0]?.covers, true);
  const jobs = await liveJobs(at.source);
  assert.ok(
    jobs.some((job) => job.startsWith(`${protections[0]?.job} `)),
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

  const { rows } = await at.target.query<{ id: string }>("INSERT INTO items (name) VALUES ('first') RETURNING id");
  assert.equal(rows[0]?.id, '101', 'the sequence goes on beyond the rows');
  assert.deepEqual(await dumpBoth(at), untouched);

  const last = await run.status();
  const typo = last.messages.find(({ message }) => message === 'finnish');
  assert.equal(typo?.honoured, false);
  assert.match(typo?.effect ?? '', /there is no such message; known are pause, resume, finish/);
  assert.deepEqual(
    last.messages.filter(({ honoured }) => honoured).map(({ message }) => message),
    ['forwardStopped', 'pause', 'resume', 'pause', 'resume', 'finish', 'approve'],
  );
});

test('rows that differ, and writes that go on, keep the run replicating', async () => {
  await at.createTable('stock');
  const run = await at.start('stock', 'stock', { approvals: ['finish'] });
  await run.replicating();
  await at.source.query("INSERT INTO stock VALUES (1, 'a', 1), (2, 'b', 2)");
  await until('the rows', async () => (await at.rowsOnTarget('stock')) === 2, { timeoutMs: 30_000 });

  await at.target.query("UPDATE stock SET name = 'canary-foreign' WHERE id = 2");
  await run.signal('finish');
  const differs = await until(
    'the incident',
    async () => (await run.status()).incidents.find(({ type, endedAt }) => type === 'Verify.RowsDiffer' && !endedAt),
    { timeoutMs: 30_000 },
  );
  assert.match(differs.cause, /stock: 1 different \(key .*2.*: name\)/);
  assert.doesNotMatch(differs.cause, /canary-foreign/);
  await run.awaitPhase('replicate');

  await at.source.query("UPDATE stock SET name = 'b2' WHERE id = 2");
  await until(
    'the repair',
    async () => (await at.target.query("SELECT 1 FROM stock WHERE name = 'b2'")).rowCount === 1,
    {
      timeoutMs: 30_000,
    },
  );
  await run.signal('finish');
  await until('the gate', async () => (await run.status()).waitingFor?.startsWith('approve'), { timeoutMs: 30_000 });
  await at.source.query("INSERT INTO stock VALUES (3, 'late', 3)");
  await run.signal('approve', { gate: 'finish' });
  await until(
    'the incident',
    async () => (await run.status()).incidents.some(({ type }) => type === 'Verify.SourceStillWrites'),
    { timeoutMs: 30_000 },
  );
  await run.awaitPhase('replicate');
  await until('the late row', async () => (await at.rowsOnTarget('stock')) === 3, { timeoutMs: 30_000 });

  await run.signal('approve', { gate: 'finish' });
  await run.signal('finish');
  const ending = await run.ending();
  assert.deepEqual([ending.outcome, ending.rowsCompared], ['finished', 3]);
  assert.deepEqual(await liveJobs(at.source), []);
});
