import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildSinkUrl, parseSinkUrl, redactSecrets } from '../../src/cockroach/sink-url.js';

const PEM = '-----BEGIN CERTIFICATE-----\nAb+/==\n-----END CERTIFICATE-----\n';
const SINK = {
  host: 'failback.example.com',
  port: 30004,
  path: ['shop', 'Mixed Case/é'],
  stream: 'orders/1 & co',
  incarnation: 7,
  tls: { caCert: PEM, clientCert: PEM, clientKey: PEM },
};

test('a sink URL carries certificates in base64, the stream and its incarnation', () => {
  const url = new URL(buildSinkUrl(SINK).replace(/^webhook-https/, 'https'));
  assert.equal(url.host, 'failback.example.com:30004');
  assert.equal(url.pathname, '/shop/Mixed%20Case%2F%C3%A9');
  for (const name of ['ca_cert', 'client_cert', 'client_key'])
    assert.equal(Buffer.from(url.searchParams.get(name) ?? '', 'base64').toString(), PEM);
  assert.equal(url.searchParams.get('failback_stream'), 'orders/1 & co');
  assert.equal(url.searchParams.get('failback_incarnation'), '7');
});

test('base64 is percent-encoded: a plus or an equals sign of its own would be read as something else', () => {
  const query = buildSinkUrl(SINK).split('?')[1] ?? '';
  for (const part of query.split('&')) assert.match(part, /^\w+=[\w%.-]+$/);
});

test('stream, incarnation, host, port and path are read back, also from a redacted URI', () => {
  const url = buildSinkUrl(SINK);
  const expected = {
    host: 'failback.example.com',
    port: 30004,
    path: ['shop', 'Mixed Case/é'],
    stream: 'orders/1 & co',
    incarnation: 7,
  };
  assert.deepEqual(parseSinkUrl(url), expected);
  assert.deepEqual(parseSinkUrl(redactSecrets(url)), expected);
  assert.deepEqual(parseSinkUrl(url.replace(/client_key=[^&]*/, 'client_key=redacted')), expected);
});

test('an IPv6 host is bracketed in the URL only', () => {
  const url = buildSinkUrl({ ...SINK, host: '::1' });
  assert.match(url, /^webhook-https:\/\/\[::1\]:30004\//);
  assert.equal(parseSinkUrl(url)?.host, '::1');
});

const FOREIGN: readonly (readonly [string, unknown])[] = [
  ['', null],
  ['kafka://broker:9092', null],
  ['null://', null],
  ['webhook-https://', null],
  [
    'webhook-https://molt:30004/shop/public?client_key=redacted',
    { host: 'molt', port: 30004, path: ['shop', 'public'], stream: null, incarnation: null },
  ],
  [
    'webhook-https://h/p?failback_stream=s&failback_incarnation=1e3',
    { host: 'h', port: 443, path: ['p'], stream: 's', incarnation: null },
  ],
];
for (const [uri, expected] of FOREIGN)
  test(`the sink "${uri}" of somebody else`, () => assert.deepEqual(parseSinkUrl(uri), expected));

const REDACTED: readonly (readonly [string, string])[] = [
  ['postgres://root:pw@h:26257/d?sslmode=disable', 'postgres://redacted@h:26257/d?sslmode=redacted'],
  [
    `Post "https://h:1/a?ca_cert=x&failback_stream=s&failback_incarnation=2": EOF`,
    `Post "https://h:1/a?ca_cert=redacted&failback_stream=s&failback_incarnation=2": EOF`,
  ],
  ["WITH webhook_auth_header = 'Bearer it''s', updated", "WITH webhook_auth_header = 'redacted', updated"],
  ['nothing secret here', 'nothing secret here'],
];
for (const [text, expected] of REDACTED)
  test(`redacted: ${expected.slice(0, 50)}`, () => assert.equal(redactSecrets(text), expected));

test('no secret of a sink URL survives redaction', () => {
  const secret = Buffer.from(PEM).toString('base64');
  assert.ok(!decodeURIComponent(redactSecrets(`the job of ${buildSinkUrl(SINK)} failed`)).includes(secret));
});
