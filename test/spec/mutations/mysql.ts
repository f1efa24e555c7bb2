import { changesOf } from '../mutation.js';

const CONSTRAINTS_TEST = 'test/targets/mysql/apply-constraints.test.ts';
const MODES_TEST = 'test/targets/mysql/apply-modes.test.ts';
const VALUES_TEST = 'test/targets/mysql/apply-values.test.ts';
const FENCE_TEST = 'test/targets/mysql/fence.test.ts';
const REFUSED =
  'what a foreign key refuses is refused with enforcement on, in whichever way it was tried, and taken with it off';
const SET_UP = 'a session is set up whatever the server’s own defaults say (protocol rules 22, 24)';

/** What MySQL's own code keeps of the rules. */
export const MYSQL_MUTATIONS = [
  ...changesOf('src/targets/mysql/sql.ts', CONSTRAINTS_TEST, [
    [
      'inv 9',
      'an upsert follows any unique key on MySQL',
      "IF((${own.join(' AND ')}) OR",
      "IF(TRUE OR (${own.join(' AND ')}) OR",
      'a row of another key is never overwritten, whichever unique value it shares (invariant 9)',
    ],
    [
      'inv 9',
      'an upsert follows a unique key that came later on MySQL',
      "own.join(' AND ')",
      "own.slice(own.length).join(' AND ') || 'TRUE'",
      'a unique key that was added after the table was looked at is none that an upsert follows',
    ],
  ]),
  ...changesOf('src/targets/mysql/sql.ts', VALUES_TEST, [
    [
      'inv 9, 18',
      'a delete takes what the collation takes for its key on MySQL',
      'if (!key.some(({ type }) => foldsWhenCompared(type))) return found;',
      "if (found !== '') return found;",
      'a key is compared character by character, whatever the collation takes for the same',
    ],
  ]),
  ...changesOf('src/targets/mysql/ways.ts', MODES_TEST, [
    [
      'inv 9',
      'a foreign key acts by value on rows of the set on MySQL',
      'if (reference.byValue && child !== null && child <= table) inBatches = false;',
      '',
      'a foreign key that acts by value on a table that is written before its own: what the stream says stays',
    ],
    [
      'inv 9',
      'what acts on a table outside the stream is left undone on MySQL',
      'if (child === null && (',
      'if (child === -1 && (',
      'where another one acts on a table outside the stream, no way is tried and the message says what to do',
    ],
  ]),
  ...changesOf('src/targets/mysql/change-writer.ts', CONSTRAINTS_TEST, [
    [
      '21',
      'a transient error is taken for a bad row on MySQL',
      "classifyMysqlError(error) === 'row' ? new MysqlError(error) : null",
      'new MysqlError(error)',
      'a lock that somebody holds and a deadlock are told apart from a bad row: the same again succeeds',
    ],
  ]),
  ...changesOf('src/targets/mysql/foreign-keys.ts', CONSTRAINTS_TEST, [
    [
      '25',
      'the session keeps its foreign keys off after a set without an order on MySQL',
      "'SET SESSION foreign_key_checks = 1'",
      "'SET SESSION foreign_key_checks = 0'",
      REFUSED,
    ],
    ['25', 'a row without its parent is not asked for on MySQL', '  await askParents(options, set);\n', '', REFUSED],
  ]),
  ...changesOf('src/targets/mysql/session.ts', CONSTRAINTS_TEST, [
    [
      '25',
      'foreign keys are off whatever is wanted on MySQL',
      'foreignKeysOff: options.enforcementOff,',
      'foreignKeysOff: true,',
      REFUSED,
    ],
  ]),
  ...changesOf('src/targets/mysql/preflight-foreign-keys.ts', 'test/targets/mysql/preflight.test.ts', [
    [
      '25',
      'actions that differ between the sides are no matter on MySQL',
      'return onSource && differs(onSource, key)',
      'return onSource && !differs(onSource, onSource)',
      'foreign keys: outside the stream, on one side only, with other actions, in rings (rule 25)',
    ],
  ]),
  ...changesOf('src/targets/mysql/client.ts', 'test/targets/mysql/client.test.ts', [
    [
      '22',
      'the isolation is the server’s own on MySQL',
      "  await query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE');\n",
      '',
      SET_UP,
    ],
    [
      '24',
      'a lock is waited for as long as the server says on MySQL',
      'innodb_lock_wait_timeout: seconds(lockTimeoutMs), ',
      '',
      SET_UP,
    ],
  ]),
  ...changesOf('src/targets/mysql/client.ts', FENCE_TEST, [
    [
      '24',
      'a session may rest in its transaction on MySQL',
      '{ idle_transaction_timeout: seconds(idleInTransactionTimeoutMs) }',
      '{}',
      'the server ends a session that rests in a transaction, so that its lock does not last (protocol rule 24)',
    ],
  ]),
  ...changesOf('src/targets/portable/guard.ts', 'test/targets/mysql/guard.test.ts', [
    [
      '27',
      'what is applied at once leaves no guard, outside of PostgreSQL',
      'await newerOf(collapseMutations(changes).map(hashed))',
      'await newerOf([])',
      '1, 2, 3, 2 applied at once end at 3, and the window that brings them changes nothing (protocol rule 27)',
    ],
  ]),
  ...changesOf('src/targets/portable/dead-letters.ts', 'test/targets/mysql/dead-letters.test.ts', [
    [
      '28',
      'a later change leaves the letters of its key, outside of PostgreSQL',
      'source_table = ? AND hlc > ${hlc} AND key_hash IN',
      'source_table = ? AND hlc > ${hlc} AND 1 = 0 AND key_hash IN',
      'a later change of the key supersedes the letter in its own transaction: an upsert, a delete, a refusal (protocol rule 28)',
    ],
  ]),
  ...changesOf('src/targets/mysql/preflight-server.ts', 'test/targets/mysql/preflight-server.test.ts', [
    [
      '23',
      'a server that may lose commits in a crash is taken on MySQL',
      "if (flush !== undefined && flush !== '1')",
      "if (flush === '')",
      'innodb_flush_log_at_trx_commit = 2: blocking server.not-durable the target, and the statement mends it',
    ],
  ]),
];
