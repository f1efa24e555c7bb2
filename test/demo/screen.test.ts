import assert from 'node:assert/strict';
import test from 'node:test';
import { createIncidentTeller } from '../../demo/incidents.js';
import { openScreen, renderBlock, type Progress } from '../../demo/screen.js';
import type { RunbookStatus } from '../../src/domain/status.js';

const STATUS: RunbookStatus = {
  run: 'orders',
  phase: 'replicate',
  phaseSince: 0,
  asOf: 0,
  waitingFor: null,
  openGates: [],
  applicationMayWriteSince: null,
  atCursor: null,
  forward: null,
  warnings: [],
  stream: null,
  incidents: [],
  messages: [],
  ending: null,
};
const LOST = {
  type: 'Host.Lost',
  startedAt: 1,
  endedAt: null,
  cause: 'activity Heartbeat timeout',
  remedy: '',
} as const;
const PROGRESS: Progress = {
  status: STATUS,
  figures: { received: 12_756, applied: 573, staged: 291, lagMs: 3_512, redelivered: 0, late: 0 },
  reader: { reads: 722, states: 1, wrongTotals: [] },
  transactions: 1_950,
  worker: { pid: 17_121, running: true },
  ui: 'http://127.0.0.1:19895/namespaces/default/workflows/orders',
  elapsedMs: 23_400,
};

function terminal(columns: number) {
  let written = '';
  const screen = openScreen({ isTTY: true, columns, write: (text) => (written += text) });
  return { screen, written: () => written };
}

test('the block shows phase, rows, lag, bank, worker and UI, within 80 columns', () => {
  const block = renderBlock(PROGRESS);
  assert.deepEqual(block, [
    '',
    '  phase        replicate (7 of 8)',
    '  time         23 s',
    '  application  1,950 transactions on CockroachDB',
    '  rows         12,756 received, 573 applied, 291 staged',
    '  lag          3.5 s',
    '  bank         722 reads, 1 state, always the same total',
    '  worker       process 17121',
    '  Temporal UI  http://127.0.0.1:19895/namespaces/default/workflows/orders',
  ]);
  assert.ok(block.every((line) => line.length < 80));
});

test('the block says that the worker is dead, which incident is open, and that a total is wrong', () => {
  const text = renderBlock({
    ...PROGRESS,
    status: { ...STATUS, incidents: [LOST] },
    worker: { pid: 17_121, running: false },
    reader: { reads: 2, states: 2, wrongTotals: ['99999.00'] },
  }).join('\n');
  assert.match(text, /^ {2}worker {7}DEAD \(process 17121\): CockroachDB keeps the rows meanwhile$/m);
  assert.match(text, /^ {2}incident {5}Host\.Lost: activity Heartbeat timeout$/m);
  assert.match(text, /ANOTHER TOTAL: 99999\.00/);
});

test('a terminal gets prose broken between words, what is to be copied whole, and a block that is drawn anew below', () => {
  const { screen, written } = terminal(40);
  screen.show(PROGRESS);
  screen.say('the application has stopped writing to CockroachDB; sending the signal finish ...');
  screen.print('x'.repeat(60));
  const text = written();
  assert.ok(
    text.includes('the application has stopped writing to\nCockroachDB; sending the signal finish\n...\n'),
    text,
  );
  assert.ok(text.includes(`${'x'.repeat(60)}\n`));
  const block = text.slice(text.lastIndexOf('x\n') + 2).split('\n');
  assert.equal(block[1], '  phase        replicate (7 of 8)');
  assert.ok(block.every((line) => line.length < 40));
  assert.ok(text.includes(`\u001b[${block.length - 1}A\u001b[0J`), 'the old block is removed first');
});

test('without a terminal there are lines, and nothing that steers one', () => {
  let written = '';
  const screen = openScreen({ write: (text) => (written += text) });
  screen.show(PROGRESS);
  screen.show({ ...PROGRESS, elapsedMs: 24_000 });
  screen.show({ ...PROGRESS, status: { ...STATUS, phase: 'finish' }, worker: { pid: 1, running: false } });
  assert.equal(
    written,
    ' 23 s  replicate (7 of 8); rows 12,756 received, 573 applied; lag 3.5 s; bank 722 reads, 1 state, always the same total\n' +
      ' 23 s  finish (8 of 8); rows 12,756 received, 573 applied; lag 3.5 s; bank 722 reads, 1 state, always the same total; the worker is dead\n',
  );
});

test('an incident is told once, and once that it is over', () => {
  const lines: string[] = [];
  const tell = createIncidentTeller((line) => lines.push(line));
  tell([]);
  tell([LOST]);
  tell([LOST]);
  tell([{ ...LOST, endedAt: 2 }]);
  tell([{ ...LOST, endedAt: 2 }]);
  assert.deepEqual(lines, ['incident Host.Lost: activity Heartbeat timeout', 'incident Host.Lost is over']);
});
