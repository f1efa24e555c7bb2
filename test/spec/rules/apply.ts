import { at, by, type Rule } from '../rule.js';

const FENCE_TEST = 'test/targets/postgres/fence.test.ts';
const MYSQL_FENCE_TEST = 'test/targets/mysql/fence.test.ts';
const MYSQL_CONSTRAINTS_TEST = 'test/targets/mysql/apply-constraints.test.ts';
const STORE_TEST = 'test/targets/postgres/checkpoint-store.test.ts';
const GUARD_TEST = 'test/targets/postgres/guard.test.ts';
const DEAD_LETTERS_TEST = 'test/targets/postgres/dead-letters.test.ts';
const PREFLIGHT_TEST = 'test/targets/postgres/preflight.test.ts';
const ORACLE_PREFLIGHT_TEST = 'test/targets/oracle/preflight.test.ts';
const ORDER_TEST = 'test/targets/postgres/apply-order.test.ts';
const ROLLBACK_TEST = 'test/kill/rollback.test.ts';
const SETTINGS_TEST = 'test/cockroach-client/settings.test.ts';
const STREAM_TEST = 'test/integration/stream.test.ts';
const GROUPS_TEST = 'test/apply/groups.test.ts';
const CHECKPOINT_ROW = 'src/targets/postgres/checkpoint-row.ts';

export const APPLY_RULES: readonly Rule[] = [
  {
    name: '18',
    words: 'Keys are told apart by the source’s type; a target that tells fewer apart is refused.',
    kept: [
      at('src/receiver/key-canon.ts', 'return canonicalDecimal(text);'),
      at('src/targets/postgres/preflight-keys.ts', "if (columnFit(from, to) === 'rounds') return 'it rounds';"),
      at('src/targets/oracle/preflight-keys.ts', 'column.neverEmpty !== true'),
    ],
    tests: [
      ...by('test/receiver/key-canon.test.ts', 'only the decimal part is rewritten'),
      ...by(PREFLIGHT_TEST, 'a key TIMESTAMPTZ in timestamptz(0): key.coarser (rule 18)'),
      ...by(
        ORACLE_PREFLIGHT_TEST,
        'keys that Oracle tells apart less than the source are refused, the empty text among them',
      ),
    ],
  },
  {
    name: '19',
    words: 'A statement has rows of one table and one exact column set; an absent column is left alone.',
    kept: [at('src/targets/session/batch.ts', 'new Map<ColumnSet, ApplyMutation[]>()),')],
    tests: by(
      'test/targets/postgres/apply-values.test.ts',
      'rows of several column sets in one window: an absent column keeps its value and its default (protocol rule 19)',
    ),
  },
  {
    name: '20',
    words: 'A timestamp is never split over transactions, however large.',
    kept: [
      at('src/apply/loop.ts', 'parts: (fromTable) => ahead.parts(window.next, fromTable),'),
      at('src/staging/lmdb/span.ts', 'if (full) return { mutations, end: at, cut: false };'),
    ],
    tests: [
      ...by(
        'test/apply/large-timestamp.test.ts',
        'one timestamp much larger than a window: one transaction, parents before children, deletes after and children first',
        'what the constraints refuse in parts goes through as a whole: unique values rotate over all of the timestamp',
        'a foreign key that acts by a value allows no parts, and none stays behind',
        'a bad row in the last part: nothing of the timestamp stays, and the halt names its key',
      ),
      ...by(
        'test/apply/mysql-large-timestamp.test.ts',
        'one timestamp much larger than a window: one transaction, parents before children, deletes after and children first',
      ),
    ],
    open: 'the schema boundary and the target’s limits',
  },
  {
    name: '21',
    words:
      'A transient error ends the transaction; only row errors are searched for, inside a live savepoint. No DDL in an apply transaction.',
    kept: [
      at('src/targets/postgres/change-writer.ts', "if (classifyPostgresError(error) !== 'row') throw error;"),
      at('src/targets/session/session.ts', 'writer.prepare(window.mutations)'),
      at('src/targets/mysql/change-writer.ts', "classifyMysqlError(error) === 'row' ? new MysqlError(error) : null"),
    ],
    tests: [
      ...by(
        ORDER_TEST,
        'a transient error is not taken for a bad row: it ends the transaction (protocol rule 21)',
        'a row refused for good is found, named by its key, and nothing of the window is applied',
      ),
      ...by(
        'test/targets/postgres/load-tables.test.ts',
        'a set goes by COPY whatever it is made of, in a transaction without DDL; a set refused by COPY is told of as by JSON',
      ),
      ...by(
        MYSQL_CONSTRAINTS_TEST,
        'a lock that somebody holds and a deadlock are told apart from a bad row: the same again succeeds',
      ),
    ],
  },
  {
    name: '22',
    words:
      'READ COMMITTED, fenced by an UPDATE; after a COMMIT of unknown outcome the row is read under its lock first.',
    kept: [
      at('src/targets/postgres/session.ts', "'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',"),
      at(CHECKPOINT_ROW, '${read} FOR UPDATE'),
      at('src/apply/loop.ts', 'const found = await session.readLocked();'),
      at('src/targets/portable/checkpoint-row.ts', 'await client.query(LOCK, [stream]);'),
      at('src/targets/mysql/client.ts', 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED'),
    ],
    tests: [
      ...by(
        FENCE_TEST,
        'a COMMIT still on its way holds the row: nobody reads past it (protocol rule 22)',
        'the answer to the COMMIT is lost: the outcome is unknown until the row is read under its lock (protocol rule 22)',
      ),
      ...by(
        'test/apply/loop.test.ts',
        'the answer to the COMMIT is lost: the loop goes on, and no change is applied twice (protocol rule 22)',
      ),
      ...by(
        MYSQL_FENCE_TEST,
        'a COMMIT still on its way holds the row: nobody reads past it (protocol rule 22)',
        'the answer to the COMMIT is lost: the outcome is unknown until the row is read under its lock (protocol rule 22)',
      ),
      ...by(
        'test/targets/mysql/client.test.ts',
        'a session is set up whatever the server’s own defaults say (protocol rules 22, 24)',
      ),
      ...by(
        'test/apply/mysql-loop.test.ts',
        'the answer to the COMMIT is lost: the loop goes on, and no change is applied twice (protocol rule 22)',
      ),
    ],
  },
  {
    name: '23',
    words: 'Commits are flushed: forced in the session, checked on the server; UNLOGGED tables are refused.',
    kept: [
      at('src/targets/postgres/client.ts', "synchronous_commit: 'on',"),
      at('src/targets/postgres/preflight-server.ts', "['fsync', facts.fsync],"),
      at('src/targets/postgres/checkpoint-schema.ts', 'refuseNotDurable(await readCheckpointSchema('),
      at('src/targets/mysql/checkpoint-dialect.ts', 'ENGINE = InnoDB ROW_FORMAT'),
      at('src/targets/portable/checkpoint-schema.ts', 'refuseNotDurable(dialect, await dialect.schema.read('),
      at('src/targets/mysql/preflight-server.ts', "if (flush !== undefined && flush !== '1')"),
    ],
    tests: [
      ...by(
        'test/targets/postgres/client.test.ts',
        'a session is set up whatever the role’s own defaults say (protocol rules 22, 23)',
      ),
      ...by(
        'test/targets/postgres/preflight-server.test.ts',
        'a server that may lose commits in a crash is refused (rule 23)',
      ),
      ...by(STORE_TEST, 'an UNLOGGED checkpoint table is refused (rule 23)'),
      ...by(PREFLIGHT_TEST, 'an UNLOGGED table or partition is refused (rule 23)'),
      ...by(
        'test/targets/portable/mariadb-schema.test.ts',
        'a checkpoint table that a crash may empty is refused (rule 23)',
        'the engine is stated, whatever the default is (rule 23)',
      ),
      ...by(
        'test/targets/mysql/preflight-server.test.ts',
        'innodb_flush_log_at_trx_commit = 2: blocking server.not-durable the target, and the statement mends it',
      ),
    ],
  },
  {
    name: '24',
    words:
      'A frozen applier does not hold the row: bounded lock waits, idle limit, keepalives, and its session is ended by the takeover.',
    kept: [
      at('src/targets/session/takeover.ts', 'const ended = await asTargetError(errors, () => rows.endHolders());'),
      at('src/targets/postgres/session.ts', 'idle_in_transaction_session_timeout:'),
      at(CHECKPOINT_ROW, 'session.backend_start = holder_started'),
      at('src/targets/mysql/checkpoint-dialect.ts', 'SELECT IS_USED_LOCK('),
      at('src/targets/portable/bounded-change.ts', 'if (!dialect.updatesWaitForever)'),
      at('src/targets/mysql/client.ts', '{ idle_transaction_timeout:'),
    ],
    tests: [
      ...by(
        FENCE_TEST,
        'an applier frozen before its COMMIT is ended by the takeover and harmless when it thaws (protocol rule 24)',
        'the server ends a session that rests in a transaction, so that its lock does not last (protocol rule 24)',
        'a row locked by somebody else: the takeover names that session and leaves it alone',
      ),
      ...by(
        'test/targets/portable/fence.test.ts',
        'an applier frozen before its COMMIT is ended by the takeover and harmless when it thaws (protocol rule 24)',
        'a row locked by somebody else: the takeover names that session and leaves it alone',
      ),
      ...by(
        'test/targets/oracle/checkpoint-statements.test.ts',
        'the compare-and-set waits for its row no longer than it may: an UPDATE alone would wait for ever (protocol rules C, 24)',
      ),
      ...by(
        MYSQL_FENCE_TEST,
        'an applier frozen in the middle of its rows is ended by the takeover and harmless when it thaws (protocol rule 24)',
        'the server ends a session that rests in a transaction, so that its lock does not last (protocol rule 24)',
      ),
    ],
  },
  {
    name: '25',
    words: 'Foreign keys are off only when all referencing tables are in the stream, and only for the transaction.',
    kept: [
      at('src/targets/postgres/session.ts', 'SET LOCAL session_replication_role'),
      at('src/targets/postgres/preflight-foreign-keys.ts', 'return onSource && differs(onSource, key)'),
      at('src/targets/postgres/preflight-unique-keys.ts', 'key.deferrable && !isOnSource(table, key)'),
      at('src/targets/mysql/session.ts', 'foreignKeysOff: options.enforcementOff,'),
      at('src/targets/mysql/foreign-keys.ts', "'SET SESSION foreign_key_checks = 1'"),
      at('src/targets/mysql/preflight-foreign-keys.ts', 'return onSource && differs(onSource, key)'),
    ],
    tests: [
      ...by(
        ORDER_TEST,
        'triggers are silent with the replication role; enforcement is off for the transaction only (protocol rule 25)',
      ),
      ...by(
        PREFLIGHT_TEST,
        'foreign keys: outside the stream, on one side only, with other actions, in rings (rule 25)',
        'a deferrable key that the source does not have keeps enforcement on: PostgreSQL would not check it (rule 25)',
      ),
      ...by(ORACLE_PREFLIGHT_TEST, 'foreign keys, unique keys and checks that the source does not have are told'),
      ...by(
        MYSQL_CONSTRAINTS_TEST,
        'what a foreign key refuses is refused with enforcement on, in whichever way it was tried, and taken with it off',
      ),
      ...by(
        'test/targets/mysql/preflight.test.ts',
        'foreign keys: outside the stream, on one side only, with other actions, in rings (rule 25)',
      ),
    ],
  },
  {
    name: '26',
    words:
      'Parallel groups: one statement tokens all their rows; each begins at its own checkpoint, and stream, purge and intake go by the least; regrouping waits until all are equal.',
    kept: [
      at('src/targets/postgres/checkpoint-groups.ts', 'UPDATE ${groups} SET token = $2'),
      at('src/targets/postgres/checkpoint-groups.ts', 'SELECT min(g.applied)'),
      at('src/targets/postgres/checkpoint-records.ts', 'UPDATE ${schema}.checkpoint_group SET stop_at'),
      at('src/apply/groups.ts', 'await stage.purge(retired);'),
      at('src/apply/groups.ts', 'if (stored.some((group) => group.applied !== furthest)) {'),
      at('src/domain/apply-groups.ts', 'function componentsOf('),
      at('src/targets/portable/checkpoint-groups.ts', 'rows, TAKE, [token, stream]'),
    ],
    tests: [
      ...by(
        GROUPS_TEST,
        'a reader sees in each group only what the source was in, at every commit, and in the end everything',
        'a group whose rows are locked holds up no other, and the stream’s row stays with it',
        'takes the token of all groups at once; the old attempt writes nothing more in any (protocol rules 26 and D)',
        'every group comes to exactly there, then the stream’s row, and only then it is told (protocol rule 32)',
        'a stop is refused that any group has passed, and no window passes one that is set',
        'from one checkpoint to groups, and back once all are where the furthest is',
        'to other groups: all are made equal first, each table by the group that it was in',
      ),
      ...by(
        'test/integration/parallel.test.ts',
        'a whole run with parallel applies: groups by foreign keys, one locked, the worker killed, and all at one timestamp at its finish',
      ),
      ...by(
        'test/targets/portable/fence.test.ts',
        'groups are taken together, and the stream is where the last of them is (protocol rule 26)',
      ),
      ...by(
        'test/apply/mysql-groups.test.ts',
        'a reader sees in each group only what the source was in, at every commit, and in the end everything',
        'a group whose rows are locked holds up no other, and the stream’s row stays with it',
      ),
    ],
  },
  {
    name: '27',
    words:
      'Immediate mode: row and guard are one transaction under the fence, deletes leave a guard too, windows check again, and guards are pruned up to C only. What the target refuses is staged and acknowledged. The other mode heeds the guards that are left.',
    kept: [
      at('src/targets/postgres/guard.ts', 'WHERE guard.hlc >= change.hlc`;'),
      at('src/targets/session/session.ts', 'await guard.raise(open.filter((change) => !left.has(change)));'),
      at('src/targets/session/session.ts', 'await write(guarded === true ? await recheck(window) : window, putAside);'),
      at('src/targets/session/session.ts', 'await guard.prune(window.next);'),
      at('src/targets/session/session.ts', 'at > applied && (stopAt === null || at <= stopAt)'),
      at('src/targets/postgres/checkpoint-records.ts', 'const isOutrun = async ('),
      at('src/receiver/intake.ts', 'if (rows.length > 0) await applyAtOnce?.(rows);'),
      at('src/apply/loop.ts', 'if (outcome instanceof OutrunError) {'),
      at('src/targets/portable/guard.ts', 'await newerOf(collapseMutations(changes).map(hashed))'),
    ],
    tests: [
      ...by(
        GUARD_TEST,
        '1, 2, 3, 2 applied at once end at 3, and the window that brings them changes nothing (protocol rule 27)',
        'a key that was deleted at once stays deleted when an older change of it comes late: at once, or in its window (protocol rule 27)',
        'guards go with the window that passes them, no further, and what then comes again is dropped by the checkpoint (protocol rules 11, 27)',
        'a child before its parent is left, and the rest of the same group is applied (protocol rule 27)',
        'a family of tables in which a foreign key acts is never applied at once',
        'a window that what was applied at once stands in the way of is refused up to where that reaches, and a longer one is applied',
        'who has lost the token applies nothing at once (protocol rules C, 27)',
        'row and guard are one transaction: cut before its COMMIT, neither is there; cut after it, both are (protocol rule 27)',
        'nothing after the stop is applied at once, and a stop that is passed is none (protocol rule 32)',
        'a dead letter is not tried again over a newer change that was applied at once, and that change’s window takes it away (rules 27, 28)',
        'guards that another mode has left are respected until they are passed, each timestamp by itself or not',
        'a timestamp that comes in parts is checked part by part',
      ),
      ...by(
        'test/apply/immediate.test.ts',
        'a body is applied before it is acknowledged, resolved or not; bodies that come together share a transaction',
        'a child before its parent is acknowledged, waits in the stage, and is applied with its window (protocol rule 27)',
        'a window in whose way stands what was applied at once waits until it may reach as far, and nothing halts',
        'died between the commit of the rows and the acknowledgement, the body comes again and changes nothing',
        'while the target is away, or says nothing, bodies are acknowledged from the stage, and the loop applies them later',
        'after a takeover the old attempt applies nothing at once',
        'a delete whose key may be of another column is left to the loop, which halts (protocol rule 8)',
        'random transactions over a unique value, every body in any order and some twice: the source at the end (FAILBACK_SEED=1)',
      ),
      ...by(
        'test/integration/immediate.test.ts',
        'in immediate mode rows come before their timestamp is resolved, each key ends at its last change, and the run finishes at T',
      ),
      ...by(
        'test/targets/portable/guard.test.ts',
        'only what is newer than all that is applied of its key passes (protocol rule 27)',
        'guards go with the window that passes them, no further, and the run’s name is theirs',
      ),
      ...by(
        'test/targets/mysql/guard.test.ts',
        '1, 2, 3, 2 applied at once end at 3, and the window that brings them changes nothing (protocol rule 27)',
        'row and guard are one transaction: cut before its COMMIT, neither is there; cut after it, both are (protocol rule 27)',
      ),
      ...by(
        'test/apply/mysql-immediate.test.ts',
        'a body is applied before it is acknowledged, resolved or not; bodies that come together share a transaction',
        'a window in whose way stands what was applied at once waits until it may reach as far, and nothing halts',
        'random transactions over a unique value, every body in any order and some twice: the source at the end (FAILBACK_SEED=1)',
      ),
    ],
  },
  {
    name: '28',
    words:
      'A dead letter commits with C; a later change of its key takes it away in its own transaction; only what is not superseded is tried again, under the fence.',
    kept: [
      at('src/targets/session/session.ts', 'more = await settle(before, window, refused);'),
      at('src/targets/postgres/dead-letters.ts', 'DELETE FROM ${letters} AS letter USING unnest('),
      at('src/targets/session/dead-letter-box.ts', 'const kept = refused.filter(({ change }) => isLast.has(change));'),
      at('src/targets/postgres/dead-letters.ts', 'letter.hlc > (SELECT cursor FROM ${checkpoint}'),
      at('src/targets/bad-row-search.ts', 'export async function takeWhatCan<'),
      at('src/targets/session/span-writer.ts', 'await options.writer.acts(change.table)'),
      at('src/targets/portable/dead-letters.ts', 'source_table = ? AND hlc > ${hlc} AND key_hash IN'),
    ],
    tests: [
      ...by(
        DEAD_LETTERS_TEST,
        'several bad rows of one window are put aside, all else is applied, and the checkpoint moves (protocol rule 28)',
        'rows, letters and checkpoint are one transaction: cut before its COMMIT, none of them is there (protocol rule 28)',
        'a later change of the key supersedes the letter in its own transaction: an upsert, a delete, a refusal (protocol rule 28)',
        'a letter is superseded within its own window, collapsed true',
        'of a replay, what is taken goes and what is refused stays with its newer error; it is not tried for ever',
        'letters of an earlier run of the same name, at or before the cursor, are neither counted nor replayed',
        'who has lost the token writes no letter and replays none (protocol rule C)',
        'random transactions with rows that the target refuses, enforcement off: but for the keys put aside, it is the source after each window (FAILBACK_SEED=1)',
        'random transactions with rows that the target refuses, enforcement on: but for the keys put aside, it is the source after each window (FAILBACK_SEED=1)',
        'where a foreign key acts, a family of tables is written whole or the stream halts; another family of the same transaction is not',
      ),
      ...by(
        STORE_TEST,
        'dead letters are counted and asked for by stream, and the end of a run keeps them (rules 28 and 34)',
      ),
      ...by(
        'test/apply/loop.test.ts',
        'dead letters are tried again while the loop is idle, and none once it has come to its stop (protocol rules 28, 32)',
      ),
      ...by(
        'test/integration/dead-letters.test.ts',
        'bad rows are put aside, counted and named, replaced or replayed on request, and the run finishes',
      ),
      ...by(
        'test/targets/portable/dead-letters.test.ts',
        'a later change of a key takes its letters away, of its table only (protocol rule 28)',
      ),
      ...by(
        'test/targets/mysql/dead-letters.test.ts',
        'a later change of the key supersedes the letter in its own transaction: an upsert, a delete, a refusal (protocol rule 28)',
        'rows, letters and checkpoint are one transaction: cut before its COMMIT, none of them is there (protocol rule 28)',
      ),
      ...by(
        'test/apply/mysql-loop.test.ts',
        'dead letters are tried again while the loop is idle, and none once it has come to its stop (protocol rules 28, 32)',
      ),
    ],
  },
  {
    name: '31',
    words: 'Timestamps that decide are the source’s; clocks that differ are a warning.',
    kept: [
      at('src/activities/watch.ts', 'no decision rests on another clock (protocol rule 31)'),
      at('src/cockroach/preflight.ts', "createFinding('warning', 'clock.skew', {"),
      at('src/targets/postgres/preflight-server.ts', "createFinding('warning', 'server.clock', {"),
    ],
    tests: [
      ...by(
        'test/cockroach-client/preflight.test.ts',
        'clocks that differ are a warning, never more (protocol rule 31)',
      ),
      ...by(
        'test/lint/rules.test.ts',
        'each dependency rule refuses its planted violation and nothing else',
        'no room that decides reads the clock of its host or of the target (protocol rule 31)',
      ),
    ],
  },
  {
    name: '32',
    words:
      'Finish stops exactly at T, compares while the changefeed lives, shows that the source has nothing newer, and only then cancels. The protection of history stands at a checkpoint that is not after T, so it covers T; it is released after the comparison.',
    kept: [
      at('src/workflows/phases/finish.ts', 'async function attemptFinish('),
      at('src/apply/attempt.ts', `return stop !== null && stop !== 'unknown' && stop <= at;`),
      at('src/verify/compare-tables.ts', 'if (applied !== input.at) throw'),
      at('src/targets/portable/checkpoint-row.ts', 'AND (stop_at IS NULL OR stop_at >= ${hlc})'),
    ],
    tests: [
      ...by(
        'test/apply/attempt.test.ts',
        'at its stop the target rests exactly there, while what the source has after it is taken and counted (protocol rule 32)',
      ),
      ...by('test/apply/window.test.ts', 'next window: at the stop'),
      ...by('test/verify/compare-tables.test.ts', 'a target that is not exactly at the timestamp is not compared'),
      ...by(STORE_TEST, 'where to stop, and what the attempt with the token sees there'),
      ...by(
        'test/integration/runbook.test.ts',
        'a whole run: paused, resumed, finished through its gate, in words',
        'rows that differ, and writes that go on, keep the run replicating',
      ),
      ...by(
        'test/targets/portable/fence.test.ts',
        'a window planned before the stop was set does not pass it (protocol rule 32)',
        'what is applied at once beyond a stop refuses it (protocol rule 32)',
      ),
    ],
  },
  {
    name: '33',
    words: 'Each target table is claimed for one run under a unique key; another run’s claim refuses.',
    kept: [
      at('src/targets/postgres/claims.ts', 'if (rows.length > 0) throw new ClaimedByOthers('),
      at('src/targets/portable/claims.ts', 'if (others.length > 0) throw new ClaimedByOthers('),
    ],
    tests: [
      ...by(
        STORE_TEST,
        'a table has one claim; what is refused claims nothing (rule 33)',
        'of two runs that claim the same tables at once, one gets them all',
      ),
      ...by(
        'test/targets/portable/checkpoint-store.test.ts',
        'a table has one claim; what is refused claims nothing (rule 33)',
      ),
    ],
  },
  {
    name: '34',
    words:
      'Undo removes the run’s own rows only, after its jobs are terminal; the schema only when it is empty and ours.',
    kept: [
      at('src/targets/postgres/checkpoint-records.ts', 'DELETE FROM ${schema}.${table} WHERE run = $1'),
      at(
        'src/targets/postgres/checkpoint-schema.ts',
        'if (ours.length === 0 || !(await areEmpty(client, all))) return;',
      ),
      at('src/cockroach/job-control.ts', 'if (live.length === 0) return cancelled;'),
      at('src/targets/portable/checkpoint-store.ts', 'if (exclusively !== null) await dropCheckpointSchemaIfEmpty('),
      at('src/targets/mysql/checkpoint-dialect.ts', 'SELECT GET_LOCK(?, ?)'),
    ],
    tests: [
      ...by(
        STORE_TEST,
        'the end of a run removes its own rows only, and the schema when it is the last (rule 34)',
        'tables that somebody else has made are never dropped',
      ),
      ...by(
        'test/cockroach-client/jobs.test.ts',
        'cancelAll ends every incarnation, a paused one too, and is idempotent',
      ),
      ...by(
        ROLLBACK_TEST,
        'in cursor, with its row there and nobody told',
        'in receiver, with the token taken',
        'its host never comes back, and another one’s worker undoes it',
        'is named with what a person has to do, and everything else is undone',
      ),
      ...by(
        'test/targets/portable/mariadb-schema.test.ts',
        'the first checkpoint row of a run that begins while the tables are dropped is not lost with them (rule 34)',
        'a database and a table that somebody else has made are never dropped',
      ),
    ],
  },
  {
    name: '35',
    words:
      'Old settings are read in a step before any is set; one is put back only if it is still ours and nobody else needs it.',
    kept: [
      at('src/workflows/phases/prepare.ts', 'const before = await step('),
      at('src/cockroach/settings.ts', 'if (now !== ours) return'),
      at('src/cockroach/settings.ts', 'NEEDED_BY_EVERY_CHANGEFEED.has(name) &&'),
      at('src/activities/prepare.ts', 'if (failed) throw failed.error;'),
    ],
    tests: [
      ...by(
        SETTINGS_TEST,
        'settings are read before they are set, and come back exactly, defaults included (protocol rule 35)',
        'what somebody has changed since is left alone (protocol rule 35)',
        'rangefeeds stay on while another live changefeed needs them (protocol rule 35)',
      ),
      ...by(ROLLBACK_TEST, 'a setting that is not put back at once is put back by the next try'),
    ],
  },
  {
    name: '37',
    words:
      'A stream whose history grows long has its attempt hand over, and continues as new when the activity has ended, with all that it knows.',
    kept: [
      at('src/workflows/stream.ts', 'await continueAsNew<typeof stream>('),
      at('src/workflows/serve.ts', 'attempt.end === null && historyIsLong(state.args);'),
      at('src/workflows/phases/replicate.ts', 'getExternalWorkflowHandle(workflowId).cancel()'),
    ],
    tests: by(
      STREAM_TEST,
      'the attempt hands over to the next one on the same stage, and no row is lost',
      'what is paused stays paused, until it is resumed',
      'an incident that nothing would open again ends after it, when a person resumes',
      'an incident stays open over it, and a job that somebody else has paused is not resumed by it',
    ),
  },
  {
    name: '38',
    words:
      'A stream has one owner in a process and a stage one process; an attempt is known by its token, in the workflow too.',
    kept: [
      at('src/activities/owners.ts', 'await previous.gone;'),
      at('src/apply/with-session.ts', 'const closeWhenCut = closeAfterGrace(session, options);'),
      at('src/staging/lmdb/store.ts', 'if (owner && isOwnerAlive(owner)) throw'),
      at('src/staging/sql/statements.ts', 'WHERE stream = $1 AND token = $2 FOR UPDATE'),
      at('src/activities/open-attempt.ts', 'if (error instanceof StageBusyError) onDispossessed(error);'),
      at('src/workflows/stream.ts', 'token === state.attempt.token && state.attempt.end === null;'),
    ],
    tests: [
      ...by(
        'test/spec/gaps.test.ts',
        'a second attempt in one process aborts the first and waits until it has let go (protocol rule 38)',
      ),
      ...by(
        'test/apply/attempt.test.ts',
        'aborted while the target says nothing to SET token = $2: it is cut off after the grace time',
      ),
      ...by(
        'test/receiver/durability.test.ts',
        'the second process is refused while the first lives, also frozen, and let in once it is killed',
        'whoever lost the store writes nothing more into it',
        'a pid that another process has by now is no owner',
      ),
      ...by(
        'test/staging/sql-stage.test.ts',
        'whoever opens last has the stage: the one before writes, reads and purges nothing more',
        'each kind of write is refused after another has opened the stage, be it the first to meet it',
      ),
      ...by(
        'test/kill/sql-stage.test.ts',
        'another process opens the stage and goes: the attempt that had it ends by itself, and the next one goes on',
      ),
      ...by(
        STREAM_TEST,
        'a late word of an attempt that is over changes nothing while the next one runs (protocol rule 38)',
      ),
    ],
  },
  {
    name: '39',
    words:
      'Remembered settings and phase lie beside the checkpoint; what an earlier start remembered wins; an attempt without its workflow ends.',
    kept: [
      at('src/targets/postgres/checkpoint-records.ts', 'ON CONFLICT (run) DO UPDATE SET phase'),
      at('src/activities/prepare.ts', 'before wins over what was read now (protocol rule 39)'),
      at('src/activities/receive-and-apply.ts', 'gone.signal.aborted || context.cancellationDetails?.notFound'),
    ],
    tests: [
      ...by(STORE_TEST, 'a run is remembered, and changed'),
      ...by(
        'test/integration/rollback.test.ts',
        'Terminate, then a new start of the same id: it goes on, and the end restores the original settings',
        'Reset to the first workflow task: no second writer, and it ends well',
      ),
      ...by(
        'test/integration/changefeed.test.ts',
        'what an earlier start has remembered wins over what is read now (protocol rule 39)',
      ),
      ...by(
        STREAM_TEST,
        'the attempt of a run that is terminated ends by itself, with a line and a figure (protocol rule 39)',
      ),
    ],
  },
];
