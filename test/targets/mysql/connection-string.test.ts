import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { TargetRefusedError } from '../../../src/targets/failures.js';
import { readConnectionString } from '../../../src/targets/mysql/connection-string.js';

test('a connection string as people write it', () => {
  assert.deepEqual(readConnectionString('mysql://us%40er:p%3A%2F%25%C3%A4@db.example:3307/or%20ders'), {
    host: 'db.example',
    port: 3307,
    user: 'us@er',
    password: 'p:/%ä',
    database: 'or ders',
  });
  assert.deepEqual(readConnectionString('mariadb://u@[::1]'), { host: '::1', port: 3306, user: 'u', password: '' });
  assert.equal(readConnectionString('mysql://u:p@h/d?sslmode=disable').ssl, undefined);
});

test('the modes of TLS mean what they mean for PostgreSQL', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'failback-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const file = (name: string): string => {
    writeFileSync(path.join(folder, name), `PEM of ${name}`);
    return path.join(folder, name);
  };
  const files = `sslcert=${file('c')}&sslkey=${file('k')}&sslrootcert=${encodeURIComponent(file('ca +'))}`;
  const ssl = (query: string) => readConnectionString(`mysql://u:p@h/d?${query}`).ssl;
  const pem = { ca: 'PEM of ca +', cert: 'PEM of c', key: 'PEM of k' };
  assert.deepEqual(ssl('sslmode=require'), { rejectUnauthorized: false, verifyIdentity: false });
  assert.deepEqual(ssl(`${files}&sslmode=require`), { rejectUnauthorized: true, verifyIdentity: false, ...pem });
  assert.deepEqual(ssl(`${files}&sslmode=verify-ca`), { rejectUnauthorized: true, verifyIdentity: false, ...pem });
  assert.deepEqual(ssl(`${files}&sslmode=verify-full`), { rejectUnauthorized: true, verifyIdentity: true, ...pem });
});

test('what cannot be used is named, and the password never shown', () => {
  const cases = [
    ['mysql://u:s3cret@h/d?ssl-mode=REQUIRED', /parameter ssl-mode is unknown; known are sslmode, sslrootcert/],
    [
      'mysql://u:s3cret@h/d?sslmode=prefer',
      /sslmode=prefer is unknown; known are disable, require, verify-ca, verify-full/,
    ],
    [
      'mysql://u:s3cret@h/d?sslmode=verify-full&sslrootcert=/no/such/file',
      /file of sslrootcert, \/no\/such\/file, cannot be read \(ENOENT\)/,
    ],
    ['mysql://u:s3cret@h/d?sslrootcert=/no/such/file', /cannot be read/],
    [`mysql://u:s3cret@h/d?sslmode=require&sslcert=${process.execPath}`, /sslcert and sslkey belong together/],
    ['mysql://u:s3cret@10.0.0.1/d?sslmode=verify-full', /10\.0\.0\.1 is an address: write the name/],
    ['mysql://u:s3cret%@h/d', /password has a % that starts no percent-encoding/],
    ['mysql://u:s3cret/d', /it is no URL/],
    ['mysql://u:s3#cret@h/d', /it is no URL/],
    ['postgres://u:s3cret@h/d', /does not start with mysql:\/\/ or mariadb:\/\//],
    ['mysql://:s3cret@h/d', /names no user/],
    ['mysql://u:s3cret@h/d/e', /more than a database/],
  ] as const;
  for (const [text, words] of cases) {
    assert.throws(
      () => readConnectionString(text),
      (error) => error instanceof TargetRefusedError && words.test(error.message) && !/s3.?cret/.test(error.message),
      text,
    );
  }
});
