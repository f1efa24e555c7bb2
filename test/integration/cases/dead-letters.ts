import assert from 'node:assert/strict';
import type { Inspection } from '../../../src/activities/watch.js';
import { openIncidents } from '../../../src/domain/incident.js';
import { findCanaries, readTemporal } from '../../support/evidence.js';
import type { Run, RunStack } from '../../support/run.js';
import { escapeRegExp } from '../../spec/titles.js';
import { until } from '../../support/until.js';

const LONG = { timeoutMs: 60_000, everyMs: 100 };
const VALUE = 'canary-row-value-81c4e0';
const TOO_MUCH = '123456.78';

/** What the cases do on a stack, in words. */
function lettersOf(at: RunStack) {
  const { target } = at;
  return {
    begin: async (id: string, apply: Readonly<Record<string, unknown>> = {}): Promise<Run> => {
      await at.createTable(id);
      const run = await at.start(id, id, { apply, limits: { healthEvery: '500ms' } });
      await run.replicating();
      // Preflight would have refused it.
      await target.changeType(id, 'price', 'numeric(5,2)');
      return run;
    },
    widen: (run: Run) => target.changeType(run.id, 'price', 'numeric(12,2)'),
    insert: (run: Run, id: number, price: string) =>
      at.source.query(`INSERT INTO ${run.id} VALUES ($1, $2, $3)`, [id, VALUE, price]),
    arrived: (run: Run, rows: number) =>
      until(`${rows} rows`, async () => (await at.rowsOnTarget(run.id)) === rows, LONG),
    incident: (run: Run, type: string) =>
      until(type, async () => openIncidents((await run.status()).incidents).find((one) => one.type === type), LONG),
    keysOf: async (run: Run): Promise<readonly string[]> => {
      const { key } = target.columns;
      const letters = `SELECT ${key} AS letter FROM ${target.ours('dead_letters')} WHERE stream = $1 ORDER BY hlc, ${key}`;
      return (await target.query<{ letter: string }>(letters, [run.id])).rows.map(({ letter }) => letter);
    },
    waiting: (run: Run, count: number) =>
      until(`${count} are counted`, async () => (await run.status()).stream?.deadLetters === count, LONG),
    assertNoValue: async (run: Run): Promise<void> => {
      const told = await Promise.all([run.id, `${run.id}/stream`].map((id) => readTemporal(at.client, id)));
      const evidence = [...told.flat(), { place: 'the log of the worker', text: at.workerLog() }];
      assert.deepEqual(findCanaries(evidence, { 'row value': VALUE, price: TOO_MUCH }), []);
    },
  };
}

export async function badRowHalts(at: RunStack): Promise<void> {
  const { begin, insert, incident, widen, arrived, assertNoValue } = lettersOf(at);
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
  const named = `${at.target.schema}.halting key [2], column "price"`;
  assert.ok(cause.startsWith(`${named}: `), cause);
  assert.match(cause, at.target.tooLarge);
  assert.match(remedy, /Change the target so that it takes the row .* then signal resume\. Nothing is lost\./);
  assert.equal(await at.rowsOnTarget('halting'), 0);
  assert.ok((await run.handle.query<string>('report')).includes(named));
  await widen(run);
  await run.signal('resume');
  await arrived(run, 3);
  await run.signal('finish');
  assert.deepEqual([(await run.ending()).rowsCompared, (await run.ending()).remains], [3, []]);
  await assertNoValue(run);
}

export async function badRowsPutAside(at: RunStack): Promise<void> {
  const { begin, insert, incident, widen, arrived, keysOf, waiting, assertNoValue } = lettersOf(at);
  const table = escapeRegExp(at.target.ours('dead_letters'));
  const run = await begin('letters', { onBadRow: 'deadLetter' });
  await insert(run, 1, '1');
  for (const id of [2, 3, 4]) await insert(run, id, TOO_MUCH);
  await insert(run, 5, '5');
  await arrived(run, 2);
  await waiting(run, 3);
  assert.match(
    (await incident(run, 'Target.DeadLetters')).cause,
    new RegExp(`^3 changes that the target refused are in ${table} \\(public\\.letters 3\\)$`),
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
  assert.match(cause, new RegExp(`1 missing on the target.*1 change that the target refused is in ${table}`));
  assert.match(cause, /signal replayDeadLetters, and finish again$/);
  await run.awaitPhase('replicate');

  // While nothing comes, too; what is refused again stays.
  await run.ask('pause');
  await run.awaitPhase('paused');
  assert.match(await run.ask('replayDeadLetters'), /^asking the stream/);
  const asked = `SELECT 1 FROM ${at.target.ours('dead_letters')} WHERE stream = 'letters' AND changed_at > $1 AND NOT replay`;
  const since = (await at.target.query('SELECT CURRENT_TIMESTAMP(6) AS moment')).rows[0]?.['moment'];
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
}

export async function endsWithDeadLetters(at: RunStack): Promise<void> {
  const { begin, insert, keysOf, waiting, assertNoValue } = lettersOf(at);
  const deadLetters = at.target.ours('dead_letters');
  const table = escapeRegExp(deadLetters);
  const run = await begin('kept', { onBadRow: 'deadLetter' });
  await insert(run, 1, TOO_MUCH);
  await waiting(run, 1);
  await run.signal('rollback');
  const { outcome, remains } = await run.ending();
  assert.equal(outcome, 'rolled back');
  assert.equal(remains.length, 1);
  assert.match(
    remains[0] ?? '',
    new RegExp(
      `^1 change that the target refused is in ${table} \\(public\\.kept 1\\), and stays there: .*DELETE FROM ${table} WHERE run = 'kept'$`,
    ),
  );
  assert.deepEqual(await keysOf(run), ['[1]']);
  const { rows } = await at.target.query<{ row_json: string }>(`SELECT row_json FROM ${deadLetters}`);
  assert.deepEqual(JSON.parse(rows[0]?.row_json ?? ''), { id: 1, name: VALUE, price: 123456.78 });
  await assertNoValue(run);
}
