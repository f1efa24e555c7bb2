import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { sinkError } from '../../demo/simulator/feeds/sink-check.js';
import { parseSinkUrl } from '../../demo/simulator/feeds/sink-url.js';
import { createCertificateAuthority } from '../support/certificates.js';

const URL_ = 'webhook-https://h:1/db/s';
const WORD = Buffer.from('foo').toString('base64');

describe('what CREATE CHANGEFEED refuses about a sink', () => {
  // The texts of the options are captured; those of URLs are CockroachDB's source and its own tests.
  const refused: readonly (readonly [sink: string, options: Record<string, string | null>, message: string])[] = [
    ['', {}, 'no scheme found for sink URL ""'],
    ['bogus://x', {}, 'unsupported sink: bogus'],
    ['webhook-http://h:1/', {}, 'this sink requires https'],
    [URL_, { envelope: 'row' }, 'this sink is incompatible with envelope=row'],
    [URL_, { format: 'avro' }, 'this sink is incompatible with format=avro'],
    [
      URL_,
      { format: 'avro', confluent_schema_registry: 'x' },
      'this sink is incompatible with option confluent_schema_registry',
    ],
    [
      URL_,
      { webhook_client_timeout: 'abc' },
      'problem parsing option webhook_client_timeout: time: invalid duration "abc"',
    ],
    [
      URL_,
      { webhook_client_timeout: '0.5' },
      'problem parsing option webhook_client_timeout: time: missing unit in duration "0.5"',
    ],
    [URL_, { webhook_client_timeout: '0s' }, 'option webhook_client_timeout must be a positive duration'],
    [URL_, { webhook_client_timeout: '-5s' }, "negative durations are not accepted: webhook_client_timeout='-5s'"],
    [
      URL_,
      { webhook_sink_config: '{"Flush":{"Bytes":10}}' },
      'error processing option webhook_sink_config: invalid option value webhook_sink_config, flush frequency is not set, messages may never be sent',
    ],
    [
      `${URL_}?insecure_tls_skip_verify=foo`,
      {},
      'param insecure_tls_skip_verify must be a bool: strconv.ParseBool: parsing "foo": invalid syntax',
    ],
    [`${URL_}?ca_cert=ab+d`, {}, 'param ca_cert must be base 64 encoded: illegal base64 data at input byte 2'],
    [`${URL_}?ca_cert=Zm9`, {}, 'param ca_cert must be base 64 encoded: illegal base64 data at input byte 3'],
    [`${URL_}?ca_cert=${WORD}`, {}, 'failed to parse certificate data:foo'],
    [`${URL_}?client_cert=${WORD}`, {}, 'client_cert requires client_key to be set'],
    [`${URL_}?client_key=${WORD}`, {}, 'client_key requires client_cert to be set'],
    [
      `${URL_}?client_cert=${WORD}&client_key=${WORD}`,
      {},
      'invalid client certificate data provided: tls: failed to find any PEM data in certificate input',
    ],
    // The URL is read before the options of its batches.
    [
      `${URL_}?client_key=${WORD}`,
      { webhook_sink_config: '{bad', webhook_client_timeout: '1s' },
      'client_key requires client_cert to be set',
    ],
  ];
  for (const [sink, options, message] of refused) {
    it(`${sink} ${JSON.stringify(options)}`, () => assert.equal(sinkError(sink, options), message));
  }

  it('takes the rest', () => {
    assert.equal(sinkError(URL_, { webhook_sink_config: '{"Unknown":1}', webhook_client_timeout: '10s' }), null);
    assert.equal(sinkError('null://', { webhook_sink_config: '{bad' }), null);
    assert.equal(sinkError(`${URL_}?ca_cert=&insecure_tls_skip_verify=`, {}), null);
  });
});

describe('certificates in a sink URL', () => {
  let pem: { ca: string; cert: string; key: string; otherKey: string };
  before(async () => {
    const authority = await createCertificateAuthority('an authority');
    const [one, other] = [await authority.issueClient('one'), await authority.issueClient('other')];
    pem = { ca: authority.cert, cert: one.cert, key: one.key, otherKey: other.key };
  });
  const url = (parameters: Record<string, string>) =>
    `${URL_}?${Object.entries(parameters)
      .map(([name, value]) => `${name}=${encodeURIComponent(Buffer.from(value).toString('base64'))}`)
      .join('&')}`;

  it('are read', () => {
    const read = parseSinkUrl(url({ ca_cert: pem.ca, client_cert: pem.cert, client_key: pem.key }));
    assert.equal(read.caCert?.toString(), pem.ca);
    assert.equal(read.clientCert?.toString(), pem.cert);
    assert.equal(read.clientKey?.toString(), pem.key);
    assert.equal(read.requestUrl, 'https://h:1/db/s');
  });

  it('may have other things around them', () => {
    assert.equal(sinkError(url({ ca_cert: `# our authority\n${pem.ca}\n${pem.cert}` }), {}), null);
  });

  it('must belong to their key', () => {
    assert.equal(
      sinkError(url({ client_cert: pem.cert, client_key: pem.otherKey }), {}),
      'invalid client certificate data provided: tls: private key does not match public key',
    );
    assert.equal(
      sinkError(url({ client_cert: pem.cert, client_key: 'no key' }), {}),
      'invalid client certificate data provided: tls: failed to find any PEM data in key input',
    );
  });
});

describe('the URL that is requested', () => {
  for (const [given, requested] of [
    ['insecure_tls_skip_verify=true&stream=x%2Fy&n=1', '?n=1&stream=x%2Fy'],
    ['b=2&a=2&b=1&a=1', '?a=2&a=1&b=2&b=1'],
    ['a=x+y%20z&B=(ok)!~*', '?B=%28ok%29%21~%2A&a=x+y+z'],
    ['a=%zz&b=1&c;d=1', '?b=1'],
    ['flag', '?flag='],
    ['', '?'],
    ['ca_cert=', ''],
  ] as const) {
    it(`${URL_}?${given} has the parameters that are not the sink's, as Go writes them`, () => {
      assert.equal(parseSinkUrl(`${URL_}?${given}`).requestUrl, `https://h:1/db/s${requested}`);
    });
  }

  it('has none without any', () => assert.equal(parseSinkUrl(URL_).requestUrl, 'https://h:1/db/s'));
});
