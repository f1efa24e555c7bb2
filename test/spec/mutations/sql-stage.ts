import { changesOf } from '../mutation.js';

const STAGE_TEST = 'test/staging/stage.test.ts';
const SQL_TEST = 'test/staging/sql-stage.test.ts';

export const SQL_STAGE_MUTATIONS = [
  ...changesOf('src/staging/sql/purge.ts', STAGE_TEST, [
    [
      'B',
      'a purge in a database leaves the floor',
      'const floor = maxHlc(bound.floor, upTo);',
      'const floor = bound.floor;',
      'purge raises the floor, so that what it deleted is not claimed',
    ],
  ]),
  ...changesOf('src/staging/sql/open-stage.ts', SQL_TEST, [
    [
      '10',
      'a late row whose first answer was lost is never counted',
      'suspects.add(identity);',
      ';',
      'in the middle of a body (hold-answer): it is not acknowledged, and its redelivery is complete',
    ],
    [
      '10',
      'what was read before a late row without an answer counts as whole',
      '              late++;',
      '              ;',
      'in the middle of a body (hold-answer): it is not acknowledged, and its redelivery is complete',
    ],
  ]),
  ...changesOf('src/staging/sql/statements.ts', STAGE_TEST, [
    [
      'B',
      'binding a stage in a database keeps the fill before',
      'SET fill = fill + 1, incarnation = $3',
      'SET fill = fill, incarnation = $3',
      'a body under way when the next incarnation is bound does not survive the bind',
    ],
  ]),
  ...changesOf('src/staging/sql/statements.ts', SQL_TEST, [
    [
      '38',
      'whoever was shut out of a stage in a database writes on',
      'WHERE stream = $1 AND token = $2 FOR UPDATE',
      'WHERE stream = $1 AND $2::text IS NOT NULL FOR UPDATE',
      'whoever opens last has the stage: the one before writes, reads and purges nothing more',
    ],
    [
      '38',
      'whoever was shut out of a stage in a database resolves on',
      'SET resolved = $3 WHERE stream = $1 AND token = $2 RETURNING',
      'SET resolved = $3 WHERE stream = $1 AND $2::text IS NOT NULL RETURNING',
      'each kind of write is refused after another has opened the stage, be it the first to meet it',
    ],
    [
      '13',
      'long keys of one hash overwrite each other in a database',
      'WHERE held.whole IS NOT DISTINCT FROM excluded.whole',
      '',
      'two keys of one hash are never taken for one (protocol rule 13)',
    ],
  ]),
  ...changesOf('src/activities/open-attempt.ts', 'test/kill/sql-stage.test.ts', [
    [
      '38',
      'an attempt whose stage another has opened goes on with nothing to take',
      'if (error instanceof StageBusyError) onDispossessed(error);',
      '',
      'another process opens the stage and goes: the attempt that had it ends by itself, and the next one goes on',
      { hangs: true },
    ],
  ]),
  ...changesOf('src/staging/sql/connection.ts', SQL_TEST, [
    [
      '14',
      'a commit may be answered before it is flushed',
      "synchronous_commit: 'on',",
      '',
      'a commit is flushed, whatever the database’s own default is (protocol rule 14)',
    ],
  ]),
  ...changesOf('src/staging/sql/writer.ts', SQL_TEST, [
    [
      '38',
      'a new connection goes on under the token of the lost one',
      'const fresh = randomUUID();',
      'const fresh = token || randomUUID();',
      'a statement that arrives after its connection was given up changes nothing',
    ],
  ]),
];
