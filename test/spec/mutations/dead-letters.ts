import { changesOf } from '../mutation.js';

const DEAD_LETTERS_TEST = 'test/targets/postgres/dead-letters.test.ts';
const SEVERAL =
  'several bad rows of one window are put aside, all else is applied, and the checkpoint moves (protocol rule 28)';
const SUPERSEDED =
  'a later change of the key supersedes the letter in its own transaction: an upsert, a delete, a refusal (protocol rule 28)';
const REPLAY =
  'of a replay, what is taken goes and what is refused stays with its newer error; it is not tried for ever';

export const DEAD_LETTER_MUTATIONS = [
  ...changesOf('src/targets/session/session.ts', DEAD_LETTERS_TEST, [
    [
      '28',
      'what is refused is not written down',
      'more = await settle(before, window, refused);',
      'more = 0;',
      SEVERAL,
    ],
    [
      '28, C',
      'who has lost the token replays',
      'await compareAndSet(token, fence);',
      "if (doing.startsWith('applying')) await compareAndSet(token, fence);",
      'who has lost the token writes no letter and replays none (protocol rule C)',
    ],
    [
      '28',
      'letters are not known after a restart',
      "if (waiting === null) await translated('counting dead letters', look);",
      '',
      SUPERSEDED,
    ],
  ]),
  ...changesOf('src/targets/postgres/dead-letters.ts', DEAD_LETTERS_TEST, [
    [
      '28',
      'a letter commits before the rest of its window',
      'refused.map(({ reason }) => reason),\n      ]);',
      "refused.map(({ reason }) => reason),\n      ]);\n      await client.query('COMMIT; BEGIN');",
      'rows, letters and checkpoint are one transaction: cut before its COMMIT, none of them is there (protocol rule 28)',
    ],
    [
      '28',
      'letters of an earlier run are replayed',
      ' AND letter.hlc > (SELECT cursor FROM ${checkpoint} WHERE stream = $1)',
      '',
      'letters of an earlier run of the same name, at or before the cursor, are neither counted nor replayed',
    ],
  ]),
  ...changesOf('src/targets/session/dead-letter-box.ts', DEAD_LETTERS_TEST, [
    [
      '28',
      'a later change leaves the letter',
      'await rows.supersede(last.map(keyOf))',
      'await rows.supersede([])',
      SUPERSEDED,
    ],
    [
      '28',
      'a letter is written although the window changes its key later',
      'const kept = refused.filter(({ change }) => isLast.has(change));',
      'const kept = refused.filter(({ change }) => isLast.size > 0 || isLast.has(change));',
      'a letter is superseded within its own window, collapsed false',
    ],
    [
      '28',
      'what is refused again is tried for ever',
      'ofOrder && gone.length > 0',
      'gone.length >= 0 || ofOrder',
      REPLAY,
    ],
    ['28', 'what is taken stays a letter', 'await rows.remove(gone.map(({ id }) => id));', '', REPLAY],
  ]),
  ...changesOf('src/targets/session/span-writer.ts', DEAD_LETTERS_TEST, [
    [
      '28',
      'a refused row of a timestamp is dropped without a letter',
      'await takeWhatCan(inOrder(others), takerOf(options), ({ ofOrder }) => ofOrder);',
      '(await takeWhatCan(inOrder(others), takerOf(options), ({ ofOrder }) => ofOrder)).slice(0, 1);',
      'a timestamp of 500 rows that are all refused, and one of 10,000 with one bad row',
    ],
    [
      '28',
      'a mend of the target is not seen',
      'if (putAside.length === 0) options.writer.forget();',
      '',
      'what the target takes since it was mended is not put aside',
    ],
  ]),
  ...changesOf('src/targets/postgres/change-writer.ts', DEAD_LETTERS_TEST, [
    [
      '28',
      'rows are put aside where a foreign key acts',
      '!enforcementOff && (await familyOf(table)).acts',
      'Promise.resolve(!enforcementOff && !familyOf)',
      'where a foreign key acts, a family of tables is written whole or the stream halts; another family of the same transaction is not',
    ],
  ]),
  ...changesOf('src/apply/loop.ts', 'test/apply/loop.test.ts', [
    [
      '28, 32',
      'a letter is tried again at the stop',
      "if (next.kind === 'stopped') return { ended: 'stopped', at: applied };",
      "if (next.kind === 'stopped') { await session.replayDeadLetters(token, applied); return { ended: 'stopped', at: applied }; }",
      'dead letters are tried again while the loop is idle, and none once it has come to its stop (protocol rules 28, 32)',
    ],
  ]),
  ...changesOf('src/targets/postgres/checkpoint-store.ts', 'test/targets/postgres/checkpoint-store.test.ts', [
    [
      '28, 34',
      'the end of a run throws its dead letters away',
      "if (table !== 'dead_letters') await rows.removeRun(table, run);",
      'await rows.removeRun(table, run);',
      'dead letters are counted and asked for by stream, and the end of a run keeps them (rules 28 and 34)',
    ],
  ]),
];
