import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderStatusPage } from '../../src/domain/status-page.js';
import type { RunbookStatus } from '../../src/domain/status.js';

const T = Date.UTC(2026, 2, 4, 5, 6, 7);
const CURSOR = '1772600767000000000.0000000000';
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
  delivered: '1772600770000000000.0000000000',
  applied: '1772600769000000000.0000000001',
  lagMs: 1_500,
  attempts: 1,
};

test('a quiet run says since when, and which messages count', () => {
  assert.equal(
    renderStatusPage(QUIET),
    [
      '## orders: drain',
      'In this phase since 2026-03-04 05:06:07Z; last change 2026-03-04 05:07:12Z.',
      '',
      'Messages that count in this phase: rollback, approve, forwardStopped.',
    ].join('\n'),
  );
});

test('a paused run says that finish does not count, and a rollback that nothing does', () => {
  const counting = (phase: RunbookStatus['phase']): string | undefined =>
    /Messages that count in this phase: (.*)\.$/m.exec(renderStatusPage({ ...QUIET, phase }))?.[1];
  assert.equal(counting('paused'), 'resume, rollback, approve');
  assert.equal(counting('rollback'), 'none');
});

test('a replay counts where there is something to replay', () => {
  const counting = (deadLetters: number): boolean =>
    renderStatusPage({ ...QUIET, phase: 'paused', stream: { ...STREAM, deadLetters } }).includes('replayDeadLetters');
  assert.deepEqual([counting(0), counting(1)], [false, true]);
});

const SHOWS: readonly (readonly [what: string, change: Partial<RunbookStatus>, shown: RegExp])[] = [
  [
    'what it waits for',
    { waitingFor: 'approve {"gate":"finish"}' },
    /\*\*Waits for:\*\* approve \{"gate":"finish"\}\./,
  ],
  [
    'dead letters',
    { stream: { ...STREAM, deadLetters: 3 } },
    /- 3 changes that the target refused wait in `dead_letters`, as of the last change$/,
  ],
  ['forward replication', { forward: 'drained' }, /- forward replication: drained/],
  [
    'from when the application may write',
    { applicationMayWriteSince: CURSOR },
    /- the application may write to CockroachDB since the cursor, 2026-03-04 05:06:07Z \(1772600767000000000\.0000000000\)$/,
  ],
  [
    'how both sides compare at the cursor',
    { applicationMayWriteSince: CURSOR, atCursor: 'both sides were equal: 7 rows in 2 tables' },
    /since the cursor, .*\n- at the cursor: both sides were equal: 7 rows in 2 tables$/,
  ],
  [
    'a stream without a job yet',
    { stream: { ...STREAM, jobId: null, jobStatus: null, host: null, delivered: null, applied: null } },
    /job not created yet \(unknown\), incarnation 2, host none yet\n- delivery is not proven yet$/,
  ],
  [
    'a healthy stream',
    { stream: STREAM },
    /job 77 \(running\), incarnation 2, host host-1\n- delivery is proven: .* resolved 2026-03-04 05:06:10Z \(1772600770000000000\.0000000000\)\n- applied .* up to 2026-03-04 05:06:09Z \(1772600769000000000\.0000000001\), lag 2 s, as of the last change; now: update `inspect`$/,
  ],
  [
    'a lag that is not known',
    { stream: { ...STREAM, lagMs: null } },
    /up to 2026-03-04 05:06:09Z \(1772600769000000000\.0000000001\), as of the last change/,
  ],
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
    warnings: ['clock skew'],
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
  assert.match(page, /\*\*Forward replication:\*\* From its own position\.\n\n### Done\n- job 77 is cancelled\n/);
  assert.doesNotMatch(page, /Remains|Messages that count/);
  assert.ok(page.indexOf('### Ending') < page.indexOf('### Warnings'), 'the ending comes first');
});
