import { changesOf } from '../mutation.js';

const ROOM_TEST = 'test/activities/stage-room.test.ts';
const LARGE_TEST = 'test/apply/large-timestamp.test.ts';
const ABANDONED_TEST = 'test/worker/abandoned-stages.test.ts';
const WHOLE =
  'what the constraints refuse in parts goes through as a whole: unique values rotate over all of the timestamp';
const ONE =
  'one timestamp much larger than a window: one transaction, parents before children, deletes after and children first';
const WAITS =
  'at the budget, with something to apply: new rows get 503, all else is taken; once it is applied there is room (protocol rule 12)';
const OVERRUNS =
  'at the budget, with nothing to apply: it is overrun to the reserve, with an incident that ends by itself (protocol rule 12)';

export const BACKLOG_MUTATIONS = [
  ...changesOf('src/staging/lmdb/open-stage.ts', 'test/staging/lmdb-memory.test.ts', [
    [
      'inv 6',
      'the file stays mapped',
      'const MOST_MAPPED = 32_000_000;',
      'const MOST_MAPPED = 32_000_000_000;',
      'a stage that is read from end to end does not stay in memory, while rows come and go (invariant 6)',
    ],
  ]),
  ...changesOf('src/apply/read-ahead.ts', 'test/apply/read-ahead.test.ts', [
    [
      'inv 6',
      'a large timestamp is held whole',
      'const MOST = 2;',
      'const MOST = 1e9;',
      'a timestamp much larger than the limits is not finished: what is before it comes first, then it is read in parts',
    ],
  ]),
  ...changesOf('src/apply/loop.ts', LARGE_TEST, [
    [
      '20',
      'only the first part of a large timestamp is applied',
      'parts: (fromTable) => ahead.parts(window.next, fromTable),',
      '',
      ONE,
    ],
  ]),
  ...changesOf('src/targets/session/large-timestamp.ts', LARGE_TEST, [
    [
      '20',
      'deletes of a large timestamp are written parents first',
      'sort((a, b) => b - a)',
      'sort((a, b) => a - b)',
      'deletes of a large timestamp go children first, so that it need not be read again as a whole',
    ],
    [
      '20',
      'what is refused in parts is taken for written',
      'return written instanceof Objection ? null : written.done;',
      'return written instanceof Objection ? { upserts: 0, deletes: 0, inSourceOrder: false } : written.done;',
      WHOLE,
    ],
  ]),
  ...changesOf('src/staging/lmdb/accept.ts', ROOM_TEST, [
    [
      '12',
      'a body with one new row among staged ones is taken',
      'if (!mayGrow && fresh.size > 0) throw',
      'if (!mayGrow && redelivered === 0) throw',
      WAITS,
    ],
  ]),
  ...changesOf('src/staging/room.ts', ROOM_TEST, [
    ['12', 'the budget refuses nothing', "if (applying) return 'waits';", '', WAITS],
    [
      '12',
      'what is not resolved is refused for ever',
      "return usedBytes < budgetBytes + reserveBytes ? 'overruns' : 'none';",
      "return 'none';",
      OVERRUNS,
    ],
  ]),
  ...changesOf('src/activities/stage-room.ts', ROOM_TEST, [
    ['12', 'the incident never ends', 'tell(null);', '', OVERRUNS],
    [
      '16',
      'what is kept for a target that is set back keeps new rows out',
      "if (room === 'waits' && retains) purgeRetained();",
      '',
      'what is kept for a target that is set back goes first (protocol rule 16)',
    ],
  ]),
  ...changesOf('src/apply/loop.ts', 'test/apply/loop.test.ts', [
    [
      '16',
      'applied changes go at once',
      'const retired = earlierHlc(applied, options.retireOffsetMs);',
      'const retired = applied;',
      'applied changes stay for retireOffset of the source’s time, and the floor rises with the purge only (protocol rule 16)',
    ],
  ]),
  ...changesOf('src/worker/abandoned-stages.ts', ABANDONED_TEST, [
    [
      '17',
      'a stage goes with the first look',
      'if (!suspected.has(sheet.stageId)) seen.add(sheet.stageId);\n          else if',
      'if',
      'a stage that its row names stays, and one that no row names goes with the second look (protocol rule 17)',
    ],
    [
      '17',
      'the stage of another host stays for ever',
      'return row !== null && (row.stageId === null || row.stageId === stageId);',
      'return row !== null;',
      'a stage that its row names stays, and one that no row names goes with the second look (protocol rule 17)',
    ],
  ]),
];
