import assert from 'node:assert/strict';
import test from 'node:test';
import { isWorker, judge, renderEvidence, type Evidence } from '../../demo/verdict.js';

const WORKER = '/usr/bin/node --import tsx /srv/failback/src/worker/main.ts';
const GOOD: Evidence = {
  outcome: 'finished',
  rowsCompared: 5_000,
  reader: { reads: 100, states: 2, wrongTotals: [] },
  killed: { pid: 7, commandLine: WORKER, appliedMeanwhile: 1 },
  workerPid: 7,
  successorPid: 9,
  redelivered: 1,
  late: 0,
  forwardExitCode: 0,
  transactions: 1,
  tables: [
    { table: 'public.accounts', rows: 100, equal: true },
    { table: 'public.orders', rows: 4_900, equal: true },
  ],
  insertError: null,
};

test('a demo that has shown everything passes, with nothing to spare', () => {
  assert.deepEqual(judge(GOOD), []);
});

const FAILURES: readonly (readonly [string, Partial<Evidence>, RegExp])[] = [
  ['rolled back', { outcome: 'rolled back' }, /ended as "rolled back"/],
  ['nothing compared', { rowsCompared: 0 }, /compared 0 rows/],
  ['rows not compared', { rowsCompared: null }, /compared no rows/],
  ['99 reads', { reader: { ...GOOD.reader, reads: 99 } }, /made 99 reads, and 100 are needed/],
  ['another total', { reader: { ...GOOD.reader, wrongTotals: ['99999.00'] } }, /another total of the bank: 99999\.00/],
  ['a bank that never moved', { reader: { ...GOOD.reader, states: 1 } }, /one state only/],
  ['another process killed', { killed: { ...GOOD.killed, pid: 8 } }, /\(8: .*\) was not the worker \(7\)/],
  ['a shell killed', { killed: { ...GOOD.killed, commandLine: '/bin/sh -c node' } }, /was not the worker/],
  ['nobody killed', { killed: { ...GOOD.killed, commandLine: '' } }, /\(7: gone\) was not the worker/],
  ['an idle worker killed', { killed: { ...GOOD.killed, appliedMeanwhile: 0 } }, /no rows were being applied/],
  ['nothing redelivered', { redelivered: 0 }, /nothing was delivered again/],
  ['late rows', { late: 3 }, /3 rows came after/],
  ['no writes', { transactions: 0 }, /has written nothing/],
  ['forward killed', { forwardExitCode: null }, /exit code none, expected 0/],
  ['forward failed', { forwardExitCode: 1 }, /exit code 1, expected 0/],
  ['rows differ', { tables: GOOD.tables.map((table, at) => ({ ...table, equal: at === 0 })) }, /public\.orders differ/],
  ['rows left out of the comparison', { rowsCompared: 4_999 }, /compared 4999 rows, and the tables have 5000/],
  ['the first insert collides', { insertError: 'duplicate key' }, /first insert .* fails: duplicate key/],
];
for (const [name, change, expected] of FAILURES) {
  test(`fails, and says so: ${name}`, () => {
    const failures = judge({ ...GOOD, ...change });
    assert.equal(failures.length, 1);
    assert.match(failures[0] ?? '', expected);
  });
}

test('the worker is node with its main file, not somebody who names it', () => {
  assert.equal(isWorker(WORKER), true);
  assert.equal(isWorker('node --import tsx src/worker/main.ts'), true);
  assert.equal(isWorker('/bin/sh -c node src/worker/main.ts'), false);
  assert.equal(isWorker('/usr/bin/node --import tsx demo/main.ts'), false);
  assert.equal(isWorker(''), false);
});

test('the evidence is shown in figures, a table a line', () => {
  assert.equal(
    renderEvidence(GOOD, '100000.00'),
    `What this run has shown:
  rows         5,000 compared on both sides by the runbook; counted again by the demo:
               public.accounts     100  equal
               public.orders     4,900  equal
  traffic      1 transaction on CockroachDB
  bank         100 reads of the total on the old database meanwhile: always 100000.00
  killed       the worker, process 7, by SIGKILL while rows were being applied; process 9 took over
  redelivered  1 row came again to that one, and both sides are as above
`,
  );
  const bad = { ...GOOD, reader: { ...GOOD.reader, wrongTotals: ['99999.00'] } };
  assert.match(renderEvidence(bad, '100000.00'), /: also 99999\.00$/m);
});
