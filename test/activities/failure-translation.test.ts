import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import {
  CataloguedError,
  toApplicationFailure,
  translate,
  translated,
} from '../../src/activities/failure-translation.js';
import { SupersededIncarnationError } from '../../src/cockroach/ensure-changefeed.js';
import { CockroachError } from '../../src/cockroach/errors.js';
import { JobsStillLiveError, JobStateError } from '../../src/cockroach/job-control.js';
import { UnknownConnectionError } from '../../src/domain/connection-errors.js';
import { FAILURES, type FailureType } from '../../src/domain/failures.js';
import { HLC_ZERO } from '../../src/domain/hlc.js';
import { SourceChangedError } from '../../src/domain/source-identity.js';
import { StageBusyError } from '../../src/staging/stage.js';
import {
  BadRowError,
  FenceLostError,
  SchemaMismatchError,
  TargetRefusedError,
  TargetUnavailableError,
} from '../../src/targets/failures.js';
import { TargetNotAtTimestampError } from '../../src/verify/compare-tables.js';

const cause = undefined;
const row = { stream: 's', applied: HLC_ZERO, cursor: HLC_ZERO, token: 't', stageId: null, incarnation: 1 };
const cockroach = (message: string, code = 'XXUUU') =>
  new CockroachError('asking', Object.assign(new Error(message), { code }));

const TABLE: readonly (readonly [what: string, error: unknown, type: FailureType])[] = [
  ['a catalogued one', new CataloguedError('Receiver.InUse', 'x'), 'Receiver.InUse'],
  ['an unknown connection', new UnknownConnectionError('a', []), 'Connection.Unknown'],
  ['a stage that is open elsewhere', new StageBusyError('/stage'), 'Stage.Busy'],
  ['a row that is gone', new FenceLostError('s', null), 'Checkpoint.Missing'],
  ['a row that another has', new FenceLostError('s', row), 'Checkpoint.TakenOver'],
  ['a bad row', new BadRowError('public.t', '[1]', null, '23514', 'check constraint', { cause }), 'Target.BadRow'],
  ['a missing column', new SchemaMismatchError('public.t', 'note', 'ALTER TABLE'), 'Target.SchemaMismatch'],
  ['a target that is away', new TargetUnavailableError('57P01', 'x', { cause }), 'Target.Unavailable'],
  ['a target that stands elsewhere', new TargetNotAtTimestampError('s', HLC_ZERO, null), 'Verify.NotAtTimestamp'],
  ['a target that refuses', new TargetRefusedError('42501', 'x', { cause }), 'Target.Refused'],
  ['a source that has changed', new SourceChangedError('Source.KeyChanged', 'x'), 'Source.KeyChanged'],
  [
    'an overtaken incarnation',
    new SupersededIncarnationError('s', 1, { jobId: '2', incarnation: 2 }),
    'Changefeed.Refused',
  ],
  ['a job in another state', new JobStateError('1', 'failed', 'resumed'), 'Changefeed.Refused'],
  ['jobs that do not end', new JobsStillLiveError([{ jobId: '1', status: 'reverting' }]), 'Source.Unavailable'],
  ['history that is gone', cockroach('batch timestamp 1 must be after replica GC threshold 2'), 'Cursor.TooOld'],
  ['a TRUNCATE', cockroach('"t" was truncated'), 'Changefeed.Refused'],
  ['a DROP', cockroach('"t" was dropped'), 'Changefeed.Refused'],
  ['no such table', cockroach('failed to resolve targets in the CHANGEFEED stmt: x'), 'Changefeed.Refused'],
  ['a view', cockroach('CHANGEFEED cannot target views: v'), 'Changefeed.Refused'],
  ['a wrong option', cockroach('invalid option "x"', '22023'), 'Changefeed.Refused'],
  ['a wrong sink', cockroach('unsupported sink: x'), 'Changefeed.Refused'],
  ['no licence', cockroach('use of CHANGEFEED requires an enterprise license.', 'XXC02'), 'Changefeed.Refused'],
  ['rangefeeds off', cockroach('rangefeeds require the kv.rangefeed.enabled setting.'), 'Changefeed.Refused'],
  ['a refused cursor', cockroach('AS OF SYSTEM TIME: cannot specify timestamp in the future'), 'Changefeed.Refused'],
  ['a serialization failure', cockroach('restart transaction', '40001'), 'Source.Unavailable'],
  ['a lost connection', cockroach('Connection terminated unexpectedly', ''), 'Source.Unavailable'],
  ['a refused connection', cockroach('connect ECONNREFUSED', 'ECONNREFUSED'), 'Source.Unavailable'],
  ['an overloaded node', cockroach('too many clients', '53300'), 'Source.Unavailable'],
  ['no privilege', cockroach('user u does not have CHANGEFEED', '42501'), 'Source.Refused'],
  ['a wrong password', cockroach('password authentication failed', '28P01'), 'Source.Refused'],
  ['a certificate', cockroach('self-signed certificate', 'SELF_SIGNED_CERT_IN_CHAIN'), 'Source.Refused'],
  ['no such job', cockroach('job with ID 5 does not exist'), 'Source.Refused'],
  ['a bug', new TypeError('x is not a function'), 'Internal.Defect'],
  ['no error at all', 'thrown text', 'Internal.Defect'],
];

for (const [what, error, type] of TABLE) {
  test(`translation of ${what}`, () => {
    assert.equal(translate(error).type, type);
    const failure = toApplicationFailure(error);
    assert.ok(failure instanceof ApplicationFailure);
    assert.equal(failure.type, type);
    assert.equal(failure.nonRetryable, !FAILURES[type].retryable);
  });
}

test('the statement that mends a missing column goes with it', () => {
  assert.equal(
    translate(new SchemaMismatchError('t', 'c', 'ALTER TABLE t ADD c int')).remedy,
    'ALTER TABLE t ADD c int',
  );
});

test('neither a cause, a DETAIL, details nor a stack leaves an activity', () => {
  const driver = Object.assign(new Error('duplicate key value'), {
    detail: 'Key (email)=(canary@example.com) already exists.',
    where: 'COPY canary',
    internalQuery: 'canary',
  });
  const errors = [
    new TargetUnavailableError('40001', 'try again', { cause: driver }),
    new BadRowError('public.t', '[1]', null, '23505', 'duplicate key value', { cause: driver }),
    new CockroachError('asking', Object.assign(new Error('refused'), { detail: "SELECT 'canary'" })),
    Object.assign(new Error('a defect'), { cause: driver, detail: 'canary' }),
  ];
  for (const error of errors) {
    const failure = toApplicationFailure(error) as ApplicationFailure;
    assert.equal(failure.cause, undefined);
    assert.doesNotMatch(JSON.stringify([failure.message, failure.stack, failure.details]), /canary/);
    assert.doesNotMatch(failure.stack ?? '', /\n/);
  }
});

test('a secret of a sink URL is redacted in what CockroachDB says', () => {
  const said = translate(cockroach('bad sink webhook-https://h:1/d/s?client_key=CANARYKEY&failback_stream=x')).message;
  assert.doesNotMatch(said, /CANARYKEY/);
});

test('a failure of Temporal passes as it is', () => {
  const cancelled = new CancelledFailure('cancelled');
  const failure = ApplicationFailure.create({ message: 'x' });
  assert.equal(toApplicationFailure(cancelled), cancelled);
  assert.equal(toApplicationFailure(failure), failure);
});

test('a wrapped group answers as before, and fails in the words of the catalogue', async () => {
  const group = translated({
    double: (n: number) => Promise.resolve(n * 2),
    fail: (_: null) => Promise.reject(new UnknownConnectionError('shop', ['bank'])),
  });
  assert.equal(await group.double(2), 4);
  await assert.rejects(group.fail(null), (error: unknown) => {
    assert.ok(error instanceof ApplicationFailure);
    assert.equal(error.type, 'Connection.Unknown');
    assert.match(error.message, /"shop".*known are bank.*FAILBACK_CONNECTION_SHOP/);
    return true;
  });
});
