import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createHttpClient, type HttpClient } from '../../demo/simulator/feeds/http-client.js';
import { createSink, type Sink } from '../../demo/simulator/feeds/sink.js';
import {
  DEFAULT_SINK_CONFIG,
  parseClientTimeout,
  parseSinkConfig,
  type SinkConfig,
} from '../../demo/simulator/feeds/sink-options.js';
import { parseSinkUrl } from '../../demo/simulator/feeds/sink-url.js';
import { until } from '../support/until.js';
import { startSinkServer, type SinkServer } from './sink-server.js';

interface CapturedRequest {
  readonly request_line: string;
  readonly headers: [string, string][];
  readonly body: string;
}

const captured = JSON.parse(
  readFileSync(new URL('../golden/cockroach/requests.json', import.meta.url), 'utf8'),
) as Record<string, CapturedRequest[]>;

let server: SinkServer;
const open: { close(): void }[] = [];

before(async () => {
  server = await startSinkServer();
});
after(async () => {
  for (const one of open) one.close();
  await server.stop();
});
beforeEach(() => {
  server.requests.length = 0;
  server.answer = (_, response) => void response.end();
});

function client(
  url: string,
  {
    timeoutMs = 3000,
    authorization,
    gzip = false,
  }: { timeoutMs?: number; authorization?: string; gzip?: boolean } = {},
): HttpClient {
  const made = createHttpClient({
    url: parseSinkUrl(url),
    timeoutMs,
    gzip,
    ...(authorization ? { authorization } : {}),
  });
  open.push(made);
  return made;
}

function sink(config: Partial<SinkConfig>, { workers = 1, url = server.url(), backoffScale = 0.02 } = {}): Sink {
  const made = createSink({
    client: client(url),
    config: { ...DEFAULT_SINK_CONFIG, ...config },
    workers,
    backoffScale,
    signal: new AbortController().signal,
  });
  open.push(made);
  return made;
}

const never = new AbortController().signal;
const BODY = '{"payload":[{"after":{"id":1},"key":[1],"topic":"t","updated":"1.0000000000"}],"length":1}';

/** The rows of a captured batch, as texts. */
function payloadOf(request: CapturedRequest | undefined): string[] {
  assert.ok(request, 'request');
  const inner = request.body.slice('{"payload":['.length, request.body.lastIndexOf('],"length"'));
  return inner.split(/(?<="}),(?=\{"after")/);
}

describe('a request of the webhook sink', () => {
  it('has the captured line, headers in their order, and body', async () => {
    const expected = captured['auth_and_query']?.[0];
    assert.ok(expected, 'expected');
    const url = `webhook-https://127.0.0.1:${server.port}/ok/auth_and_query/db/schema?foo=bar&${server.caCert}&token=a%2Fb`;
    await client(url, { authorization: 'Basic dXNlcjpwYXNz' }).post(expected.body, never);
    const seen = server.requests[0];
    assert.equal(seen?.line, expected.request_line);
    const withoutPort = (headers: readonly (readonly [string, string])[]): unknown =>
      headers.map(([name, value]) => (name === 'Host' ? [name] : [name, value]));
    assert.deepEqual(withoutPort(seen.headers), withoutPort(expected.headers));
    assert.equal(seen.body, expected.body);
  });

  it('keeps its connection for the next one', async () => {
    const one = client(server.url());
    await one.post(BODY, never);
    await one.post(BODY, never);
    assert.deepEqual(
      server.requests.map((request) => request.connection - (server.requests[0]?.connection ?? 0)),
      [0, 0],
    );
  });

  it('is compressed when asked', async () => {
    await client(server.url(), { gzip: true }).post(BODY, never);
    assert.equal(server.requests[0]?.body, BODY);
    assert.ok(
      server.requests[0].headers.some(([name, value]) => name === 'Content-Encoding' && value === 'gzip'),
      'server.requests[0].headers.some(([name, value]) => name === "Content-Encoding" && value ==',
    );
  });

  it('loses the rows at a 302: asked again with GET, success', async () => {
    server.answer = (request, response) => {
      if (request.line.startsWith('POST')) response.writeHead(302, { Location: '/ok/redirected' });
      response.end();
    };
    await client(server.url()).post(BODY, never);
    assert.deepEqual(
      server.requests.map(({ line, body }) => [line, body]),
      [
        ['POST /db/schema HTTP/1.1', BODY],
        ['GET /ok/redirected HTTP/1.1', ''],
      ],
    );
    assert.deepEqual(
      server.requests[1]?.headers.filter(([name]) => name !== 'Host'),
      [
        ['User-Agent', 'Go-http-client/1.1'],
        ['Content-Type', 'application/json'],
        ['Referer', `https://127.0.0.1:${server.port}/db/schema`],
        ['Accept-Encoding', 'gzip'],
      ],
    );
  });

  it('takes the rows along at a 307', async () => {
    server.answer = (request, response) => {
      if (request.line.includes('/db/')) response.writeHead(307, { Location: '/ok/redirected307' });
      response.end();
    };
    await client(server.url()).post(BODY, never);
    assert.deepEqual(
      server.requests.map(({ line, body }) => [line, body]),
      [
        ['POST /db/schema HTTP/1.1', BODY],
        ['POST /ok/redirected307 HTTP/1.1', BODY],
      ],
    );
  });

  it('follows ten requests and no more', async () => {
    server.answer = (_, response) => void response.writeHead(302, { Location: '/round' }).end();
    await assert.rejects(client(server.url()).post(BODY, never), {
      message: `Get "https://127.0.0.1:${server.port}/round": stopped after 10 redirects`,
    });
    assert.equal(server.requests.length, 10);
  });

  it('a redirect without a place to go to is an error like any other', async () => {
    server.answer = (_, response) => void response.writeHead(302, 'Found').end('where?');
    await assert.rejects(client(server.url()).post(BODY, never), { message: '302 Found: where?' });
  });

  it('loses the rows out of TLS too', async () => {
    const seen: string[] = [];
    const plain = createHttpServer((request, response) => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
      response.end();
    }).listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const { port } = plain.address() as AddressInfo;
    server.answer = (_, response) => void response.writeHead(301, { Location: `http://127.0.0.1:${port}/plain` }).end();
    await client(server.url()).post(BODY, never);
    assert.deepEqual(seen, ['GET /plain']);
    plain.close();
    plain.closeAllConnections();
  });

  it('is done at the status line, though the body hangs', async () => {
    server.answer = (_, response) => {
      response.writeHead(200, { 'Content-Length': '10' });
      response.flushHeaders();
    };
    await client(server.url(), { timeoutMs: 200 }).post(BODY, never);
    assert.equal(server.requests.length, 1);
  });
});

describe('the error of a request', () => {
  const url = (): string => `https://127.0.0.1:${server.port}/db/schema`;
  const fails = async (text: string, sinkUrl = server.url(), timeoutMs = 3000): Promise<void> => {
    await assert.rejects(client(sinkUrl, { timeoutMs }).post(BODY, never), (error: Error) => {
      assert.equal(error.message, text);
      return true;
    });
  };

  it('is the status line and the body', async () => {
    server.answer = (_, response) => void response.writeHead(400, 'X').end('{"error":"bad thing"}');
    await fails('400 X: {"error":"bad thing"}');
  });

  it('is EOF when the connection is closed without an answer', async () => {
    server.answer = (_, __, raw) => void raw.socket.end();
    await fails(`Post "${url()}": EOF`);
  });

  it('names the timeout when no answer comes', async () => {
    server.answer = () => undefined;
    await fails(
      `Post "${url()}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
      server.url(),
      150,
    );
  });

  it('names the broken header of a half answer', async () => {
    server.answer = (_, __, raw) => void raw.socket.end('HTTP/1.1 200 OK\r\nContent-Le');
    await fails(
      `Post "${url()}": net/http: HTTP/1.x transport connection broken: malformed MIME header: missing colon: "Content-Le"`,
    );
  });

  it('names a certificate that nobody vouches for', async () => {
    // The "?" of an empty query stays, as captured.
    await fails(`Post "${url()}?": x509: certificate signed by unknown authority`, server.url('/db/schema', ''));
  });

  it('names a certificate that the other side asks for', async () => {
    const strict = await startSinkServer({ mutual: true });
    try {
      await assert.rejects(
        client(strict.url()).post(BODY, never),
        /: (remote error: tls: certificate required|EOF|.*connection reset by peer)$/,
      );
      await client(strict.url('/db/schema', `${strict.caCert}&${strict.clientCertificate}`)).post(BODY, never);
      assert.equal(strict.requests.length, 1);
    } finally {
      await strict.stop();
    }
  });

  it('names a refused connection', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await fails(
      `Post "https://127.0.0.1:${port}/db/schema": dial tcp 127.0.0.1:${port}: connect: connection refused`,
      `webhook-https://127.0.0.1:${port}/db/schema`,
    );
  });
});

describe('batches', () => {
  const rowsOf = (name: string): { orderKey: string; value: string }[] =>
    (captured[name] ?? [])
      .filter((request) => request.body.startsWith('{"payload"'))
      .flatMap(payloadOf)
      .map((value) => ({ orderKey: JSON.stringify((JSON.parse(value) as { key: unknown }).key), value }));

  it('of one row are sent without a flush setting', async () => {
    const one = sink({});
    for (const row of rowsOf('nobatch_basic')) await one.emit(row);
    await one.flush();
    assert.deepEqual(
      server.requests.map((request) => request.body),
      captured['nobatch_basic']?.slice(0, -1).map((request) => request.body),
    );
  });

  it('go out when Messages is reached, and the rest at a flush, as captured', async () => {
    const one = sink({ flushMessages: 3, flushFrequencyMs: 60_000 });
    for (const row of rowsOf('batch_messages3')) await one.emit(row);
    await one.flush();
    await one.post('{"resolved":"1795320930614519667.0000000002"}');
    assert.deepEqual(
      server.requests.map((request) => request.body),
      captured['batch_messages3']?.map((request) => request.body),
    );
  });

  it('go out when Bytes is reached', async () => {
    const one = sink({ flushBytes: 150, flushFrequencyMs: 60_000 });
    for (const row of rowsOf('batch_messages3').slice(0, 4)) await one.emit(row);
    await until('two requests', () => server.requests.length === 2);
    assert.deepEqual(
      server.bodies().map((body) => body.length),
      [2, 2],
    );
  });

  it('go out when Frequency has passed', async () => {
    const one = sink({ flushFrequencyMs: 50 });
    const started = performance.now();
    for (const row of rowsOf('batch_messages3').slice(0, 2)) await one.emit(row);
    await until('a request', () => server.requests.length === 1);
    assert.ok(performance.now() - started >= 45, 'performance.now() - started >= 45');
    assert.equal(server.bodies()[0]?.length, 2);
  });

  it('are split by key over the workers, each key always on one and in order', async () => {
    server.answer = async (_, response) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
      response.end();
    };
    const four = sink({ flushMessages: 50, flushFrequencyMs: 60_000 }, { workers: 4 });
    for (let n = 0; n < 2000; n++) {
      const key = n % 37;
      await four.emit({
        orderKey: String(key),
        value: JSON.stringify({ after: { n }, key: [key], topic: 't', updated: '1.0' }),
      });
    }
    await four.flush();
    assert.equal(server.rows().length, 2000);
    assert.ok(new Set(server.requests.map((request) => request.connection)).size > 1, 'concurrent connections');
    const last = new Map<number, number>();
    for (const row of server.rows()) {
      const [key, n] = [Number(row.key[0]), Number(row.after?.['n'])];
      assert.ok(n > (last.get(key) ?? -1), `key ${key}: ${n} after ${last.get(key)}`);
      last.set(key, n);
    }
  });

  it('are tried four times at the captured pace, then the error is final', async () => {
    server.answer = (_, response) => void response.writeHead(500, 'X').end('oops');
    const one = sink({}, { backoffScale: 0.1 });
    await one.emit({ orderKey: '1', value: '{}' });
    await assert.rejects(one.flush(), /^Error: 500 X: oops$/);
    const [first = 0, ...others] = server.requests.map((request) => request.at);
    assert.equal(others.length, 3);
    for (const [index, at] of [50, 150, 350].entries()) {
      const measured = (others[index] ?? 0) - first;
      assert.ok(measured >= at - 5 && measured < at + 60, `attempt ${index + 2} after ${measured} ms instead of ${at}`);
    }
    await assert.rejects(one.emit({ orderKey: '2', value: '{}' }), /500 X/);
  });

  it('arrive when an attempt succeeds', async () => {
    let attempts = 0;
    server.answer = (_, response) => void response.writeHead(++attempts < 3 ? 500 : 200).end();
    const one = sink({});
    await one.emit({ orderKey: '1', value: '{}' });
    await one.flush();
    assert.equal(attempts, 3);
  });
});

describe('webhook_sink_config', () => {
  const prefix = 'error processing option webhook_sink_config: ';
  const invalid = `${prefix}invalid option value webhook_sink_config, `;
  const json = `${prefix}error unmarshalling json: `;
  const refused: readonly [string, string][] = [
    ['{"Flush":{"Bytes":10}}', `${invalid}flush frequency is not set, messages may never be sent`],
    ['{"Flush":{"Bytes":-1,"Frequency":"1s"}}', `${invalid}all config values must be non-negative`],
    ['{"Retry":{"Max":0}}', `${json}max retry count must be a positive integer. use 'inf' for infinite retries.`],
    ['{"Retry":{"Max":"x"}}', `${json}max retries must be either a positive int or 'inf' for infinite retries.`],
    ['{bad', `${json}invalid character 'b' looking for beginning of object key string`],
    ['{"Flush":{"Frequency":"abc"}}', `${json}time: invalid duration "abc"`],
    ['', `${json}unexpected end of JSON input`],
    ['{"Flush":{"Bytes":10}', `${json}unexpected end of JSON input`],
    ['not json', `${json}invalid character 'o' in literal null (expecting 'u')`],
    ['{"Flush" {}}', `${json}invalid character '{' after object key`],
    ['{"Flush":{}} x', `${json}invalid character 'x' after top-level value`],
    ['{"Flush":{"Bytes":1 "Messages":2}}', `${json}invalid character '"' after object key:value pair`],
    ['{"a":[1 2]}', `${json}invalid character '2' after array element`],
    ["{'Flush':1}", `${json}invalid character '\\'' looking for beginning of object key string`],
    ['{"Flush":{"Bytes":,}}', `${json}invalid character ',' looking for beginning of value`],
  ];
  for (const [text, message] of refused) {
    it(`refuses ${text}`, () => assert.throws(() => parseSinkConfig(text), { message }));
  }

  it('takes what CockroachDB takes', () => {
    assert.deepEqual(parseSinkConfig('{"Flush":{"Bytes":1048576,"Frequency":"1s"},"Unknown":1}'), {
      ...DEFAULT_SINK_CONFIG,
      flushBytes: 1048576,
      flushFrequencyMs: 1000,
    });
    assert.equal(parseSinkConfig('{"flush":{"FREQUENCY":"1m30s"}}').flushFrequencyMs, 90_000);
    assert.deepEqual(
      parseSinkConfig(' {"a": [1, -2.5e3, "\\u00e9\\"", true, null, {}, []], "Retry": {} } '),
      DEFAULT_SINK_CONFIG,
    );
    assert.throws(() => parseSinkConfig('{"Flush":{"Messages":1.5}}'), /cannot unmarshal number 1\.5/);
    assert.equal(parseSinkConfig('{"Retry":{"Max":"inf","Backoff":"5ms"}}').retryMax, Infinity);
  });

  it('has the errors of webhook_client_timeout beside it', () => {
    assert.throws(() => parseClientTimeout('abc'), {
      message: 'problem parsing option webhook_client_timeout: time: invalid duration "abc"',
    });
    assert.throws(() => parseClientTimeout('0s'), {
      message: 'option webhook_client_timeout must be a positive duration',
    });
    assert.equal(parseClientTimeout('10s'), 10_000);
  });
});
