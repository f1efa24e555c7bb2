import { at, by, type Rule } from '../rule.js';

const STAGE = 'src/staging/lmdb/open-stage.ts';
const ATTEMPT_TEST = 'test/apply/attempt.test.ts';
const FENCE_TEST = 'test/targets/postgres/fence.test.ts';
const STAGE_TEST = 'test/staging/stage.test.ts';
const SQL_STAGE = 'src/staging/sql/open-stage.ts';
const SQL_TEST = 'test/staging/sql-stage.test.ts';

export const CARRYING_RULES: readonly Rule[] = [
  {
    name: 'inv 1',
    words: '200 is answered only when every row of the body is flushed to disk.',
    kept: [
      at('src/receiver/server.ts', 'await registered.receive(target.incarnation, body);'),
      at('src/receiver/intake.ts', 'const result = await stage.accept(incarnation, rows, committed(), grows);'),
    ],
    tests: by(
      'test/receiver/durability.test.ts',
      'no 200 before the flush returns; killed between staging and ack, the rows are there and the resend is a redelivery',
      'every acknowledged row survives SIGKILL under load',
      'concurrent bodies share flushes',
    ),
  },
  {
    name: 'inv 2',
    words: 'A target transaction holds every change up to some source timestamp, and none after it.',
    kept: [
      at('src/apply/window.ts', 'const upTo = stopAt === null ? binding.resolved'),
      at('src/staging/lmdb/span.ts', 'key.compare(atKey, 0, HLC_BYTES, 0, HLC_BYTES) !== 0'),
    ],
    tests: [
      ...by(
        'test/apply/loop.test.ts',
        'whoever reads the target while windows are applied sees the bank’s total (invariant 2)',
      ),
      ...by(STAGE_TEST, 'a span never splits a timestamp (protocol rule 20)'),
      ...by(
        'test/apply/mysql-loop.test.ts',
        'whoever reads the target while windows are applied sees the bank’s total (invariant 2)',
      ),
    ],
  },
  {
    name: 'inv 3',
    words: 'Rows and the checkpoint that covers them commit in one transaction.',
    kept: [at('src/targets/session/session.ts', 'await compareAndSet(token, fence);\n      const result')],
    tests: by(FENCE_TEST, 'rows and checkpoint commit together, the compare-and-set first (invariant 3)'),
  },
  {
    name: 'inv 4',
    words: 'Replays change nothing: a key never goes back to an older version, and it is its value, not its text.',
    kept: [
      at('src/receiver/key-canon.ts', 'return canonicalDecimal(text);'),
      at('src/targets/collapse.ts', 'last.delete(identity);'),
      at('src/staging/lmdb/entry-codec.ts', 'export function entryKey'),
    ],
    tests: [
      ...by('test/apply/loop.test.ts', '1,2,3,2 ends at 3, whenever the second 2 comes'),
      ...by(
        'test/targets/postgres/types.test.ts',
        'a key is its value: each type of key is deleted, and [1.500] by [1.5]',
      ),
      ...by(STAGE_TEST, 'a redelivery overwrites itself, within a body and across bodies'),
      ...by(
        'test/targets/mysql/fence.test.ts',
        'rows and checkpoint commit together, the compare-and-set first (invariant 3)',
      ),
    ],
  },
  {
    name: 'inv 5',
    words: 'One attempt writes and one changefeed delivers; a zombie can do neither.',
    kept: [
      at('src/targets/postgres/checkpoint-row.ts', 'WHERE ${isIt} AND token = $2 AND applied = $3::numeric'),
      at('src/staging/bound.ts', 'if (bound?.incarnation !== incarnation) throw'),
    ],
    tests: [
      ...by(ATTEMPT_TEST, 'a second attempt fences the first, whose later rows never reach the target'),
      ...by(
        FENCE_TEST,
        'an applier frozen before its COMMIT is ended by the takeover and harmless when it thaws (protocol rule 24)',
      ),
      ...by(
        'test/kill/zombies.test.ts',
        'a worker frozen beyond its time-out and thawed again takes nothing back',
        'two attempts in one process after an outage of Temporal: one goes on, and loses nothing',
      ),
    ],
  },
  {
    name: 'inv 6',
    words:
      'A backlog of any size passes in bounded memory: windows, parts of a large timestamp, and the part of the stage’s file that is mapped.',
    kept: [
      at('src/apply/read-ahead.ts', 'const MOST = 2;'),
      at('src/targets/session/large-timestamp.ts', 'export async function writeInParts('),
      at('src/staging/lmdb/open-stage.ts', 'if (touched >= MOST_MAPPED) await write('),
    ],
    tests: [
      ...by(
        'test/apply/backlog.test.ts',
        'one transaction of 500,000 rows passes within 400 MB, as one transaction',
        'killed in the middle of a backlog: the next attempt goes on from the checkpoint, and every row is right',
      ),
      ...by(
        'test/staging/lmdb-memory.test.ts',
        'a stage that is read from end to end does not stay in memory, while rows come and go (invariant 6)',
      ),
      ...by(
        'test/apply/mysql-backlog.test.ts',
        'killed in the middle of a backlog: the next attempt goes on from the checkpoint, and every row is right',
      ),
    ],
  },
  {
    name: 'inv 7',
    words: 'No value becomes a JavaScript number: rows stay text from the body to the target’s own reader.',
    kept: [
      at('src/targets/postgres/batch-document.ts', 'document.set(part, at + 1);'),
      at('src/targets/postgres/copy-text.ts', 'o = writeCharacter(character, target, o);'),
      at('src/receiver/intake.ts', 'after: body.subarray('),
    ],
    tests: [
      ...by('test/targets/postgres/types.test.ts', 'every type arrives bit-exact, by PostgreSQL’s own readers'),
      ...by(
        'test/targets/postgres/load-tables.test.ts',
        'random rows: COPY hands out what json_to_recordset hands out (FAILBACK_SEED=1)',
      ),
      ...by(STAGE_TEST, 'values are bit-exact and stay so while the stage is written'),
    ],
  },
  {
    name: 'inv 8',
    words:
      'A stage that is not provably complete from the checkpoint on is emptied, and the changefeed begins again at the checkpoint.',
    kept: [at('src/apply/attempt.ts', 'await stage.bind(next, row.applied, plan)')],
    tests: by(
      ATTEMPT_TEST,
      'a stage is bound anew, empty, at C as the next incarnation when it is purged beyond the checkpoint: the target was set back',
      'set back under a live attempt: it begins the next incarnation at the row’s checkpoint by itself',
    ),
  },
  {
    name: 'inv 9',
    words:
      'A row writes to its own key only, and no action of a foreign key to any; one that meets another unique key is an error, and so is a value that does not fit.',
    kept: [
      at('src/targets/postgres/sql.ts', '`ON CONFLICT (${table.key'),
      at('src/targets/postgres/ways.ts', 'together = false;'),
      at('src/targets/postgres/lift.ts', 'add(next, child, key);'),
      at('src/targets/postgres/types.ts', 'function withinLimits('),
      at('src/targets/mysql/sql.ts', '~0 + (1 + ('),
      at('src/targets/mysql/sql.ts', 'AND ${tuple(characters)} IN ('),
      at('src/targets/mysql/ways.ts', 'inBatches = false;'),
      at('src/targets/mysql/types.ts', 'const wouldChange ='),
    ],
    tests: [
      ...by(
        'test/targets/postgres/apply-order.test.ts',
        'a row touches only its own key: one that meets another row’s unique value is refused, and that row stays (invariant 9)',
        'values change hands within a transaction: enforcement on, 1 rows a statement',
        'values change hands within a transaction: enforcement on, 1000 rows a statement',
      ),
      ...by(
        'test/targets/postgres/types.test.ts',
        'a value that does not fit is refused with table, key and column, and never shown, rounded or cut',
      ),
      ...by(
        'test/targets/mysql/apply-constraints.test.ts',
        'a row of another key is never overwritten, whichever unique value it shares (invariant 9)',
        'unique values change hands within a window, and columns that the source does not send stay as they are',
      ),
      ...by(
        'test/targets/mysql/apply-values.test.ts',
        'a key is compared character by character, whatever the collation takes for the same',
      ),
      ...by(
        'test/targets/mysql/constraints-property.test.ts',
        'random transactions under every constraint: the target is the source at the end of each window (FAILBACK_SEED=1)',
      ),
    ],
  },
  {
    name: 'A',
    words: 'A stage takes bodies of the incarnation to which it is bound, and of no other.',
    kept: [
      at('src/staging/bound.ts', 'if (bound?.incarnation !== incarnation) throw'),
      at('src/cockroach/sink-url.ts', '[INCARNATION_PARAMETER, String('),
    ],
    tests: [
      ...by(
        STAGE_TEST,
        'rows and resolved timestamps of another incarnation change nothing',
        'an unbound stage takes nothing',
      ),
      ...by(
        ATTEMPT_TEST,
        'the dying changefeed’s last rows and resolved timestamp do not reach the stage bound after it (protocol rule A)',
      ),
    ],
  },
  {
    name: 'B',
    words: 'A stage knows the range that it holds completely; only windows inside it are applied.',
    kept: [
      at('src/apply/window.ts', 'binding.floor > applied'),
      at(STAGE, 'void transaction.entries.clearAsync()'),
      at(STAGE, 'if (upTo > bound.floor)'),
      at('src/staging/sql/statements.ts', 'SET fill = fill + 1, incarnation = $3'),
      at(SQL_STAGE, 'await writePart(part, isLast ? binding : bound, known);'),
      at('src/receiver/intake.ts', 'if (resolved !== null) await stage.resolve('),
    ],
    tests: [
      ...by('test/apply/window.test.ts', 'next window: a floor above C', 'next window: another incarnation'),
      ...by(
        STAGE_TEST,
        'bind empties and sets floor and resolved to the cursor',
        'purge raises the floor, so that what it deleted is not claimed',
      ),
      ...by(SQL_TEST, 'while a resolved timestamp is written: what is known afterwards is what is there'),
      ...by(
        'test/kill/sql-stage.test.ts',
        'a host is lost with its disk: another one behind the same URL goes on with the same job, and nothing is lost',
      ),
      ...by(
        'test/spec/gaps.test.ts',
        'a resolved timestamp never passes rows that the stage refused (protocol rule B)',
      ),
    ],
  },
  {
    name: 'C',
    words:
      'Each apply transaction begins by moving the checkpoint from where it left it, under its own token, or does nothing.',
    kept: [
      at('src/targets/postgres/checkpoint-row.ts', 'WHERE ${isIt} AND token = $2 AND applied = $3::numeric'),
      at('src/targets/session/session.ts', 'if (await row.advance(token, previous, next)) return;'),
      at('src/targets/portable/checkpoint-row.ts', 'WHERE ${isIt} AND token = ? AND applied = ${hlc}'),
    ],
    tests: [
      ...by(
        FENCE_TEST,
        'an old token can never commit, with rows or without (protocol rule C)',
        'the checkpoint must be the one we left: set back, or gone, nothing is written',
      ),
      ...by(
        'test/targets/portable/fence.test.ts',
        'an old token moves nothing any more, in a transaction or alone (protocol rule C)',
      ),
    ],
  },
  {
    name: 'D',
    words:
      'Takeover: token, then stage, then row, then intake and CREATE, then the lower jobs end; a crash after any step is harmless.',
    kept: [
      at('src/apply/attempt.ts', 'const row = await session.takeToken(token);'),
      at('src/apply/attempt.ts', 'const close = options.listen(taken.incarnation, '),
      at('src/activities/changefeed.ts', 'const lower = await cancelLower('),
    ],
    tests: [
      ...by(
        ATTEMPT_TEST,
        'the intake opens only after the row names stage and incarnation',
        'overtaken between the token and the row: it names nothing there and never listens',
      ),
      ...by(
        'test/integration/changefeed.test.ts',
        'the next incarnation is created while the one before lives, which ends only then (protocol rule D, steps 4 and 5)',
      ),
      ...by(
        'test/apply/attempt-crash.test.ts',
        'a surviving stage that is renewed, a crash after the stage is bound: the next attempt loses nothing and uses no incarnation for two things',
      ),
      ...by(
        'test/kill/takeover.test.ts',
        'with the token taken and nothing else done',
        'with the stage bound to the next incarnation and the row not yet written',
        'with the row written and CREATE CHANGEFEED not sent',
        'between the commit of CREATE CHANGEFEED and its answer',
        'with the next incarnation created and the one before it not yet cancelled',
        'with the one before it cancelled and its end not yet seen',
      ),
    ],
  },
];
