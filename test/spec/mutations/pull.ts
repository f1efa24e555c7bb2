import { changesOf } from '../mutation.js';

const PULL_TEST = 'test/activities/pull-intake.test.ts';
const CUT =
  'a connection that is cut in the middle of the rows: the next feed is the next incarnation, and nothing lacks (protocol rule 30)';
const ENDED =
  'an intake that has ended by itself is closed, and opened as the next incarnation of the same stage (protocol rule 30)';

export const PULL_MUTATIONS = [
  ...changesOf('src/activities/pull-intake.ts', PULL_TEST, [
    ['30', 'a second feed is opened for one incarnation', 'if (sent) return opening.again();', '', CUT],
    [
      '9',
      'a feed is opened without a look at the source',
      'if ((await options.checkSource()) !== null) return;',
      '',
      'no feed is opened on a source that is another one (protocol rule 9)',
    ],
    [
      '30',
      'after 55C01 the next feed is opened without a look at the tables',
      "return (await options.checkSource()) === null ? 'again' : 'rest';",
      "return 'again';",
      '55C01 with another key: no further feed is opened (protocol rule 30)',
    ],
  ]),
  ...changesOf('src/cockroach/sinkless-feed.ts', PULL_TEST, [
    [
      '30',
      'a connection that says nothing is waited for',
      'performance.now() - heardAt > silenceMs',
      'performance.now() - heardAt > Infinity',
      'a connection that says nothing any more is given up, and only then (protocol rule 30)',
    ],
    [
      '30',
      'resolved messages are no signs of life',
      '      heardAt = performance.now();\n      waiting.add(',
      '      if (key !== null) heardAt = performance.now();\n      waiting.add(',
      'a connection that says nothing any more is given up, and only then (protocol rule 30)',
    ],
    [
      '30',
      'the socket is read while the stage writes, whatever waits',
      'socket.pause();',
      '',
      'a stage that takes its time makes the source wait: what waits is bounded, and nothing is lost',
    ],
  ]),
  ...changesOf('src/domain/feed-end.ts', 'test/domain/feed-end.test.ts', [
    [
      '30',
      'the floor alone counts, however long the resolved interval is',
      'Math.max(floorMs, MISSED_INTERVALS * (parseDuration(resolved) ?? 0))',
      'floorMs',
      'nothing for five resolved intervals is a lost connection, and never sooner than the input says (protocol rule 30)',
    ],
  ]),
  ...changesOf('src/apply/attempt.ts', 'test/apply/attempt.test.ts', [
    [
      '30',
      'a further feed is opened for the incarnation of the one that ended',
      'renew = options.renewEach ?? false;',
      'renew = false;',
      ENDED,
    ],
    [
      '30',
      'an attempt opens a feed for the incarnation of the attempt before',
      'let renew = options.renew || (options.renewEach ?? false);',
      'let renew = options.renew;',
      ENDED,
    ],
    ['30', 'the takeover does not wait until the intake is closed', 'await close();', 'void close();', ENDED],
  ]),
];
