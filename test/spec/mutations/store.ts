import { changesOf } from '../mutation.js';

const STORE_TEST = 'test/targets/postgres/checkpoint-store.test.ts';
const PREFLIGHT_TEST = 'test/targets/postgres/preflight.test.ts';
const END_OF_RUN = 'the end of a run removes its own rows only, and the schema when it is the last (rule 34)';

export const STORE_MUTATIONS = [
  ...changesOf('src/targets/postgres/checkpoint-records.ts', STORE_TEST, [
    [
      '1',
      'a row that is there gets a later cursor',
      'ON CONFLICT (stream) DO NOTHING',
      'ON CONFLICT (stream) DO UPDATE SET cursor = excluded.cursor, applied = excluded.applied',
      'the checkpoint row is inserted once and the row that is there is returned (rule 1)',
    ],
    [
      '34',
      'the rows of other runs are removed too',
      'DELETE FROM ${schema}.${table} WHERE run = $1`',
      'DELETE FROM ${schema}.${table} WHERE $1::text IS NOT NULL`',
      END_OF_RUN,
    ],
    [
      '32',
      'an attempt that was taken over says where the target rests',
      'SET hold = $3, changed_at = now() WHERE stream = $1 AND token = $2',
      'SET hold = $3, changed_at = now() WHERE stream = $1 AND $2::text IS NOT NULL',
      'where to stop, and what the attempt with the token sees there',
    ],
    [
      '39',
      'what a run remembers is not kept',
      'DO UPDATE SET phase = excluded.phase, state = excluded.state, changed_at = now()',
      'DO NOTHING',
      'a run is remembered, and changed',
    ],
  ]),
  ...changesOf('src/targets/postgres/claims.ts', STORE_TEST, [
    [
      '33',
      "another run's claim is no hindrance",
      'if (rows.length > 0) throw new ClaimedByOthers(rows.map(toClaim));',
      '',
      'a table has one claim; what is refused claims nothing (rule 33)',
    ],
  ]),
  ...changesOf('src/targets/postgres/checkpoint-schema.ts', STORE_TEST, [
    [
      '34',
      'the schema is dropped although others have rows in it',
      "if (ours.length === 0 || !(await areEmpty(client, all))) return;\n  await client.query(`LOCK TABLE ${all.join(', ')} IN ACCESS EXCLUSIVE MODE`);\n  if (!(await areEmpty(client, all))) return;",
      '',
      END_OF_RUN,
    ],
    [
      '34',
      'tables that somebody else has made are dropped',
      'state.tables.filter((table) => table.ours)',
      'state.tables',
      'tables that somebody else has made are never dropped',
    ],
    [
      '23',
      'an UNLOGGED checkpoint is accepted',
      'refuseNotDurable(await readCheckpointSchema(client, schema), schema);',
      '',
      'an UNLOGGED checkpoint table is refused (rule 23)',
    ],
  ]),
  ...changesOf('src/targets/postgres/preflight-server.ts', 'test/targets/postgres/preflight-server.test.ts', [
    [
      '23',
      'fsync = off passes preflight',
      "['fsync', facts.fsync],",
      '',
      'a server that may lose commits in a crash is refused (rule 23)',
    ],
  ]),
  ...changesOf('src/targets/postgres/preflight-checkpoint.ts', PREFLIGHT_TEST, [
    [
      '1, 33',
      "another run's checkpoint row is continued",
      "createFinding(run === plan.run ? 'note' : 'blocking', 'checkpoint.exists', {",
      "createFinding('note', 'checkpoint.exists', {",
      "another run's claim and another run's checkpoint row refuse; one's own is continued (rules 33 and 1)",
    ],
  ]),
  ...changesOf('src/targets/postgres/preflight-keys.ts', PREFLIGHT_TEST, [
    [
      '18',
      'a target column that rounds keys passes',
      "if (columnFit(from, to) === 'rounds') return 'it rounds';",
      '',
      'a key TIMESTAMPTZ in timestamptz(0): key.coarser (rule 18)',
    ],
    [
      '18',
      'a collation under which different keys are equal passes',
      "if (!to.deterministic) return 'its collation is nondeterministic: different texts are equal';",
      '',
      'a key STRING in text COLLATE loose: key.coarser (rule 18)',
    ],
  ]),
  ...changesOf('src/targets/postgres/preflight-foreign-keys.ts', PREFLIGHT_TEST, [
    [
      '25',
      'actions of foreign keys are not compared',
      'return onSource && differs(onSource, key) ?',
      'return onSource && false ?',
      'foreign keys: outside the stream, on one side only, with other actions, in rings (rule 25)',
    ],
  ]),
  ...changesOf('src/verify/compare-tables.ts', 'test/verify/compare-tables.test.ts', [
    [
      '32',
      'a target that is not at T is compared',
      'if (applied !== input.at) throw new TargetNotAtTimestampError(stream, input.at, applied);',
      '',
      'a target that is not exactly at the timestamp is not compared',
    ],
  ]),
];
