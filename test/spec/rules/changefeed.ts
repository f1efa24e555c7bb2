import { at, by, type Rule } from '../rule.js';

const JOBS_TEST = 'test/cockroach-client/jobs.test.ts';
const SETTINGS_TEST = 'test/cockroach-client/settings.test.ts';
const CHANGED_TEST = 'test/integration/source-changed.test.ts';
const LOOP_SOURCE_TEST = 'test/apply/loop-source.test.ts';
const STAGE_TEST = 'test/staging/stage.test.ts';
const SQL_TEST = 'test/staging/sql-stage.test.ts';
const LMDB_TEST = 'test/staging/lmdb-store.test.ts';
const ROOM_TEST = 'test/activities/stage-room.test.ts';
const ABANDONED_TEST = 'test/worker/abandoned-stages.test.ts';
const STAGE = 'src/staging/lmdb/open-stage.ts';
const ENSURE = 'src/cockroach/ensure-changefeed.ts';

export const CHANGEFEED_RULES: readonly Rule[] = [
  {
    name: '1',
    words:
      'The checkpoint row is inserted once; the cursor used is the one read back; rows that differ as of it wait for a person.',
    kept: [
      at('src/targets/postgres/checkpoint-records.ts', 'ON CONFLICT (stream) DO NOTHING'),
      at('src/activities/cursor.ts', 'return { cursor: formatHlc(row.cursor), applied: formatHlc(row.applied) };'),
      at('src/workflows/phases/cursor.ts', 'await compareAtCursor(runbook, facts, begun);'),
      at('src/domain/at-cursor.ts', 'if (compared.differing === 0)'),
    ],
    tests: [
      ...by(
        'test/targets/postgres/checkpoint-store.test.ts',
        'the checkpoint row is inserted once and the row that is there is returned (rule 1)',
      ),
      ...by(
        'test/targets/postgres/preflight.test.ts',
        "another run's claim and another run's checkpoint row refuse; one's own is continued (rules 33 and 1)",
      ),
      ...by(
        'test/domain/at-cursor.test.ts',
        'rows are compared where the target stands at the cursor (protocol rule 1)',
        'at the cursor: one row that differs waits for a person (protocol rule 1)',
      ),
      ...by(
        'test/integration/compare-at-cursor.test.ts',
        'rows written before the cursor are named by key, never by value, and nothing starts until a person says so',
      ),
    ],
  },
  {
    name: '2',
    words:
      'A job is resumed only for the incarnation of the surviving stage; otherwise a new one begins at the checkpoint.',
    kept: [
      at(ENSURE, 'isWanted(job) && job.incarnation === incarnation'),
      at('src/apply/attempt.ts', 'if (!stageKept) await stage.bind('),
    ],
    tests: [
      ...by(
        JOBS_TEST,
        'a lower incarnation is left alone until it is cancelled, and then only it (protocol rule 3)',
        'pause and resume are idempotent and wait until they are done',
      ),
      ...by(
        'test/apply/attempt.test.ts',
        'a stage is bound anew, empty, at C as the next incarnation when it is another host’s, which is empty',
      ),
    ],
  },
  {
    name: '3',
    words:
      'The next changefeed is created before the last is cancelled; with a surviving stage it begins at the stage’s resolved.',
    kept: [
      at('src/apply/attempt.ts', 'cursor: bound.resolved,'),
      at(ENSURE, 'if (!kept) return { kept, cancelled: [] };'),
    ],
    tests: [
      ...by(
        JOBS_TEST,
        'a lower incarnation is left alone until it is cancelled, and then only it (protocol rule 3)',
        'a health poll that finds no job of the incarnation cancels nothing',
      ),
      ...by(
        'test/apply/attempt.test.ts',
        'renew keeps every entry and takes the next incarnation, at resolved (protocol rule 3)',
      ),
    ],
  },
  {
    name: '4',
    words:
      'History is protected at the checkpoint, the new protection before the old is dropped; where it cannot be, a short TTL blocks, and a checkpoint older than half of it is an incident.',
    kept: [
      at('src/cockroach/protection.ts', 'const made = await protectHistory(cockroach, next);'),
      at('src/workflows/stream.ts', 'await whileHistoryIsKept(keeping(state), () => attemptAgainAndAgain(state));'),
      at('src/cockroach/preflight-history.ts', 'const short = facts.canProtect'),
      at('src/domain/only-copy.ts', 'lagMs * 2 > history.ttlMs'),
    ],
    tests: [
      ...by(
        SETTINGS_TEST,
        'a protection rolls forward: the new one is there before the old one goes (protocol rule 4)',
      ),
      ...by(
        'test/cockroach-client/preflight-pure.test.ts',
        'a TTL shorter than the promised outage blocks where history cannot be protected (protocol rule 4)',
      ),
      ...by('test/kill/rollback.test.ts', 'in prepare, with history protected and nobody told by which job'),
      ...by(
        'test/domain/source-identity.test.ts',
        'a checkpoint 7200001 ms old, history kept for 14400000: the stage is the only copy (protocol rule 4)',
      ),
      ...by(
        CHANGED_TEST,
        'while the target is away: the stage becomes the only copy (protocol rule 4), and a late row is an alarm until a person resumes (rule 10)',
      ),
    ],
  },
  {
    name: '5',
    words: 'on_error is always pause; a pause has a deadline, and is an incident at half of it.',
    kept: [
      at('src/cockroach/changefeed-statement.ts', "on_error: 'pause',"),
      at('src/domain/changefeed-health.ts', 'input.restingMs * 2 < maxAgeMs'),
    ],
    tests: [
      ...by('test/cockroach-client/changefeed-statement.test.ts', 'the documented statement, with on_error'),
      ...by(JOBS_TEST, 'the job carries on_error = pause (protocol rule 5)'),
      ...by(
        'test/domain/changefeed-health.test.ts',
        'a pause is an incident from half of the time for which CockroachDB keeps its history (protocol rule 5)',
      ),
    ],
  },
  {
    name: '6',
    words:
      'All live jobs are listed each time: one of the current incarnation is kept, the rest and all lower end, a higher one never does.',
    kept: [
      at(ENSURE, 'const found = await findKept(cockroach, wanted, options.signal);'),
      at(ENSURE, 'if (higher)'),
      at('src/activities/changefeed.ts', 'if (await store.read(stream)) await store.setFeedWanted(stream, false);'),
    ],
    tests: [
      ...by(
        JOBS_TEST,
        'a changefeed is created once; asked again it is found',
        'CREATE committed and its answer was dropped: the job is found, and one remains (protocol rule 6)',
        'CREATE commits after the client gave up and after it was looked for: one job remains (protocol rule 6)',
        'a higher incarnation is never cancelled, and nothing is created beside it (protocol rule 6)',
      ),
      ...by(
        'test/kill/changefeed.test.ts',
        'when CREATE CHANGEFEED commits and its answer is dropped, and the run goes on',
        'when CREATE CHANGEFEED commits 10 s after its connection was cut, and the run goes on',
        'when CREATE CHANGEFEED commits 10 s after the worker gave up, and the run goes on',
      ),
      ...by('test/kill/rollback.test.ts', 'killed at the very undo, between a cancelled job and the word of it'),
      ...by(
        'test/integration/changefeed.test.ts',
        '"no changefeed is wanted" is recorded before the first is cancelled; who comes late creates none (protocol rule 6)',
      ),
    ],
  },
  {
    name: '8',
    words:
      'An upsert’s key must equal its key columns, by value; a delete is applied only when the source’s keys as of it are the known ones.',
    kept: [
      at('src/receiver/intake.ts', 'keys.requireMatch(body, item.row);'),
      at('src/apply/loop.ts', 'const span = await beforeOtherKey('),
      at('src/apply/source-check.ts', 'if (good !== null && end.fingerprint === good) return null;'),
      at('src/activities/source-watch.ts', 'const other = await searchOtherKey('),
    ],
    tests: [
      ...by('test/receiver/server.test.ts', 'key and after differ'),
      ...by('test/receiver/key-canon.test.ts', 'by text, and by value'),
      ...by(
        LOOP_SOURCE_TEST,
        'a delete with another key is not applied, everything before it is, and the loop halts there (protocol rule 8)',
        'another key halts the loop once all that is resolved is applied (protocol rule 8)',
      ),
      ...by('test/apply/source-check.test.ts', 'keys aaaBccc after a: another at 4 (protocol rule 8)'),
      ...by(
        CHANGED_TEST,
        'ALTER PRIMARY KEY halts the stream before a delete takes the wrong row, and it can be rolled back (protocol rule 8)',
      ),
    ],
  },
  {
    name: '9',
    words: 'The row keeps cluster and table ids; another cluster or table is not gone on with.',
    kept: [
      at('src/activities/cursor.ts', 'findOriginChange(row.origin,'),
      at('src/activities/source-watch.ts', 'findOriginChange(began,'),
      at('src/activities/changefeed.ts', 'findOriginChange(row.origin,'),
      at('src/activities/pull-intake.ts', 'if ((await options.checkSource()) !== null) return;'),
      at('src/apply/loop.ts', "if (changed?.type === 'Source.TableChanged')"),
    ],
    tests: [
      ...by(
        'test/cockroach-client/preflight.test.ts',
        'a table made anew under the same name has another id (protocol rule 9)',
      ),
      ...by(
        'test/cockroach-client/identity.test.ts',
        'names lead to ids: a renamed table is found under its new name only, another table has another id (protocol rule 9)',
      ),
      ...by(
        'test/domain/source-identity.test.ts',
        'what changed: the cluster (protocol rule 9)',
        'what changed: a table made anew (protocol rule 9)',
      ),
      ...by(LOOP_SOURCE_TEST, 'another table halts the loop at once (protocol rule 9)'),
      ...by(
        'test/activities/pull-intake.test.ts',
        'no feed is opened on a source that is another one (protocol rule 9)',
      ),
      ...by(
        CHANGED_TEST,
        'a table renamed is followed; another table in its place halts the stream until it is put right (protocol rule 9)',
      ),
    ],
  },
  {
    name: '10',
    words:
      'A late row is dropped against the committed checkpoint only; a row never seen at or before resolved is an alarm until a person resumes.',
    kept: [
      at('src/staging/lmdb/accept.ts', 'if (compareAt(row.at, committedAt) <= 0)'),
      at('src/staging/lmdb/accept.ts', 'late++;'),
      at('src/activities/open-attempt.ts', 'lateRows.count(late);'),
    ],
    tests: [
      ...by(STAGE_TEST, 'only the committed checkpoint drops', 'what was purged is not called late'),
      ...by(SQL_TEST, 'in the middle of a body (hold-answer): it is not acknowledged, and its redelivery is complete'),
      ...by(
        'test/activities/late-rows.test.ts',
        'late rows are told at once, then at most once a minute, with the count so far (protocol rule 10)',
      ),
      ...by(
        CHANGED_TEST,
        'while the target is away: the stage becomes the only copy (protocol rule 4), and a late row is an alarm until a person resumes (rule 10)',
      ),
    ],
  },
  {
    name: '11',
    words: 'A window begins strictly after the checkpoint; purging deletes everything up to it, each time.',
    kept: [at('src/staging/lmdb/span.ts', 'return encodeHlc((at + 1n) as Hlc);'), at(STAGE, 'const doomed = [')],
    tests: by(
      STAGE_TEST,
      'in time order, strictly after, up to and with the end',
      'purge raises the floor, so that what it deleted is not claimed',
    ),
  },
  {
    name: '12',
    words:
      'At the budget new rows get 503 while applying makes room; what cannot be applied yet overruns it to a reserve, with an incident. All else is taken.',
    kept: [
      at('src/staging/room.ts', "if (applying) return 'waits';"),
      at('src/staging/lmdb/accept.ts', 'if (!mayGrow && fresh.size > 0) throw new NoRoomError();'),
    ],
    tests: [
      ...by(
        ROOM_TEST,
        'at the budget, with something to apply: new rows get 503, all else is taken; once it is applied there is room (protocol rule 12)',
        'at the budget, with nothing to apply: it is overrun to the reserve, with an incident that ends by itself (protocol rule 12)',
      ),
      ...by(
        'test/integration/stage-budget.test.ts',
        'the target is away and more arrives than the stage may hold: 503, nothing is lost, and nobody is needed (protocol rule 12)',
      ),
    ],
  },
  {
    name: '13',
    words:
      'Used pages are counted; no read stays open; keys too long for the store are kept by hash, and whole, and compared.',
    kept: [
      at(STAGE, 'store.root.resetReadTxn();'),
      at('src/staging/lmdb/accept.ts', 'if (isHashed(key)) requireSameKey('),
      at('src/staging/sql/statements.ts', 'WHERE held.whole IS NOT DISTINCT FROM excluded.whole'),
      at('src/staging/lmdb/store.ts', 'const pages = stats.treeBranchPageCount'),
    ],
    tests: [
      ...by(
        LMDB_TEST,
        'no read transaction stays open (protocol rule 13)',
        'two keys of one hash are never taken for one',
        'figures count used pages, which purging gives back',
      ),
      ...by(
        SQL_TEST,
        'nothing stays open between two reads (protocol rule 13)',
        'two keys of one hash are never taken for one (protocol rule 13)',
      ),
    ],
  },
  {
    name: '14',
    words:
      'Durable means flushed: the promise waits for LMDB’s fdatasync, or for a commit that PostgreSQL has flushed.',
    kept: [
      at('src/staging/lmdb/environment.ts', 'overlappingSync: false, eventTurnBatching: false'),
      at('src/staging/sql/connection.ts', "synchronous_commit: 'on'"),
    ],
    tests: [
      ...by(
        'test/receiver/durability.test.ts',
        'no 200 before the flush returns; killed between staging and ack, the rows are there and the resend is a redelivery',
      ),
      ...by(SQL_TEST, 'a commit is flushed, whatever the database’s own default is (protocol rule 14)'),
    ],
  },
  {
    name: '15',
    words: 'A stage has an id of its own; one that knows less than it has mirrored is a copied disk.',
    kept: [
      at('src/apply/attempt.ts', 'function knowsEnough('),
      at('src/staging/lmdb/store.ts', 'const id = known ?? randomUUID();'),
    ],
    tests: [
      ...by(
        'test/apply/attempt.test.ts',
        'a stage is bound anew, empty, at C as the next incarnation when it is a copy of an old disk, which knows less than it has mirrored (protocol rule 15)',
      ),
      ...by(STAGE_TEST, 'the id stays with the stage, and each stream has its own (protocol rule 15)'),
    ],
  },
  {
    name: '16',
    words: 'Applied changes stay for retireOffset behind the checkpoint, and go first where the budget needs room.',
    kept: [
      at('src/apply/loop.ts', 'const retired = earlierHlc(applied, options.retireOffsetMs);'),
      at('src/activities/stage-room.ts', "if (room === 'waits' && retains) purgeRetained();"),
    ],
    tests: [
      ...by(
        'test/apply/loop.test.ts',
        'applied changes stay for retireOffset of the source’s time, and the floor rises with the purge only (protocol rule 16)',
      ),
      ...by(
        'test/apply/attempt.test.ts',
        'set back by less than retireOffset: what is applied already is applied again from the stage, of the same changefeed (protocol rule 16)',
      ),
      ...by(ROOM_TEST, 'what is kept for a target that is set back goes first (protocol rule 16)'),
    ],
  },
  {
    name: '17',
    words: 'A retry asks the stage’s own host first; a worker drops the stages that no row names any more.',
    kept: [
      at('src/workflows/stream.ts', 'if (own !== null && !state.hostLost) return own;'),
      at('src/worker/abandoned-stages.ts', 'if (stage.id !== sheet.stageId || (await isNamed(sheet))) return false;'),
    ],
    tests: by(
      ABANDONED_TEST,
      'a stage that its row names stays, and one that no row names goes with the second look (protocol rule 17)',
      'in use, of an unreachable target, of an unknown connection, or without a sheet it stays',
    ),
  },
];
