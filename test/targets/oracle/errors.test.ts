import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SchemaMismatchError, TargetRefusedError, TargetUnavailableError } from '../../../src/targets/failures.js';
import {
  classifyOracleError,
  endsSession,
  isLockTimeout,
  OracleError,
  shownMessage,
  toTargetError,
} from '../../../src/targets/oracle/errors.js';

/** As the thin driver throws it: with Oracle's number, or with a code of its own. */
function oracle(number: number, words = 'words'): Error {
  const code = `ORA-${String(number).padStart(5, '0')}`;
  return Object.assign(new Error(`${code}: ${words}`), { errorNum: number, code });
}

function driver(code: string): Error {
  return Object.assign(new Error(`${code}: words`), { code });
}

const CLASSES = {
  transient: [
    60, 8177, 54, 30006, 3113, 3114, 3135, 12541, 12514, 12537, 12170, 12547, 1033, 1034, 1089, 1090, 28, 1012, 1013,
    18, 20, 1555, 1653, 16000, 4068,
  ],
  row: [
    1, 1400, 1407, 1438, 1426, 12899, 2290, 2291, 2292, 1722, 1830, 1841, 1843, 1847, 1858, 1861, 1465, 1489, 2091,
    20001, 22835, 40441, 14400,
  ],
  schema: [904, 942, 913, 947, 932, 32795],
  refused: [1017, 28000, 28001, 1031, 1045, 99999],
} as const;

describe('errors of Oracle', () => {
  for (const [kind, numbers] of Object.entries(CLASSES))
    for (const number of numbers)
      test(`ORA-${String(number).padStart(5, '0')} is ${kind}`, () => {
        assert.equal(classifyOracleError(oracle(number)), kind);
      });

  for (const code of [
    'NJS-500',
    'NJS-501',
    'NJS-503',
    'NJS-510',
    'NJS-511',
    'NJS-518',
    'NJS-530',
    'NJS-123',
    'DPI-1067',
    'DPI-1080',
    'ECONNRESET',
  ])
    test(`${code} is transient`, () => assert.equal(classifyOracleError(driver(code)), 'transient'));

  test("the driver's NJS-500 in place of ORA-03113 keeps the number, and the session is over", () => {
    const error = Object.assign(
      new Error('NJS-500: connection to the Oracle Database was broken\nORA-03113: end-of-file'),
      {
        code: 'NJS-500',
        errorNum: 3113,
      },
    );
    assert.equal(endsSession(error), true);
    assert.equal(new OracleError(error).code, 'ORA-03113');
    for (const number of [60, 1, 30006, 1013, 942]) assert.equal(endsSession(oracle(number)), false);
  });

  test('a wait for a lock is known from a deadlock', () => {
    for (const error of [oracle(54), oracle(30006), oracle(1013), driver('NJS-123')])
      assert.equal(isLockTimeout(error), true);
    for (const error of [oracle(60), oracle(8177), oracle(3113), oracle(1)]) assert.equal(isLockTimeout(error), false);
  });

  test("an array bind's error has its number in its words only", () => {
    const error = new OracleError(new Error('ORA-00001: unique constraint (SHOP.ITEMS_CODE) violated'));
    assert.deepEqual([error.code, error.ofOrder, error.named.constraint], ['ORA-00001', true, 'SHOP.ITEMS_CODE']);
  });

  test("a deferred constraint at COMMIT is the constraint's error", () => {
    const error = oracle(
      2091,
      'transaction rolled back\nORA-02291: integrity constraint (SHOP.FK) violated - parent key not found',
    );
    const shown = new OracleError(error);
    assert.deepEqual([shown.code, shown.named.constraint, shown.ofOrder], ['ORA-02291', 'SHOP.FK', true]);
  });

  for (const [what, error] of [
    [
      'the row of a duplicate (23ai)',
      oracle(
        1,
        `unique constraint (SHOP.U) violated on table SHOP.T columns (C)\nORA-03301: (ORA-00001 details) row with column values (C:'secret') already exists`,
      ),
    ],
    [
      'a text that is no number (23ai)',
      oracle(1722, `unable to convert string value containing 'secret' to a number: T.C`),
    ],
    ['a trigger', oracle(20001, 'secret is not allowed\nORA-06512: at "SHOP.TRIG", line 1')],
    ['a quoted word', oracle(99998, `invalid value 'secret' for parameter`)],
    ['JSON', oracle(40441, 'JSON syntax error at secret')],
  ] as const)
    test(`no row value is shown: ${what}`, () => {
      assert.doesNotMatch(shownMessage(error), /secret/);
      assert.doesNotMatch(String(toTargetError(error, 'applying')), /secret/);
    });

  test('the column of a NULL and of a text that is too long is named', () => {
    assert.equal(new OracleError(oracle(1400, 'cannot insert NULL into ("SHOP"."T"."C")')).named.column, 'C');
    const long = oracle(12899, 'value too large for column "SHOP"."T"."C" (actual: 12, maximum: 10)');
    assert.equal(new OracleError(long).named.column, 'C');
  });

  test('each class becomes its error of the port', () => {
    assert.ok(toTargetError(oracle(60), 'applying') instanceof TargetUnavailableError);
    assert.ok(toTargetError(oracle(942), 'applying') instanceof SchemaMismatchError);
    assert.ok(toTargetError(oracle(1031), 'applying') instanceof TargetRefusedError);
    const unknown = toTargetError(oracle(3113), 'committing', { commitUnknown: true });
    assert.ok(unknown instanceof TargetUnavailableError && unknown.commitUnknown);
    assert.equal(toTargetError(unknown, 'again'), unknown);
  });
});
