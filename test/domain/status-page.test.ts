import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderStatusPage } from '../../src/domain/status-page.js';
import type { RunbookStatus } from '../../src/domain/status.js';

const T = Date.UTC(2026, 2, 4, 5, 6, 7);
const QUIET: RunbookStatus = {
  run: 'orders',
  phase: 'drain',
  phaseSince: T,
  asOf: T + 65_000,
  waitingFor: null,
  openGates: [],
  applicationMayWriteSince: null,
  forward: null,
  atCursor: null,
  warnings: [],
  stream: null,
  incidents: [],
  messages: [],
  ending: null,
};
const STREAM: NonNullable<RunbookStatus['stream']> = {
  stream: 'orders',
  host: 'host-1',
  jobId: '77',
  jobStatus: 'running',
  incarnation: 2,
  delivered: '110.0000000000',
  applied: '109.0000000000',
  lagMs: 1_500,
  attempts: 1,
};

test('a quiet run is two lines', () => {
  assert.equal(renderStatusPage(QUIET), '## orders: drain\nAs of 2026-03-04 05:07:12Z, in this phase for 1 min 5 s.');
});

const SHOWS: readonly (readonly [what: string, change: Partial<RunbookStatus>, shown: RegExp])[] = [
  [
    'what it waits for',
    { waitingFor: 'approve {"gate":"finish"}' },
    /\*\*Waits for:\*\* approve \{"gate":"finish"\}\./,
  ],
  ['forward replication', { forward: 'drained' }, /- forward replication: drained/],
  [
    'from when the application may write',
    { applicationMayWriteSince: '100.0' },
    /- cursor 100\.0: the application may write/,
  ],
  [
    'how both sides compare at the cursor',
    { applicationMayWriteSince: '100.0', atCursor: 'both sides were equal: 7 rows in 2 tables' },
    /- cursor 100\.0: .*\n- at the cursor: both sides were equal: 7 rows in 2 tables$/,
  ],
  [
    'a stream without a job yet',
    { stream: { ...STREAM, jobId: null, jobStatus: null, host: null, delivered: null, applied: null } },
    /job not created yet \(unknown\), incarnation 2, host none yet\n- delivery is not proven yet$/,
  ],
  [
    'a healthy stream',
    { stream: STREAM },
    /job 77 \(running\), incarnation 2, host host-1\n- delivery is proven: .* resolved 110\.0000000000\n- applied .* up to 109\.0000000000, lag 2 s$/,
  ],
  ['a lag that is not known', { stream: { ...STREAM, lagMs: null } }, /up to 109\.0000000000$/],
  ['warnings', { warnings: ['clock skew'] }, /### Warnings\n- clock skew/],
  [
    'messages',
    { messages: [{ at: T, message: 'paus', effect: 'not honoured: there is no such message', honoured: false }] },
    /### Messages\n- 2026-03-04 05:06:07Z paus: not honoured: there is no such message/,
  ],
];
for (const [what, change, shown] of SHOWS) {
  test(`the page shows ${what}`, () => assert.match(renderStatusPage({ ...QUIET, ...change }), shown));
}

test('open and ended incidents have sections of their own', () => {
  const incident = { type: 'Target.Unavailable', startedAt: T, cause: 'refused', remedy: 'start it' } as const;
  const page = renderStatusPage({
    ...QUIET,
    incidents: [
      { ...incident, endedAt: T + 3_000 },
      { ...incident, type: 'Lag.TooHigh', endedAt: null },
    ],
  });
  assert.match(
    page,
    /### Open incidents\n- \*\*Lag\.TooHigh\*\* since 2026-03-04 05:06:07Z: refused \*Do:\* start it\n/,
  );
  assert.match(page, /### Ended incidents\n- Target\.Unavailable: 2026-03-04 05:06:07Z for 3 s: refused$/);
});

test('the ending says what may be done now, and what remains', () => {
  const page = renderStatusPage({
    ...QUIET,
    phase: 'ended',
    ending: {
      outcome: 'finished',
      summary: 'Both sides were equal.',
      mayApplicationWriteToOldDatabase: 'Yes, now.',
      asOf: '110.0',
      rowsCompared: 3,
      done: ['job 77 is cancelled'],
      remains: [],
      howToRestartForwardReplication: 'From its own position.',
    },
  });
  assert.match(
    page,
    /### Ending: finished\nBoth sides were equal\.\n\n\*\*May the application write[^*]*\*\* Yes, now\./,
  );
  assert.match(page, /\*\*Forward replication:\*\* From its own position\.\n\n### Done\n- job 77 is cancelled$/);
  assert.doesNotMatch(page, /Remains/);
});
