import { changesOf } from '../mutation.js';

const FENCE_TEST = 'test/targets/postgres/fence.test.ts';
const OLD_TOKEN = 'an old token can never commit, with rows or without (protocol rule C)';
const SET_BACK = 'the checkpoint must be the one we left: set back, or gone, nothing is written';
const TOGETHER = 'rows and checkpoint commit together, the compare-and-set first (invariant 3)';
const PREFLIGHT_TEST = 'test/targets/postgres/preflight.test.ts';
const HANDED_ON = 'values change hands within a transaction: enforcement on, 1000 rows a statement';
const SESSION = 'a session is set up whatever the role’s own defaults say (protocol rules 22, 23)';

export const APPLY_MUTATIONS = [
  ...changesOf('src/apply/window.ts', 'test/apply/window.test.ts', [
    [
      'A, B',
      'a stage of another incarnation is applied',
      'binding.incarnation !== incarnation || ',
      '',
      'next window: another incarnation',
    ],
    ['B', 'a stage that begins after C is applied', ' || binding.floor > applied', '', 'next window: a floor above C'],
    [
      'B, inv 2',
      'rows beyond resolved are applied',
      'stopAt === null ? binding.resolved : minHlc(stopAt, binding.resolved)',
      'stopAt ?? binding.resolved',
      'next window: to stop beyond resolved',
    ],
    [
      'B',
      'C goes back to resolved',
      "if (binding.resolved <= applied) return { kind: 'idle' };",
      '',
      'next window: resolved behind C',
    ],
    [
      '32',
      'the stop is overrun',
      "if (stopAt !== null && applied >= stopAt) return { kind: 'stopped' };",
      '',
      'next window: at the stop',
    ],
  ]),
  ...changesOf('src/targets/postgres/checkpoint-row.ts', FENCE_TEST, [
    [
      'C, inv 5',
      'any token may advance',
      'WHERE ${isIt} AND token = $2 AND applied = $3::numeric',
      'WHERE ${isIt} AND $2::text IS NOT NULL AND applied = $3::numeric',
      OLD_TOKEN,
    ],
    [
      'C',
      'the checkpoint that was left is not compared',
      'WHERE ${isIt} AND token = $2 AND applied = $3::numeric',
      'WHERE ${isIt} AND token = $2 AND $3::numeric IS NOT NULL',
      SET_BACK,
    ],
    [
      'C, D',
      'any token may name a stage',
      'incarnation = $4, changed_at = now() WHERE stream = $1 AND token = $2',
      'incarnation = $4, changed_at = now() WHERE stream = $1 AND $2::text IS NOT NULL',
      OLD_TOKEN,
    ],
    [
      '22',
      'the row is read past its lock',
      'one(`${read} FOR UPDATE ${locked}`, [stream])',
      'one(read, [stream])',
      'a COMMIT still on its way holds the row: nobody reads past it (protocol rule 22)',
    ],
    [
      '24',
      'a process number used again is ended as the holder',
      'session.pid = holder_pid AND session.backend_start = holder_started',
      'session.pid = holder_pid',
      'a row locked by somebody else: the takeover names that session and leaves it alone',
    ],
  ]),
  ...changesOf('src/targets/postgres/session.ts', FENCE_TEST, [
    [
      '24',
      'the server lets a frozen transaction rest for ever',
      'idle_in_transaction_session_timeout: String(options.idleInTransactionTimeoutMs),',
      '',
      'the server ends a session that rests in a transaction, so that its lock does not last (protocol rule 24)',
    ],
  ]),
  ...changesOf('src/targets/session/session.ts', FENCE_TEST, [
    [
      'C, inv 5',
      'a compare-and-set that hit no row is ignored',
      'if (await row.advance(token, previous, next)) return;',
      'await row.advance(token, previous, next); return;',
      OLD_TOKEN,
    ],
    [
      'C, inv 3',
      'the checkpoint commits before the rows',
      `      await transaction.begin();
      // First of all, and its row lock is held to the commit (protocol rule C): who has lost the token writes no row.
      await compareAndSet(token, fence);`,
      `      await compareAndSet(token, fence);
      await transaction.begin();`,
      TOGETHER,
    ],
    [
      'C, inv 3',
      'the checkpoint commits after the rows',
      `      await compareAndSet(token, fence);
      const result = await work();
      committing = true;
      await transaction.commit();`,
      `      const result = await work();
      committing = true;
      await transaction.commit();
      await compareAndSet(token, fence);`,
      TOGETHER,
    ],
    [
      'inv 3',
      'rows are written outside of the transaction',
      'await transaction.begin();',
      'await work(); await transaction.begin();',
      TOGETHER,
    ],
    [
      '22',
      'a lost COMMIT counts as not committed',
      '{ commitUnknown: committing }',
      '{ commitUnknown: false }',
      'the answer to the COMMIT is lost: the outcome is unknown until the row is read under its lock (protocol rule 22)',
    ],
  ]),
  ...changesOf('src/targets/session/session.ts', 'test/apply/loop.test.ts', [
    [
      'inv 2',
      'a window is committed in two halves',
      'const result = await work();',
      `const half = window.mutations.length >> 1;
      await write({ ...window, mutations: window.mutations.slice(0, half) });
      await transaction.commit();
      await transaction.begin();
      const figures = await write({ ...window, mutations: window.mutations.slice(half) });`,
      'whoever reads the target while windows are applied sees the bank’s total (invariant 2)',
    ],
  ]),
  ...changesOf('src/targets/postgres/session.ts', 'test/targets/postgres/apply-order.test.ts', [
    [
      '25',
      'enforcement stays off after the transaction',
      'SET LOCAL session_replication_role',
      'SET SESSION session_replication_role',
      'triggers are silent with the replication role; enforcement is off for the transaction only (protocol rule 25)',
    ],
  ]),
  ...changesOf('src/targets/session/takeover.ts', FENCE_TEST, [
    [
      '24, inv 5',
      'a frozen holder is left alone',
      'const ended = await asTargetError(errors, () => rows.endHolders());',
      'const ended = false;',
      'an applier frozen before its COMMIT is ended by the takeover and harmless when it thaws (protocol rule 24)',
    ],
  ]),
  ...changesOf('src/targets/postgres/client.ts', 'test/targets/postgres/client.test.ts', [
    ['22', 'isolation is what the role says', "default_transaction_isolation: 'read committed',", '', SESSION],
    ['23', 'commits need not be flushed', "synchronous_commit: 'on',", '', SESSION],
  ]),
  ...changesOf('src/targets/postgres/sql.ts', 'test/targets/postgres/apply-order.test.ts', [
    [
      'inv 9',
      'a conflict with any unique key counts as the row itself',
      "`ON CONFLICT (${table.key.map((column) => escapeIdentifier(column.name)).join(', ')})`,\n    updated.length === 0",
      "'ON CONFLICT',\n    updated.length >= 0",
      'a row touches only its own key: one that meets another row’s unique value is refused, and that row stays (invariant 9)',
    ],
  ]),
  ...changesOf('src/targets/postgres/change-writer.ts', 'test/targets/postgres/apply-order.test.ts', [
    [
      '21',
      'a transient error is taken for a bad row',
      "if (classifyPostgresError(error) !== 'row') throw error;",
      '',
      'a transient error is not taken for a bad row: it ends the transaction (protocol rule 21)',
    ],
  ]),
  ...changesOf('src/targets/postgres/ways.ts', 'test/targets/postgres/apply-order.test.ts', [
    [
      'inv 9',
      'an action finds its victims by a value that has passed on',
      'together = false;',
      'together = true;',
      HANDED_ON,
    ],
    [
      'inv 9',
      'an action changes rows of a ring that have their last value',
      'if (child <= table) inBatches = false;',
      '',
      'values change hands within a transaction: enforcement on, 1 rows a statement',
    ],
  ]),
  ...changesOf('src/targets/postgres/lift.ts', 'test/targets/postgres/apply-order.test.ts', [
    ['inv 9', 'a cascade takes what references a lifted row', 'add(next, child, key);', 'continue;', HANDED_ON],
  ]),
  ...changesOf('src/targets/postgres/preflight-unique-keys.ts', PREFLIGHT_TEST, [
    [
      '25',
      'enforcement is off where a deferrable key would not be checked',
      'key.deferrable && !isOnSource(table, key)',
      'false',
      'a deferrable key that the source does not have keeps enforcement on: PostgreSQL would not check it (rule 25)',
    ],
  ]),
  ...changesOf('src/targets/session/batch.ts', 'test/targets/postgres/apply-values.test.ts', [
    [
      '19',
      'rows of a table share one column set',
      '            mutation.columns ?? [],\n',
      '            upserts.get(mutation.table)?.keys().next().value ?? mutation.columns ?? [],\n',
      'rows of several column sets in one window: an absent column keeps its value and its default (protocol rule 19)',
    ],
  ]),
  ...changesOf('src/targets/postgres/batch-document.ts', 'test/targets/postgres/types.test.ts', [
    [
      'inv 7',
      'values become JavaScript numbers',
      "(batch.kind === 'upsert' ? (row.after ?? row.key) : row.key)",
      'Buffer.from(JSON.stringify(JSON.parse(Buffer.from(row.after ?? row.key).toString())))',
      'every type arrives bit-exact, by PostgreSQL’s own readers',
    ],
  ]),
  ...changesOf('src/targets/postgres/copy-text.ts', 'test/targets/postgres/load-tables.test.ts', [
    [
      'inv 7',
      'a number for COPY becomes a JavaScript number',
      '    const some = p > pos;\n',
      `    const some = p > pos;\n    if (some) o = end + Buffer.from(target.buffer).write(String(Number(Buffer.from(target).toString('latin1', end, o)) || ''), end);\n`,
      'random rows: COPY hands out what json_to_recordset hands out (FAILBACK_SEED=1)',
    ],
    [
      'inv 7',
      'a backslash in JSON is not escaped for COPY',
      '  const letter = ESCAPED[byte] ?? 0;\n',
      '  const letter = byte === BACKSLASH ? 0 : (ESCAPED[byte] ?? 0);\n',
      'random rows: COPY hands out what json_to_recordset hands out (FAILBACK_SEED=1)',
    ],
  ]),
  ...changesOf('src/targets/postgres/load-tables.ts', 'test/targets/postgres/load-tables.test.ts', [
    [
      '21',
      'a merge takes what an earlier transaction has loaded, too',
      ' WHERE ${FILLED_BY} = txid_current()',
      '',
      'what a transaction has loaded is not written by a later one, whether it was rolled back or not, and does not pile up',
    ],
    [
      '21',
      'a temporary table is never emptied',
      'const MOST_LEFT = 10_000;',
      'const MOST_LEFT = Infinity;',
      'what a transaction has loaded is not written by a later one, whether it was rolled back or not, and does not pile up',
    ],
  ]),
  ...changesOf('src/targets/session/session.ts', 'test/targets/postgres/load-tables.test.ts', [
    [
      '21',
      'temporary tables are made in the apply transaction',
      `    await translated('making temporary tables', () => writer.prepare(window.mutations));
    let more = 0;
    const putAside = options.onBadRow === 'deadLetter' ? refused : null;
    const figures = await inFencedTransaction(token, window, \`applying up to \${formatHlc(window.next)}\`, async () => {
`,
      `    let more = 0;
    const putAside = options.onBadRow === 'deadLetter' ? refused : null;
    const figures = await inFencedTransaction(token, window, \`applying up to \${formatHlc(window.next)}\`, async () => {
      await writer.prepare(window.mutations);
`,
      'a set goes by COPY whatever it is made of, in a transaction without DDL; a set refused by COPY is told of as by JSON',
    ],
    [
      '21',
      'a second span of a transaction fills tables that are not empty',
      'bulk: changes.parts === undefined && spans.length === 1',
      'bulk: true',
      'several spans of one transaction: what one has loaded is not written again by the next',
    ],
  ]),
  ...changesOf('src/targets/postgres/types.ts', 'test/targets/postgres/types.test.ts', [
    [
      'inv 9',
      'a value is rounded or cut to the column',
      'THEN ${refusal(bare, limited, value)} ELSE',
      'THEN ${compared} ELSE',
      'a value that does not fit is refused with table, key and column, and never shown, rounded or cut',
    ],
    [
      '18',
      'the key of a delete is cut to the column',
      'return `${source}::${type.bare}`;',
      'return `${source}::${type.limited ?? type.bare}`;',
      'a key longer than the target’s column finds nothing: it is never cut to size',
    ],
  ]),
  ...changesOf('src/targets/collapse.ts', 'test/targets/postgres/apply-values.test.ts', [
    [
      'inv 4',
      'the first change of a key wins',
      'last.delete(identity);\n    last.set(identity, mutation);',
      'if (!last.has(identity)) last.set(identity, mutation);',
      'the last change of a key in a window counts, in statements of any size',
    ],
  ]),
];
