import { changesOf } from '../mutation.js';

const STREAM_TEST = 'test/integration/stream.test.ts';
const CHANGEFEED_TEST = 'test/integration/changefeed.test.ts';
const LATE = 'a late word of an attempt that is over changes nothing while the next one runs (protocol rule 38)';
const HANDED = 'the attempt hands over to the next one on the same stage, and no row is lost';
const RESTING = 'what is paused stays paused, until it is resumed';
const REMEMBERED = 'an incident that nothing would open again ends after it, when a person resumes';
const FOREIGN = 'an incident stays open over it, and a job that somebody else has paused is not resumed by it';
const GONE = 'the attempt of a run that is terminated ends by itself, with a line and a figure (protocol rule 39)';
const ORDER =
  'the next incarnation is created while the one before lives, which ends only then (protocol rule D, steps 4 and 5)';
const UNWANTED =
  '"no changefeed is wanted" is recorded before the first is cancelled; who comes late creates none (protocol rule 6)';
const WHOLE = 'a whole run: paused, resumed, finished through its gate, in words';
const DIFFER = 'rows that differ, and writes that go on, keep the run replicating';
const COMPARE =
  "const compared = await step(runbook, () =>\n    longActivities('compare every row of both sides at T', input)";

/** Mutations of the workflows and their activities, which whole runs see. */
export const RUNBOOK_MUTATIONS = [
  ...changesOf('src/workflows/stream.ts', STREAM_TEST, [
    [
      '37',
      'the stream continues as new while its activity lives',
      'await CancellationScope.nonCancellable(() => running);\n  }\n  const end = await running;',
      "}\n  const end = { ended: 'cancelled' } as AttemptOver;",
      HANDED,
    ],
    [
      '37',
      'a stream that has continued as new has forgotten that it is paused',
      'resumes, renew, mirrored, ensured, protectedAt, backoffMs } = state;',
      'resumes, renew, mirrored, ensured, protectedAt, backoffMs } = { ...state, paused: false };',
      RESTING,
    ],
    [
      '37',
      'a hand-over resumes what somebody else has paused',
      'if (!handedOver) state.ensured = null;',
      'state.ensured = null;',
      FOREIGN,
    ],
    [
      '37',
      'a stream that has continued as new has forgotten which incidents are open',
      'const openIncidents = state.openIncidents();',
      'const openIncidents: readonly FailureType[] = [];',
      REMEMBERED,
      { hangs: true },
    ],
    [
      '38',
      'a late "listening" is taken',
      'if (!isCurrent(word)) return;\n    state.attempt.listening = word;',
      'state.attempt.listening = word;',
      LATE,
    ],
    ['38', 'a late "delivered" is taken', 'if (!isCurrent(word)) return;\n    status', 'status', LATE],
    ['38', 'a late "trouble" is taken', 'if (!isCurrent(word)) return;\n    const', 'const', LATE],
    [
      '38',
      'an attempt is not known by its token',
      'token === state.attempt.token && state.attempt.end === null;',
      "token !== '' && state.attempt.end === null;",
      LATE,
    ],
  ]),
  ...changesOf('src/workflows/serve.ts', STREAM_TEST, [
    [
      '37',
      'an attempt that lasts lets the history grow for ever',
      'attempt.end === null && historyIsLong(state.args);',
      'attempt.end !== null && historyIsLong(state.args);',
      HANDED,
      { hangs: true },
    ],
  ]),
  ...changesOf('src/workflows/phases/replicate.ts', STREAM_TEST, [
    [
      '37',
      'a stream that has continued as new cannot be ended',
      'getExternalWorkflowHandle(workflowId).cancel()',
      'getExternalWorkflowHandle(workflowId, child.firstExecutionRunId).cancel()',
      HANDED,
      { hangs: true },
    ],
  ]),
  ...changesOf('src/activities/receive-and-apply.ts', STREAM_TEST, [
    [
      '39',
      'an attempt whose workflow is gone goes on',
      'AbortSignal.any([context.cancellationSignal, ownership.signal, gone.signal]);',
      'AbortSignal.any([ownership.signal, gone.signal]);',
      GONE,
      { hangs: true },
    ],
    [
      '39',
      'an attempt whose workflow is gone ends without a word',
      'gone.signal.aborted || context.cancellationDetails?.notFound',
      'gone.signal.aborted',
      GONE,
      { hangs: true },
    ],
  ]),
  ...changesOf('src/activities/prepare.ts', CHANGEFEED_TEST, [
    [
      '39, 35',
      'what is read now wins over what an earlier start has remembered',
      'before?.find((old) => old.name === setting.name) ?? setting',
      'before?.find((old) => old.name === setting.name) ? setting : setting',
      'what an earlier start has remembered wins over what is read now (protocol rule 39)',
    ],
  ]),
  ...changesOf('src/activities/changefeed.ts', CHANGEFEED_TEST, [
    [
      'D, 3',
      'steps 4 and 5 change places: the lower incarnations end before the next is created',
      'const ensured = await ensureChangefeed(',
      'await cancelLower(source, { stream, incarnation: word.incarnation }, { signal });\n        const ensured = await ensureChangefeed(',
      ORDER,
    ],
    [
      '6',
      'that no changefeed is wanted is not recorded before the jobs are cancelled',
      'if (await store.read(stream)) await store.setFeedWanted(stream, false);',
      '',
      UNWANTED,
    ],
    [
      '6',
      'a changefeed is created although none is wanted',
      'if (!row.feedWanted)',
      'if (!row.feedWanted && row.incarnation < 0)',
      UNWANTED,
    ],
  ]),
  ...changesOf('src/workflows/phases/finish.ts', 'test/integration/runbook.test.ts', [
    [
      '32',
      'the changefeed is cancelled before the rows are compared',
      COMPARE,
      `await undo.undoAll();\n  ${COMPARE}`,
      WHOLE,
      { hangs: true },
    ],
    [
      '32',
      'the protection of history is released before the rows are compared',
      COMPARE,
      `await boundedActivities('release').releaseHistory({ place });\n  ${COMPARE}`,
      WHOLE,
    ],
    ['32', 'rows that differ are no hindrance', 'if (compared.differing > 0)', 'if (compared.differing < 0)', DIFFER],
    [
      '32',
      'the changefeed is cancelled before the source is shown to have nothing newer',
      "await desk.passGate('finish', input.limits.approval);",
      "await desk.passGate('finish', input.limits.approval);\n  await undo.undoAll();",
      DIFFER,
      { hangs: true },
    ],
    [
      '32',
      'writes that go on are no hindrance',
      'if (silence.newerChanges > 0)',
      'if (silence.newerChanges < 0)',
      DIFFER,
    ],
  ]),
  ...changesOf('src/apply/loop.ts', 'test/lint/rules.test.ts', [
    [
      '31',
      "the apply loop reads its host's clock",
      'advancedAt = performance.now();',
      'advancedAt = Date.now();',
      'no room that decides reads the clock of its host or of the target (protocol rule 31)',
    ],
  ]),
  ...changesOf('src/targets/postgres/checkpoint-records.ts', 'test/lint/rules.test.ts', [
    [
      '31',
      "a statement decides by the target's clock",
      'SET hold = $3, changed_at = now() WHERE stream = $1 AND token = $2',
      'SET hold = $3, changed_at = now() WHERE stream = $1 AND token = $2 AND changed_at < now()',
      'no room that decides reads the clock of its host or of the target (protocol rule 31)',
    ],
  ]),
];
