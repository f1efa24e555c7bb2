import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TargetRefusedError } from '../../../src/targets/failures.js';
import { readConnectionString } from '../../../src/targets/oracle/connection-string.js';

const descriptor = (protocol: string, host: string, port: number, service: string): string =>
  `(DESCRIPTION=(ADDRESS=(PROTOCOL=${protocol})(HOST=${host})(PORT=${port}))(CONNECT_DATA=(SERVICE_NAME=${service})))`;

test('a connection string is read percent-decoded, with the ports of Oracle', () => {
  assert.deepEqual(readConnectionString('oracle://C%23%23FAILBACK:p%40ss%2Fword@db.example/ORCLPDB1'), {
    user: 'C##FAILBACK',
    password: 'p@ss/word',
    connectString: descriptor('TCP', 'db.example', 1521, 'ORCLPDB1'),
    walletLocation: null,
    walletPassword: null,
    serverDn: null,
  });
  assert.equal(
    readConnectionString('oracle://u:p@h:1600/S.domain').connectString,
    descriptor('TCP', 'h', 1600, 'S.domain'),
  );
  assert.equal(readConnectionString('oracle://u:p@[::1]/S').connectString, descriptor('TCP', '::1', 1521, 'S'));
});

test('tcps and a wallet encrypt', () => {
  assert.equal(readConnectionString('oracle://u:p@h/S?tcps=true').connectString, descriptor('TCPS', 'h', 2484, 'S'));
  assert.equal(readConnectionString('oracle://u:p@h/S?tcps=false').connectString, descriptor('TCP', 'h', 1521, 'S'));
  const read = readConnectionString('oracle://u:p@h:1522/S?wallet=%2Fetc%2Fw&walletPassword=x%26y&serverDn=CN%3Ddb');
  assert.equal(read.connectString, descriptor('TCPS', 'h', 1522, 'S'));
  assert.equal(read.walletLocation, '/etc/w');
  assert.equal(read.walletPassword, 'x&y');
  assert.equal(read.serverDn, 'CN=db');
});

for (const [text, says] of [
  ['postgres://u:secret@h/S', /no oracle:\/\/ URL/],
  ['oracle://u:secret@h/', /not one service name/],
  ['oracle://u:secret@h/A/B', /not one service name/],
  ['oracle://u:secret@h/A)(B=C', /characters that none has/],
  ['oracle://u@h/S?x=secret', /lacks the user or the password/],
  ['oracle://u:secret@h/S?sid=secret', /parameter "sid", which is none of tcps, wallet, walletPassword, serverDn/],
  ['oracle://u:secret@h/S?tcps=secret', /neither true nor false/],
  ['oracle://u:secret@h/S?wallet=secret&tcps=false', /names a wallet, and says tcps=false/],
  ['oracle://u:secret%zz@h/S', /not followed by two hexadecimal digits/],
] as const) {
  test(`refused, without a word of the secret: ${text.replaceAll('secret', '...')}`, () => {
    assert.throws(
      () => readConnectionString(text),
      (error: unknown) => {
        assert.ok(error instanceof TargetRefusedError);
        assert.match(error.message, says);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      },
    );
  });
}
