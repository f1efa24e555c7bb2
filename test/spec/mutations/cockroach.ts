import { changesOf } from '../mutation.js';

const JOBS_TEST = 'test/cockroach-client/jobs.test.ts';
const SETTINGS_TEST = 'test/cockroach-client/settings.test.ts';
const LOWER = 'a lower incarnation is left alone until it is cancelled, and then only it (protocol rule 3)';
const HIGHER = 'a higher incarnation is never cancelled, and nothing is created beside it (protocol rule 6)';

export const COCKROACH_MUTATIONS = [
  ...changesOf('src/cockroach/ensure-changefeed.ts', JOBS_TEST, [
    [
      '6',
      'CREATE without looking first',
      'const found = await findKept(cockroach, wanted, options.signal);\n  if (!found) {',
      'const found = await findKept(cockroach, wanted, options.signal);\n  {',
      'a changefeed is created once; asked again it is found',
    ],
    [
      '6',
      'a CREATE whose answer was lost is not looked for',
      'if (!isAnswerLost(cause)) throw cause;',
      'throw cause;',
      'CREATE committed and its answer was dropped: the job is found, and one remains (protocol rule 6)',
    ],
    [
      '6',
      'surplus jobs live on',
      'return { jobId: found.jobId, created: false, cancelled: await cancelSurplus(cockroach, wanted, found, options) };',
      'return { jobId: found.jobId, created: false, cancelled: [] };',
      'surplus jobs of the incarnation are cancelled, whoever made them (protocol rule 6)',
    ],
    ['6, A', 'a higher incarnation is not respected', '  if (higher)\n', '  if (higher && false)\n', HIGHER],
    [
      '6',
      'a health poll leaves lower incarnations',
      '(job.incarnation ?? 0) <= incarnation && job.jobId !== kept.jobId',
      '(job.incarnation ?? 0) === incarnation && job.jobId !== kept.jobId',
      'a health poll keeps one job of the incarnation and cancels everything lower',
    ],
    [
      '3, 6',
      'lower incarnations are cancelled before n lives',
      'if (!kept) return { kept, cancelled: [] };\n  const doomed = (job: ChangefeedJob) => (job.incarnation ?? 0) <= incarnation && job.jobId !== kept.jobId;',
      'const doomed = (job: ChangefeedJob) => (job.incarnation ?? 0) <= incarnation && job.jobId !== kept?.jobId;',
      'a health poll that finds no job of the incarnation cancels nothing',
    ],
    [
      '3, D',
      'n is cancelled before n+1 is created',
      'const jobId = await create(cockroach, wanted, options.signal);',
      'await cancelWhere(cockroach, wanted.stream, () => true, options);\n      const jobId = await create(cockroach, wanted, options.signal);',
      LOWER,
    ],
    [
      '2, A',
      'the job of another incarnation is gone on with',
      'isWanted(job) && job.incarnation === incarnation',
      'isWanted(job)',
      LOWER,
    ],
  ]),
  ...changesOf('src/cockroach/job-control.ts', JOBS_TEST, [
    [
      'D, 6',
      'cancelling lower incarnations takes our own',
      '(job.incarnation ?? 0) < incarnation, options',
      '(job.incarnation ?? 0) <= incarnation, options',
      LOWER,
    ],
    [
      'D, 34',
      'cancelling does not wait until the job is terminal',
      'if (performance.now() > deadline) throw new JobsStillLiveError(live);',
      'return cancelled;',
      'cancelAll ends every incarnation, a paused one too, and is idempotent',
    ],
  ]),
  ...changesOf('src/cockroach/protection.ts', SETTINGS_TEST, [
    [
      '4',
      'the old protection is dropped before the new one is there',
      'const made = await protectHistory(cockroach, next);\n  if (current) await releaseProtection(cockroach, current.jobId);',
      'if (current) await releaseProtection(cockroach, current.jobId);\n  const made = await protectHistory(cockroach, next);',
      'a protection rolls forward: the new one is there before the old one goes (protocol rule 4)',
    ],
  ]),
  ...changesOf('src/cockroach/preflight-history.ts', 'test/cockroach-client/preflight-pure.test.ts', [
    [
      '4',
      'a short TTL passes preflight',
      'facts.canProtect ? [] : facts.ttls.filter((ttl) => ttl.seconds < seconds)',
      '[] as GcTtl[]',
      'a TTL shorter than the promised outage blocks where history cannot be protected (protocol rule 4)',
    ],
    [
      '5',
      'a changefeed that is given up too early passes preflight',
      'maxAgeMs === null || maxAgeMs === 0 || maxAgeMs >= outageMs',
      'maxAgeMs !== 1',
      'a changefeed that CockroachDB gives up too early blocks (protocol rule 5); 0 is for ever',
    ],
  ]),
  ...changesOf('src/cockroach/changefeed-statement.ts', 'test/cockroach-client/changefeed-statement.test.ts', [
    ['5', 'on_error is left out', "on_error: 'pause',", '', 'the documented statement, with on_error'],
  ]),
  ...changesOf('src/domain/changefeed-health.ts', 'test/domain/changefeed-health.test.ts', [
    [
      '5',
      'a pause is an incident only at its very end',
      'input.restingMs * 2 < maxAgeMs',
      'input.restingMs < maxAgeMs',
      'a pause is an incident from half of the time for which CockroachDB keeps its history (protocol rule 5)',
    ],
  ]),
  ...changesOf('src/cockroach/introspect.ts', 'test/cockroach-client/preflight.test.ts', [
    [
      '9',
      'a table is known by its name alone',
      'SELECT c.oid AS id,',
      'SELECT 1 AS id,',
      'a table made anew under the same name has another id (protocol rule 9)',
    ],
  ]),
  ...changesOf('src/cockroach/preflight.ts', 'test/cockroach-client/preflight.test.ts', [
    [
      '31',
      'a clock that differs stops the run',
      "createFinding('warning', 'clock.skew', {",
      "createFinding('blocking', 'clock.skew', {",
      'clocks that differ are a warning, never more (protocol rule 31)',
    ],
  ]),
  ...changesOf('src/cockroach/settings.ts', SETTINGS_TEST, [
    [
      '35',
      'what somebody has set since is overwritten',
      'if (now !== ours) return',
      "if (now === '') return",
      'what somebody has changed since is left alone (protocol rule 35)',
    ],
    [
      '35',
      'a setting that another changefeed needs is put back',
      'NEEDED_BY_EVERY_CHANGEFEED.has(name) && otherLiveChangefeeds > 0',
      'otherLiveChangefeeds < 0',
      'rangefeeds stay on while another live changefeed needs them (protocol rule 35)',
    ],
  ]),
];
