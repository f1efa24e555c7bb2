import { at, by, type Rule } from '../rule.js';

const PULL_TEST = 'test/activities/pull-intake.test.ts';

export const PULL_RULES: readonly Rule[] = [
  {
    name: '30',
    words:
      'Pull: nothing for k times the resolved interval is a lost connection; every feed is an incarnation of its own, which begins at what the stage has completely; 55C01: the tables are looked at, and the next feed begins at the boundary.',
    kept: [
      at('src/domain/feed-end.ts', 'Math.max(floorMs, MISSED_INTERVALS'),
      at('src/cockroach/sinkless-feed.ts', 'performance.now() - heardAt > silenceMs'),
      at('src/activities/pull-intake.ts', 'if (sent) return opening.again();'),
      at('src/apply/attempt.ts', 'renew = options.renewEach ?? false;'),
      at('src/activities/pull-intake.ts', "=== null ? 'again' : 'rest';"),
    ],
    tests: [
      ...by(
        PULL_TEST,
        'a connection that is cut in the middle of the rows: the next feed is the next incarnation, and nothing lacks (protocol rule 30)',
        'a connection that says nothing any more is given up, and only then (protocol rule 30)',
        '55C01: the tables are looked at, and the next feed goes on from the boundary (protocol rule 30)',
        '55C01 with another key: no further feed is opened (protocol rule 30)',
      ),
      ...by(
        'test/domain/feed-end.test.ts',
        'nothing for five resolved intervals is a lost connection, and never sooner than the input says (protocol rule 30)',
      ),
      ...by(
        'test/apply/attempt.test.ts',
        'an intake that has ended by itself is closed, and opened as the next incarnation of the same stage (protocol rule 30)',
      ),
      ...by(
        'test/integration/pull.test.ts',
        'a whole run without a sink: paused, resumed, cut off, over a schema change, finished with equal rows',
      ),
    ],
  },
];
