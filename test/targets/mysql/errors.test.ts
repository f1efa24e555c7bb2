import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BadRowError,
  SchemaMismatchError,
  TargetRefusedError,
  TargetUnavailableError,
} from '../../../src/targets/failures.js';
import {
  classifyMysqlError,
  endsSession,
  mysqlErrors,
  MysqlError,
  toTargetError,
} from '../../../src/targets/mysql/errors.js';

/** As the driver hands out what a server says. */
function serverError(errno: number, message: string, sqlState = 'HY000'): Error {
  return Object.assign(new Error(message), { errno, sqlState, code: 'ER_SOMETHING' });
}

test('errors are classed by their number', () => {
  const expected = {
    transient: [1040, 1053, 1205, 1213, 1290, 1836, 1927, 1412],
    row: [1048, 1062, 1264, 1265, 1292, 1366, 1406, 1451, 1452, 1644, 3819, 4025],
    schema: [1054, 1146],
    refused: [1044, 1045, 1049, 1064, 1142, 1227, 9999],
  };
  for (const [kind, numbers] of Object.entries(expected))
    for (const errno of numbers) assert.equal(classifyMysqlError(serverError(errno, 'x')), kind, String(errno));
  for (const code of ['ECONNRESET', 'PROTOCOL_CONNECTION_LOST', 'ETIMEDOUT']) {
    const error = Object.assign(new Error('x'), { code, errno: -104 });
    assert.equal(classifyMysqlError(error), 'transient', code);
    assert.ok(endsSession(error), code);
  }
  assert.equal(classifyMysqlError(new Error("Can't add new command when connection is in closed state")), 'transient');
  assert.equal(
    classifyMysqlError(Object.assign(new Error('bad certificate'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })),
    'refused',
  );
  assert.ok(mysqlErrors.isLockTimeout(serverError(1205, 'x')));
  assert.ok(!endsSession(serverError(1213, 'x')));
  assert.ok(endsSession(serverError(1927, 'x')));
});

test('no shown message holds a value of a row; columns and constraints are named', () => {
  const cases = [
    [
      1062,
      `Duplicate entry 's3cret' for key 'email' for key 'account.email'`,
      `Duplicate entry for key 'account.email'`,
      undefined,
      'account.email',
    ],
    [
      1366,
      "Incorrect integer value: 's3cret' for column 'x' for column `d`.`t`.`v` at row 12",
      /column 'v'$/,
      'v',
      undefined,
    ],
    [1366, `Incorrect string value: '\\xF0s3cret' for column 'v' at row 1`, /column 'v'$/, 'v', undefined],
    [1292, `Incorrect datetime value: 's3cret' for column 'v' at row 1`, /column 'v'$/, 'v', undefined],
    [1292, `Truncated incorrect DOUBLE value: 's3cret'`, /DOUBLE value: '...'$/, undefined, undefined],
    [1406, `Data too long for column 'v' at row 1`, /v/, 'v', undefined],
    [1048, `Column 'v' cannot be null`, /v/, 'v', undefined],
    [1644, 's3cret', /not shown/, undefined, undefined],
    [1690, `BIGINT value is out of range in '(s3cret - 5)'`, /'...'$/, undefined, undefined],
    [1367, `Illegal double 's3cret' value found during parsing`, /'...' value/, undefined, undefined],
    [
      1452,
      'Cannot add or update a child row: a foreign key constraint fails (`d`.`c`, CONSTRAINT `to_p` FOREIGN KEY (`p`) REFERENCES `p` (`id`))',
      /to_p/,
      undefined,
      'to_p',
    ],
    [4025, 'CONSTRAINT `positive` failed for `d`.`t`', /positive/, undefined, 'positive'],
    [3819, `Check constraint 'positive' is violated.`, /positive/, undefined, 'positive'],
    [1064, `You have an error near 's3cret'' at line 1`, /error/, undefined, undefined],
  ] as const;
  for (const [errno, message, shown, column, constraint] of cases) {
    const error = new MysqlError(serverError(errno, message));
    assert.doesNotMatch(error.message, /s3cret/, message);
    if (typeof shown === 'string') assert.equal(error.message, shown);
    else assert.match(error.message, shown);
    assert.deepEqual([error.named.column, error.named.constraint], [column, constraint], message);
  }
});

test('an error of ours passes, any other becomes that of its class', () => {
  const bad = new BadRowError('t', '[1]', null, '1062', 'x', { cause: null });
  assert.equal(toTargetError(bad, 'x'), bad);
  const lost = toTargetError(serverError(2013, 'x'), 'committing', { commitUnknown: true });
  assert.ok(lost instanceof TargetUnavailableError && lost.commitUnknown);
  assert.ok(toTargetError(serverError(1146, `Table 'd.t' doesn't exist`), 'x') instanceof SchemaMismatchError);
  assert.ok(toTargetError(serverError(1142, 'denied'), 'x') instanceof TargetRefusedError);
});
