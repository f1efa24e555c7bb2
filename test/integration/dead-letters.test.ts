import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Inspection } from '../../src/activities/watch.js';
import { openIncidents } from '../../src/domain/incident.js';
import { findCanaries, readTemporal } from '../support/evidence.js';
import { endRuns, startRunStack, type Run, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
});
after(async () => {
  await endRuns(at).finally(() => at.stop());
});

const LONG = { timeoutMs: 60_000, everyMs: 100 };
const VALUE = 'canary-row-value-81c4e0';
const TOO_MUCH = '123456.78';

async function begin(id: string, apply: Readonly<Record<string, unknown>> = {}): Promise<Run> {
  await at.createTable(id);
  const run = await at.start(id, id, { apply, limits: { healthEvery: '500ms' } });
  await run.replicating();
  // Preflight would have refused it.
  await at.target.query(`ALTER TABLE ${id} ALTER price TYPE numeric(5,2)`);
  return run;
}

const widen = (run: Run) => at.target.query(`ALTER TABLE ${run.id} ALTER price TYPE numeric(12,2)`);
const insert = (run: Run, id: number, price: string) =>
  at.source.query(`INSERT INTO ${run.id} VALUES ($1, $2, $3)`, [id, VALUE, price]);
const arrived = (run: Run, rows: number) =>
  until(`${rows} rows`, async () => (await at.rowsOnTarget(run.id)) === rows, LONG);
const incident = (run: Run, type: string) =>
  until(type, async () => openIncidents((await run.status()).incidents).find((one) => one.type === type), LONG);
const keysOf = async (run: Run): Promise<readonly string[]> => {
  const letters = 'SELECT key FROM _failback.dead_letters WHERE stream = $1 ORDER BY hlc, key';
  return (await at.target.query<{ key: string }>(letters, [run.id])).rows.map(({ key }) => key);
};
const waiting = (run: Run, count: number) =>
  until(`${count} are counted`, async () => (await run.status()).stream?.deadLetters === count, LONG);

async function assertNoValue(run: Run): Promise<void> {
  const told = await Promise.all([run.id, `${run.id}/stream`].map((id) => readTemporal(at.client, id)));
  const evidence = [...told.flat(), { place: 'the log of the worker', text: at.workerLog() }];
  assert.deepEqual(findCanaries(evidence, { 'row value': VALUE, price: TOO_MUCH }), []);
}

test('a bad row halts: status names table, key, column, the words of the database and the remedy; resume goes on', async () => {
  const run = await begin('halting');
  await at.source.query('BEGIN');
  for (const [id, price] of [
    [1, '1'],
    [2, TOO_MUCH],
    [3, '3'],
  ] as const)
    await insert(run, id, price);
  await at.source.query('COMMIT');
  const { cause, remedy } = await incident(run, 'Target.BadRow');
  assert.match(cause, /^public\.halting key \[2\], column "price": .*numeric field overflow \(22003\)$/);
  assert.match(remedy, /Change the target so that it takes the row .* then signal resume\. Nothing is lost\./);
  assert.equal(await at.rowsOnTarget('halting'), 0);
  assert.match(await run.handle.query<string>('report'), /public\.halting key \[2\], column "price"/);
  await widen(run);
  await run.signal('resume');
  await arrived(run, 3);
  await run.signal('finish');
  assert.deepEqual([(await run.ending()).rowsCompared, (await run.ending()).remains], [3, []]);
  await assertNoValue(run);
});

test('bad rows are put aside, counted and named, replaced or replayed on request, and the run finishes', async () => {
  const run = await begin('letters', { onBadRow: 'deadLetter' });
  await insert(run, 1, '1');
  for (const id of [2, 3, 4]) await insert(run, id, TOO_MUCH);
  await insert(run, 5, '5');
  await arrived(run, 2);
  await waiting(run, 3);
  assert.match(
    (await incident(run, 'Target.DeadLetters')).cause,
    /^3 changes that the target refused are in _failback\.dead_letters \(public\.letters 3\)$/,
  );
  assert.deepEqual(await keysOf(run), ['[2]', '[3]', '[4]']);
  assert.match(await run.handle.query<string>('report'), /3 changes that the target refused wait/);
  const inspection = await run.handle.executeUpdate<Inspection, []>('inspect');
  assert.deepEqual(inspection.deadLetters, { count: 3, tables: [{ table: 'public.letters', count: 3 }] });
  const figure = async () => (await fetch(`http://127.0.0.1:${at.metricsPort}/_/varz`)).text();
  await until('the metric', async () => /^dead_letters\{stream="letters"\} 3$/m.test(await figure()), LONG);

  await at.source.query('UPDATE letters SET price = 2 WHERE id = 2');
  await at.source.query('DELETE FROM letters WHERE id = 3');
  await waiting(run, 1);
  assert.deepEqual(await keysOf(run), ['[4]']);

  await run.signal('finish');
  const { cause } = await incident(run, 'Verify.RowsDiffer');
  assert.match(cause, /1 missing on the target.*1 change that the target refused is in _failback\.dead_letters/);
  assert.match(cause, /signal replayDeadLetters, and finish again$/);
  await run.awaitPhase('replicate');

  // While nothing comes, too; what is refused again stays.
  await run.ask('pause');
  await run.awaitPhase('paused');
  assert.match(await run.ask('replayDeadLetters'), /^asking the stream/);
  const asked = `SELECT 1 FROM _failback.dead_letters WHERE stream = 'letters' AND changed_at > $1 AND NOT replay`;
  const since = (await at.target.query<{ now: Date }>('SELECT now()')).rows[0]?.now;
  await until('it is tried', async () => (await at.target.query(asked, [since])).rows.length === 1, LONG);
  await widen(run);
  await run.signal('replayDeadLetters');
  await arrived(run, 4);
  await waiting(run, 0);
  assert.deepEqual(
    openIncidents((await run.status()).incidents)
      .map(({ type }) => type)
      .filter((type) => type.startsWith('Target')),
    [],
  );
  await run.ask('resume');
  await run.awaitPhase('replicate');
  await run.signal('finish');
  const ending = await run.ending();
  assert.deepEqual([ending.outcome, ending.rowsCompared, ending.remains], ['finished', 4, []]);
  await assertNoValue(run);
});

test('a run that ends with dead letters keeps them, and its ending says so', async () => {
  const run = await begin('kept', { onBadRow: 'deadLetter' });
  await insert(run, 1, TOO_MUCH);
  await waiting(run, 1);
  await run.signal('rollback');
  const { outcome, remains } = await run.ending();
  assert.equal(outcome, 'rolled back');
  assert.equal(remains.length, 1);
  assert.match(
    remains[0] ?? '',
    /^1 change that the target refused is in _failback\.dead_letters \(public\.kept 1\), and stays there: .*DELETE FROM _failback\.dead_letters WHERE run = 'kept'$/,
  );
  assert.deepEqual(await keysOf(run), ['[1]']);
  const { rows } = await at.target.query<{ row_json: string }>('SELECT row_json FROM _failback.dead_letters');
  assert.deepEqual(JSON.parse(rows[0]?.row_json ?? ''), { id: 1, name: VALUE, price: 123456.78 });
  await assertNoValue(run);
});
