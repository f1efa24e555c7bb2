import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  classifyCockroachError,
  COCKROACH_ERROR_KINDS,
  CockroachError,
  type CockroachErrorKind,
} from '../../src/cockroach/errors.js';

/** Texts as a real CockroachDB says them. */
const CASES: readonly (readonly [CockroachErrorKind, boolean, string, string])[] = [
  [
    'cursorTooOld',
    false,
    'XXUUU',
    'batch timestamp 1795321169.356340937,0 must be after replica GC threshold 1795321206.724348963,0',
  ],
  [
    'cursorTooOld',
    false,
    'XXUUU',
    'fetching changes for /Table/269/{1-2}: batch timestamp 1795321169.356340937,0 must be after replica GC threshold 1795321206.826125061,0',
  ],
  ['tableDropped', false, 'XXUUU', '"dr" was dropped'],
  ['tableTruncated', false, 'XXUUU', '"tr" was truncated'],
  ['schemaBoundary', false, '55C01', 'schema change occurred at 1795321191316161618.0000000000'],
  [
    'targetsUnresolved',
    false,
    'XXUUU',
    'failed to resolve targets in the CHANGEFEED stmt: table "t" does not exist\nHINT:  do the targets exist at the specified cursor time 1795321122.574530907,0?',
  ],
  [
    'targetsUnresolved',
    false,
    '3D000',
    'failed to resolve targets in the CHANGEFEED stmt: database "d3" does not exist',
  ],
  ['targetUnsupported', false, 'XXUUU', 'CHANGEFEED cannot target views: vw'],
  ['targetUnsupported', false, 'XXUUU', 'CHANGEFEED cannot target sequences: sq'],
  ['targetUnsupported', false, 'XXUUU', 'CHANGEFEEDs are not supported on system tables'],
  [
    'targetUnsupported',
    false,
    'XXUUU',
    'CHANGEFEEDs are currently supported on tables with exactly 1 column family: fam has 2',
  ],
  [
    'cursorRefused',
    false,
    'XXUUU',
    'AS OF SYSTEM TIME: cannot specify timestamp in the future (1795321723.958232817,0 > 1795321136.521626881,0)',
  ],
  ['cursorRefused', false, 'XXUUU', 'AS OF SYSTEM TIME: zero timestamp is invalid'],
  ['cursorRefused', false, 'XXUUU', 'AS OF SYSTEM TIME: timestamp before 1970-01-01T00:00:00Z is invalid'],
  ['cursorRefused', false, 'XXUUU', 'AS OF SYSTEM TIME: value is neither timestamp, decimal, nor interval'],
  ['optionRefused', false, 'XXUUU', 'option "initial_scan" does not take a value'],
  ['optionRefused', false, 'XXUUU', 'cannot specify both initial_scan and no_initial_scan'],
  ['optionRefused', false, 'XXUUU', 'invalid option "initial_scan_only"'],
  ['optionRefused', false, 'XXUUU', 'diff is only usable with envelope=wrapped'],
  ['optionRefused', false, 'XXUUU', 'unknown envelope: bare'],
  ['optionRefused', false, 'XXUUU', 'unknown format: csv'],
  ['optionRefused', false, 'XXUUU', 'unknown schema_change_policy: bogus'],
  ['optionRefused', false, 'XXUUU', 'WITH option confluent_schema_registry is required for format=avro'],
  ['optionRefused', false, 'XXUUU', 'time: invalid duration "abc"'],
  ['optionRefused', false, 'XXUUU', "negative durations are not accepted: resolved='-1s'"],
  [
    'optionRefused',
    false,
    '',
    'error processing option webhook_sink_config: invalid option value webhook_sink_config, flush frequency is not set, messages may never be sent',
  ],
  ['optionRefused', false, '', 'problem parsing option webhook_client_timeout: time: invalid duration "abc"'],
  ['optionRefused', false, '', 'option webhook_client_timeout must be a positive duration'],
  ['optionRefused', false, '', 'this sink is incompatible with envelope=row'],
  ['optionRefused', false, '', 'time: missing unit in duration "10"'],
  ['optionRefused', false, '', 'option webhook_client_timeout must be a duration greater than 0'],
  ['optionRefused', false, '', 'invalid sink config, all values must be non-negative'],
  ['optionRefused', false, '', 'Retry.Max must be either a positive int or "inf" for infinite retries.'],
  ['optionRefused', false, '', "error unmarshalling json: invalid character 'x' looking for beginning of value"],
  ['optionRefused', false, '', 'this sink requires https'],
  [
    'optionRefused',
    false,
    '',
    'param insecure_tls_skip_verify must be a bool: strconv.ParseBool: parsing "x": invalid syntax',
  ],
  ['optionRefused', false, '', 'client_cert requires client_key to be set'],
  ['optionRefused', false, '', 'failed to parse certificate data:x'],
  [
    'optionRefused',
    false,
    '',
    'invalid client certificate data provided: tls: failed to find any PEM data in certificate input',
  ],
  ['sinkUnsupported', false, 'XXUUU', 'unsupported sink: bogus'],
  [
    'licence',
    false,
    'XXC02',
    'use of CHANGEFEED requires an enterprise license. see https://cockroachlabs.com/pricing?cluster=7d153e4c-a711-4da1-af6f-eb9c36d96a89 for details on how to enable enterprise features',
  ],
  [
    'privilege',
    false,
    '42501',
    'user "u" requires the CHANGEFEED privilege on all target tables to be able to run an enterprise changefeed',
  ],
  ['privilege', false, '42501', 'user u does not have SELECT privilege on relation t'],
  [
    'rangefeedDisabled',
    false,
    'XXUUU',
    'rangefeeds require the kv.rangefeed.enabled setting. See https://www.cockroachlabs.com/docs',
  ],
  ['jobMissing', false, 'XXUUU', 'job with ID 123456 does not exist'],
  [
    'jobStateRefused',
    false,
    'XXUUU',
    'job 1229623100428025857: job with status canceled cannot be requested to be paused',
  ],
  ['jobStateRefused', false, 'XXUUU', 'job 1229623100428025857: job with status canceled cannot be resumed'],
  ['settingUnknown', false, 'XXUUU', "unknown cluster setting 'kv.nope'"],
  ['settingUnknown', false, 'XXUUU', 'unknown setting: "kv.nope"'],
  ['syntax', false, '42601', 'at or near "d3": syntax error'],
  ['objectMissing', false, '42P01', 'relation "t" does not exist'],
  ['objectMissing', false, '3D000', 'database "nope" does not exist'],
  ['authentication', false, '28P01', 'password authentication failed for user u'],
  ['readOnly', false, '25006', 'cannot execute CREATE CHANGEFEED in a read-only transaction'],
  ['serialization', true, '40001', 'restart transaction: TransactionRetryWithProtoRefreshError'],
  ['serialization', true, '40003', 'result is ambiguous: error=unable to determine whether command was applied'],
  ['serialization', true, '40P01', 'deadlock detected'],
  ['overloaded', true, '53200', 'root: memory budget exceeded'],
  ['overloaded', true, '53300', 'sorry, too many clients already'],
  ['cancelled', true, '57014', 'query execution canceled'],
  ['connection', true, '57P01', 'server is shutting down'],
  ['connection', true, '08006', 'connection failure'],
  ['connection', true, '08003', 'connection does not exist'],
  ['connection', true, 'ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:26257'],
  ['connection', true, 'ECONNRESET', 'read ECONNRESET'],
  ['connection', true, 'ENOTFOUND', 'getaddrinfo ENOTFOUND crdb'],
  ['connection', true, '', 'Connection terminated unexpectedly'],
  ['connection', true, '', 'timeout expired'],
  ['timeout', true, 'ETIMEDOUT', 'connect ETIMEDOUT 10.0.0.1:26257'],
  ['tls', false, 'DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'],
  ['tls', false, '', 'The server does not support SSL connections'],
  ['unknown', false, 'XXUUU', 'something nobody has seen'],
  ['unknown', false, '', ''],
];

for (const [kind, retryable, code, message] of CASES)
  test(`${kind}: ${message.slice(0, 60)} (${code})`, () => {
    assert.deepEqual(classifyCockroachError({ message, code }), { kind, retryable });
  });

test('every kind is met by a case', () => {
  assert.deepEqual(new Set(CASES.map(([kind]) => kind)), new Set(COCKROACH_ERROR_KINDS));
});

test('a text that another kind also fits does not overrule the exact code', () => {
  const message = 'failed to resolve targets in the CHANGEFEED stmt: user u has no privileges';
  assert.equal(classifyCockroachError({ message, code: '42501' }).kind, 'privilege');
});

test('an error carries no secret of its statement, in its message, its cause or its detail', () => {
  const url = 'webhook-https://host:30004/db/public?ca_cert=Q0E=&client_key=U0VDUkVU&failback_stream=s-1';
  const cause = Object.assign(new Error(`cannot dial ${url}`), {
    code: 'XXUUU',
    hint: `look at ${url}`,
    detail: `source SQL: CREATE CHANGEFEED FOR t INTO '${url}' WITH webhook_auth_header = 'Bearer T0KEN'`,
  });
  const error = new CockroachError('the changefeed is refused', cause);
  const everything = `${error.message} ${error.stack ?? ''} ${JSON.stringify(error)} ${String((error.cause as Error).stack)} ${JSON.stringify(error.cause)}`;
  for (const secret of ['U0VDUkVU', 'T0KEN', 'Q0E=']) assert.ok(!everything.includes(secret), secret);
  assert.match(error.message, /failback_stream=s-1/);
  assert.equal(error.code, 'XXUUU');
});

test('an error of several refused addresses says what the first one said', () => {
  const cause = new AggregateError([
    new Error('connect ECONNREFUSED ::1:1'),
    new Error('connect ECONNREFUSED 127.0.0.1:1'),
  ]);
  const error = new CockroachError('CockroachDB cannot be reached', Object.assign(cause, { code: 'ECONNREFUSED' }));
  assert.equal(error.message, 'CockroachDB cannot be reached: connect ECONNREFUSED ::1:1 (ECONNREFUSED)');
  assert.ok(error.retryable);
});
