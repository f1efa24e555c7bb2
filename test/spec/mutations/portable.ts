import { changesOf } from '../mutation.js';

const FENCE_TEST = 'test/targets/portable/fence.test.ts';
const STORE_TEST = 'test/targets/portable/checkpoint-store.test.ts';
const SCHEMA_TEST = 'test/targets/portable/mariadb-schema.test.ts';
const OLD_TOKEN = 'an old token moves nothing any more, in a transaction or alone (protocol rule C)';
const GROUPS = 'groups are taken together, and the stream is where the last of them is (protocol rule 26)';
const NO_ROW_LOST =
  'the first checkpoint row of a run that begins while the tables are dropped is not lost with them (rule 34)';

/** The checkpoint tables of MySQL and Oracle. */
export const PORTABLE_MUTATIONS = [
  ...changesOf('src/targets/portable/checkpoint-row.ts', FENCE_TEST, [
    [
      'C, inv 5',
      'any token may advance, outside of PostgreSQL',
      'WHERE ${isIt} AND token = ? AND applied = ${hlc}',
      'WHERE ${isIt} AND ? IS NOT NULL AND applied = ${hlc}',
      OLD_TOKEN,
    ],
    [
      '32',
      'a window passes the stop, outside of PostgreSQL',
      'AND (stop_at IS NULL OR stop_at >= ${hlc})',
      'AND ? IS NOT NULL',
      'a window planned before the stop was set does not pass it (protocol rule 32)',
    ],
    [
      '22',
      'the row is read past a COMMIT on its way, outside of PostgreSQL',
      '        await client.query(LOCK, [stream]);\n',
      '',
      'a COMMIT still on its way holds the row: nobody reads past it (protocol rule 22)',
    ],
  ]),
  ...changesOf('src/targets/mysql/checkpoint-dialect.ts', FENCE_TEST, [
    [
      '24',
      'the frozen session is not ended on MySQL',
      'if (id === null) continue;',
      "if (id !== '') continue;",
      'an applier frozen before its COMMIT is ended by the takeover and harmless when it thaws (protocol rule 24)',
    ],
    [
      '24',
      'whoever holds the row is not named on MySQL',
      'trx_rows_locked > 0',
      'trx_rows_locked < 0',
      'a row locked by somebody else: the takeover names that session and leaves it alone',
    ],
  ]),
  ...changesOf('src/targets/portable/checkpoint-groups.ts', FENCE_TEST, [
    [
      '26',
      'a takeover leaves the groups their token, outside of PostgreSQL',
      '        await changeWithin(access, rows, TAKE, [token, stream]);\n',
      '        await Promise.resolve([rows, TAKE]);\n',
      GROUPS,
    ],
    [
      '26',
      'groups that are not equal are made anew, outside of PostgreSQL',
      'if (!areAllAt(at, rows))',
      'if (rows.length < 0)',
      GROUPS,
    ],
  ]),
  ...changesOf('src/targets/portable/checkpoint-records.ts', FENCE_TEST, [
    [
      '32',
      'a stop is set that a group has passed, outside of PostgreSQL',
      'if (stopped.some(({ applied }) => passes(applied))) return false;',
      'await Promise.resolve(stopped);',
      GROUPS,
    ],
    [
      '32',
      'a stop is set that changes applied at once have passed, outside of PostgreSQL',
      "passes((await one(FURTHEST, [stream]))?.['hlc'])",
      "passes((await one(FURTHEST, [stream]))?.['none'])",
      'what is applied at once beyond a stop refuses it (protocol rule 32)',
    ],
  ]),
  ...changesOf('src/targets/portable/claims.ts', STORE_TEST, [
    [
      '33',
      "another run's claim is no hindrance, outside of PostgreSQL",
      'if (others.length > 0) throw new ClaimedByOthers(others);',
      '',
      'a table has one claim; what is refused claims nothing (rule 33)',
    ],
  ]),
  ...changesOf('src/targets/portable/dead-letters.ts', 'test/targets/portable/dead-letters.test.ts', [
    [
      '28',
      'a later change takes the letters of an earlier run away, outside of PostgreSQL',
      '`stream = ? AND source_table = ? AND hlc > ${hlc} AND',
      '`stream = ? AND source_table = ? AND ${hlc} > 0 AND',
      'a later change of a key takes its letters away, of its table only (protocol rule 28)',
    ],
  ]),
  ...changesOf('src/targets/portable/guard.ts', 'test/targets/portable/guard.test.ts', [
    [
      '27, inv 4',
      'a key goes back to an older version, outside of PostgreSQL',
      'await newerOf(collapseMutations(changes).map(hashed))',
      'collapseMutations(changes).map(hashed)',
      'only what is newer than all that is applied of its key passes (protocol rule 27)',
    ],
    [
      '27',
      'guards beyond the checkpoint go, outside of PostgreSQL',
      'WHERE stream = ? AND hlc <= ${dialect.hlcParameter}',
      'WHERE stream = ? AND ${dialect.hlcParameter} > 0',
      'guards go with the window that passes them, no further, and the run’s name is theirs',
    ],
  ]),
  ...changesOf('src/targets/mysql/checkpoint-dialect.ts', SCHEMA_TEST, [
    [
      '34',
      'the tables are dropped under the first row of another run on MySQL',
      "if (rows[0]?.['taken'] !== '1') throw new TargetUnavailableError('1205', busy(schema), { cause: undefined });",
      "if (rows.length > 0) await client.query('SELECT RELEASE_LOCK(?)', [name]);",
      NO_ROW_LOST,
    ],
    [
      '34',
      'a database goes with what somebody else keeps in it on MySQL',
      'return (await client.query(OTHERS, parameters)).rows.length > 0;',
      'return (await client.query(OTHERS, parameters)).rows.length > 99;',
      "a database with somebody else's table stays, without our tables",
    ],
    [
      '23',
      'the engine is left to the default on MySQL',
      'ENGINE = InnoDB ROW_FORMAT',
      'ROW_FORMAT',
      'the engine is stated, whatever the default is (rule 23)',
    ],
  ]),
];
