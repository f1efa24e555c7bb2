import assert from 'node:assert/strict';
import { liveJobs } from '../../support/dumps.js';
import type { Run, RunStack } from '../../support/run.js';
import { until } from '../../support/until.js';

export const LONG = { timeoutMs: 120_000 };

export const openIncident = async (run: Run, type: string) =>
  (await run.status()).incidents.find((incident) => incident.type === type && incident.endedAt === null);
export const waiting = (run: Run) => until('it waits for a person', async () => (await run.status()).waitingFor, LONG);

/** A row that the application wrote to CockroachDB too early, and one that was changed there. */
export async function writeTooEarly(at: RunStack): Promise<void> {
  await at.source.query("INSERT INTO items VALUES (3, 'canary-early', 3)");
  await at.source.query("UPDATE items SET name = 'canary-changed' WHERE id = 2");
}

/** Both sides have the rows 1 and 2 of `items`. */
export async function differsAtCursor(at: RunStack): Promise<void> {
  await writeTooEarly(at);
  const run = await at.start('differ', 'items', { limits: { outage: '8s' } });
  await run.awaitPhase('drain');
  await run.signal('forwardStopped');
  assert.match(await waiting(run), /^resume: /);
  const status = await run.status();
  assert.equal(status.phase, 'cursor');
  assert.ok(status.applicationMayWriteSince, 'what is written from the cursor on need not wait');
  const incident = await openIncident(run, 'Verify.RowsDiffer');
  assert.match(
    incident?.cause ?? '',
    /^as of the cursor \d+\.\d{10}: .*1 missing .*\["3"\].*1 different .*\["2"\]: name/,
  );
  assert.match(incident?.remedy ?? '', /Mend the rows.*resume.*rollback/);
  assert.doesNotMatch(JSON.stringify(status), /canary/);

  const [first] = await liveJobs(at.source);
  assert.match(first ?? '', /running$/, 'the protection of history is the only job');
  const [later, ...others] = await until(
    'history is protected anew while it waits',
    async () => {
      const jobs = await liveJobs(at.source);
      return jobs.length === 1 && jobs[0] !== first && jobs;
    },
    LONG,
  );
  assert.ok(later && others.length === 0 && !later.includes('CHANGEFEED'));

  await at.target.query("INSERT INTO items SELECT 3, 'canary-early', 3");
  await at.source.query("INSERT INTO items VALUES (4, 'after the cursor', 4)");
  assert.equal(await run.ask('resume'), 'resuming');
  const going = await run.awaitPhase('replicate');
  assert.equal(await openIncident(run, 'Verify.RowsDiffer'), undefined);
  assert.equal(going.atCursor, 'both sides differed in 2 keys: 3 rows in 1 tables');
  assert.match(going.warnings.at(-1) ?? '', /^a person said resume although rows differed as of the cursor .*\["3"\]/);
  await until('the row after the cursor', async () => (await at.rowsOnTarget('items')) === 4, LONG);

  // The one that was not mended is still there for the finish.
  await run.signal('finish');
  const differs = await until('the finish refuses', () => openIncident(run, 'Verify.RowsDiffer'), LONG);
  assert.match(differs.cause, /1 different .*\["2"\]: name/);
  await at.target.query("UPDATE items SET name = 'canary-changed' WHERE id = 2");
  await run.awaitPhase('replicate');
  await run.signal('finish');
  const ending = await run.ending();
  assert.deepEqual([ending.outcome, ending.rowsCompared], ['finished', 4]);
}
