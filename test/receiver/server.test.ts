import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { connect } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { formatHlc, HLC_ZERO, hlcOf, parseHlc } from '../../src/domain/hlc.js';
import type { StreamPlan } from '../../src/domain/table.js';
import { createIntake, type Intake } from '../../src/receiver/intake.js';
import { ReceiverStartError } from '../../src/receiver/receiver-error.js';
import { startReceiver, type Receiver, type ReceiverOptions } from '../../src/receiver/server.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import type { Stage } from '../../src/staging/stage.js';
import { createCertificateAuthority, type Certificate, type CertificateAuthority } from '../support/certificates.js';
import { httpsRequest, type HttpsRequest } from '../support/https-client.js';
import { until } from '../support/until.js';

const SINK = '/db/public?failback_stream=s&failback_incarnation=1';
const BODIES = JSON.parse(readFileSync(new URL('../golden/webhook/bodies.json', import.meta.url), 'utf8')) as Record<
  string,
  string[]
>;
const CURSOR = hlcOf(1n);
const ROW = '{"after":{"id":1,"v":"x"},"key":[1],"topic":"t","updated":"1795320930602742264.0000000000"}';

let authority: CertificateAuthority;
let server: Certificate;
let stageDir: string;
let streams = 0;

before(async () => {
  authority = await createCertificateAuthority();
  server = await authority.issueServer();
  stageDir = mkdtempSync(path.join(tmpdir(), 'failback-server-'));
});
after(() => rmSync(stageDir, { recursive: true, force: true }));

const COMPOSITE: Record<string, string[]> = { cp: ['b', 'a', 'c'], nopk: ['rowid'], 'Mixed Case': ['Id'] };

/** Tables of the topics of a captured body; keys as in the captures. */
function planOf(topics: readonly string[]): StreamPlan {
  return topics.map((topic) => ({
    topic,
    source: { schema: 'public', table: topic },
    sourceId: '1',
    target: { schema: 'public', table: topic },
    keyColumns: (COMPOSITE[topic] ?? ['id']).map((name) => ({ name, keyClass: 'exact' as const })),
  }));
}

interface Running {
  readonly receiver: Receiver;
  readonly stage: Stage;
  readonly intake: Intake;
  readonly request: (options?: Partial<HttpsRequest>) => ReturnType<typeof httpsRequest>;
}

async function running(
  options: Partial<ReceiverOptions>,
  work: (started: Running) => Promise<void>,
  topics: readonly string[] = ['t'],
): Promise<void> {
  const stage = openLmdbStage({ stageDir, stream: `s${streams++}` });
  await stage.bind(1, CURSOR, 'plan');
  const intake = createIntake({ stream: 's', plan: planOf(topics), stage, committed: () => HLC_ZERO });
  const receiver = await startReceiver({ bindAddr: '127.0.0.1:0', tls: server, ...options });
  receiver.register({ stream: 's', path: ['db', 'public'], token: 'attempt-7', receive: intake.receive });
  try {
    await work({
      receiver,
      stage,
      intake,
      request: (more = {}) => httpsRequest({ port: receiver.port, path: SINK, ca: authority.cert, ...more }),
    });
  } finally {
    await receiver.close(1000);
    await stage.close();
  }
}

suite('every captured body over HTTPS', () => {
  for (const [name, bodies] of Object.entries(BODIES))
    test(name, async () => {
      type Item = { topic: string; key: unknown[]; after: object | null; updated: string };
      const items = bodies.flatMap((body) => (JSON.parse(body) as { payload?: Item[] }).payload ?? []);
      const topics = [...new Set(items.map((item) => item.topic))];
      await running(
        {},
        async ({ request, stage, intake }) => {
          const agent = new Agent({ keepAlive: true });
          for (const body of bodies) assert.deepEqual(await request({ body, agent }), { status: 200, text: 'OK' });
          agent.destroy();
          // What is staged is the last state of each (timestamp, table, key), its text untouched.
          const expected = new Set(
            items.map((item) => JSON.stringify([item.updated, item.topic, item.key, item.after])),
          );
          const last = parseHlc('1999999999999999999.0000000000');
          const staged = (await stage.read(HLC_ZERO, last, { rows: 1e6, bytes: 1e9 })).mutations;
          const got = new Set(
            staged.map((row) =>
              JSON.stringify([
                formatHlc(row.at),
                topics[row.table],
                JSON.parse(Buffer.from(row.key).toString()),
                row.after && JSON.parse(Buffer.from(row.after).toString()),
              ]),
            ),
          );
          assert.deepEqual(got, expected);
          for (const row of staged)
            if (row.after)
              assert.ok(
                bodies.some((body) => body.includes(Buffer.from(row.after ?? '').toString())),
                'text changed',
              );
          assert.equal(intake.figures().rows, items.length);
          if (bodies.some((body) => body.includes('"resolved"'))) {
            assert.equal(stage.binding()?.resolved, parseHlc('1795320930614519667.0000000002'));
            assert.equal(intake.figures().firstResolved, parseHlc('1795320930614519667.0000000002'));
          } else assert.equal(intake.figures().firstResolved, null);
        },
        topics,
      );
    });
});

suite('answers', () => {
  const text = `{"payload":[${ROW}],"length":1}`;
  const cases: [name: string, request: Partial<HttpsRequest>, status: number, text: RegExp][] = [
    ['rows', { body: text }, 200, /^OK$/],
    ['folded names', { path: '//DB/%70ublic/?failback_stream=s&failback_incarnation=1&x=y', body: text }, 200, /^OK$/],
    ['gzip', { body: gzipSync(text), headers: { 'Content-Encoding': 'gzip' } }, 200, /^OK$/],
    ['an empty object', { body: '{}' }, 200, /^OK$/],
    ['an empty body', { body: '' }, 400, /found the end of the body/],
    ['not JSON', { body: 'rows' }, 400, /byte 0/],
    ['not UTF-8', { body: Buffer.from([0x7b, 0xff, 0x7d]) }, 400, /UTF-8/],
    ['broken gzip', { body: 'rows', headers: { 'Content-Encoding': 'gzip' } }, 400, /not gzip/],
    ['cut gzip', { body: gzipSync(text).subarray(0, 20), headers: { 'Content-Encoding': 'gzip' } }, 400, /not gzip/],
    ['unknown encoding', { body: text, headers: { 'Content-Encoding': 'br' } }, 400, /content-encoding/],
    [
      'a topic outside of the plan',
      { body: text.replace('"t"', '"other"') },
      400,
      /unknown topic: "other" .* stream s; its row was not taken/,
    ],
    ['key and after differ', { body: text.replace('[1]', '[2]') }, 400, /differ in the key column "id"/],
    [
      'wrong incarnation text',
      { path: '/db/public?failback_stream=s&failback_incarnation=1e3', body: text },
      400,
      /failback_incarnation/,
    ],
    [
      'another schema',
      { path: '/db/other?failback_stream=s&failback_incarnation=1', body: text },
      404,
      /unknown schema: \/db\/other \(this stream is \/db\/public\)/,
    ],
    ['no schema', { path: '/db?failback_stream=s&failback_incarnation=1', body: text }, 404, /unknown schema: \/db /],
    [
      'unknown stream',
      { path: '/db/public?failback_stream=x&failback_incarnation=1', body: text },
      404,
      /unknown stream: x/,
    ],
    ['no stream', { path: '/db/public', body: text }, 404, /failback_stream/],
    ['an older incarnation', { path: SINK.replace('=1', '=0'), body: text }, 409, /now takes incarnation 1/],
    [
      'a newer incarnation',
      { path: SINK.replace('=1', '=2'), body: '{"resolved":"1999999999999999999.0"}' },
      409,
      /incarnation 2 is refused/,
    ],
    ['PUT', { method: 'PUT', body: text }, 405, /only POST/],
    ['a probe', { method: 'GET' }, 200, /^listening attempt-7$/],
    [
      'a probe of another stream',
      { method: 'GET', path: '/db/public?failback_stream=x&failback_incarnation=1' },
      404,
      /unknown stream/,
    ],
  ];
  for (const [name, request, status, expected] of cases)
    test(name, () =>
      running({}, async ({ request: send, stage }) => {
        const answer = await send(request);
        assert.equal(answer.status, status, answer.text);
        assert.match(answer.text, expected);
        assert.ok(answer.text.length < 200);
        const taken = status === 200 && request.body !== '{}' && request.method !== 'GET';
        assert.equal(stage.figures().entries, taken ? 1 : 0);
        assert.equal(stage.binding()?.resolved, CURSOR, 'a refused resolved timestamp advanced the stage');
      }),
    );

  test('too large, as sent and as unpacked', () =>
    running({ maxBodyBytes: 1000 }, async ({ request }) => {
      const large = `{"payload":[${ROW}],"x":"${'y'.repeat(5000)}"}`;
      assert.equal((await request({ body: large })).status, 413);
      assert.equal((await request({ body: gzipSync(large), headers: { 'Content-Encoding': 'gzip' } })).status, 413);
      assert.equal((await request({ body: `{"payload":[${ROW}]}` })).status, 200);
    }));

  test('a row value is in no answer', () =>
    running({}, async ({ request }) => {
      const bodies = [
        '{"payload":[{"after":{"id":"CANARY"},"key":["CANARY2"],"topic":"t","updated":"1.0"}]}',
        '{"payload":[{"after":{"id":CANARY',
        ROW.replace('1', 'CANARY'),
      ];
      for (const body of bodies) {
        const answer = await request({ body });
        assert.equal(answer.status, 400);
        assert.ok(!answer.text.includes('CANARY'), answer.text);
      }
    }));

  test('a request that ends early changes nothing', () =>
    running({}, async ({ receiver, request, stage }) => {
      const socket = connect({ port: receiver.port, host: '127.0.0.1', ca: authority.cert, servername: 'localhost' });
      const body = `{"payload":[${ROW}],"length":1}`;
      await new Promise<void>((resolve) => {
        socket.write(`POST ${SINK} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length + 1}\r\n\r\n${body}`, () =>
          resolve(),
        );
      });
      socket.destroy();
      assert.equal((await request({ method: 'GET' })).status, 200);
      assert.equal(stage.figures().entries, 0);
    }));
});

suite('who is let in', () => {
  test('client certificates: none 403, of another CA 403, the right one 200', async () => {
    const other = await createCertificateAuthority('another CA');
    const right = await authority.issueClient('cockroach');
    const wrong = await other.issueClient('cockroach');
    const ended = await authority.issueClient('cockroach', { notBefore: new Date(0), notAfter: new Date(1000) });
    await running({ tls: { ...server, clientCa: authority.cert } }, async ({ request, stage }) => {
      const body = `{"payload":[${ROW}]}`;
      const missing = await request({ body });
      assert.deepEqual(missing, { status: 403, text: 'client certificate missing' });
      for (const certificate of [wrong, ended])
        assert.deepEqual(await request({ body, ...certificate }), {
          status: 403,
          text: 'client certificate is not of the expected CA',
        });
      assert.equal((await request({ method: 'GET' })).status, 403);
      assert.equal(stage.figures().entries, 0);
      assert.equal((await request({ body, ...right })).status, 200);
    });
  });

  test('a token: none 401, wrong 401, right 200', () =>
    running({ bearerToken: 'CANARY-token' }, async ({ request }) => {
      const withToken = (authorization: string) => request({ body: '{}', headers: { Authorization: authorization } });
      assert.equal((await request({ body: '{}' })).status, 401);
      for (const wrong of ['Bearer other', 'CANARY-token', 'Bearer CANARY-token2', 'bearer CANARY-token']) {
        const answer = await withToken(wrong);
        assert.equal(answer.status, 401);
        assert.ok(!answer.text.includes('CANARY'));
      }
      assert.equal((await withToken('Bearer CANARY-token')).status, 200);
    }));

  test('TLS 1.1 is refused, 1.2 and 1.3 are taken', () =>
    running({}, async ({ request }) => {
      await assert.rejects(request({ maxVersion: 'TLSv1.1', body: '{}' }), /protocol version|alert/i);
      assert.equal((await request({ maxVersion: 'TLSv1.2', body: '{}' })).status, 200);
      assert.equal((await request({ maxVersion: 'TLSv1.3', body: '{}' })).status, 200);
    }));
});

suite('start', () => {
  const start = (options: Partial<ReceiverOptions>) =>
    startReceiver({ bindAddr: '127.0.0.1:0', tls: server, ...options });
  const refused = (message: RegExp) => (error: unknown) =>
    error instanceof ReceiverStartError && message.test(error.message) && !error.message.includes('\n');

  test('a busy port is one clear line', () =>
    running({}, ({ receiver }) =>
      assert.rejects(
        start({ bindAddr: `127.0.0.1:${receiver.port}` }),
        refused(/cannot listen on 127.0.0.1:\d+: the port is in use/),
      ),
    ));

  test('so are bad certificates and addresses', async () => {
    const other = await authority.issueServer();
    const ended = await authority.issueServer({ notBefore: new Date(0), notAfter: new Date(1000) });
    await assert.rejects(start({ tls: { ...server, cert: 'x' } }), refused(/the server certificate .*cannot be used/));
    await assert.rejects(start({ tls: { ...server, key: other.key } }), refused(/with its key .*cannot be used/));
    await assert.rejects(
      start({ tls: { ...server, clientCa: 'x' } }),
      refused(/the CA of the clients .*cannot be used/),
    );
    await assert.rejects(start({ tls: ended }), refused(/the server certificate .*ended at 1970-01-01T00:00:01.000Z/));
    await assert.rejects(start({ bindAddr: 'nowhere' }), refused(/bindAddr "nowhere" is not host:port/));
  });

  test('tells the facts of its certificate', () =>
    running({}, async ({ receiver }) => {
      assert.deepEqual(receiver.certificate.subjectAltNames, ['DNS:localhost', 'IP Address:127.0.0.1']);
      assert.ok(receiver.certificate.notAfter.getTime() > Date.now());
      assert.equal(receiver.certificate.selfSigned, false);
      await Promise.resolve();
    }));
});

suite('registering and closing', () => {
  test('a later registration of a stream replaces the first, whose end leaves it alone', () =>
    running({}, async ({ receiver, request, intake }) => {
      const probe = async () => (await request({ method: 'GET' })).text;
      const first = receiver.register({ stream: 's', path: ['db', 'public'], token: 'first', receive: intake.receive });
      const second = receiver.register({
        stream: 's',
        path: ['db', 'public'],
        token: 'second',
        receive: intake.receive,
      });
      first();
      assert.equal(await probe(), 'listening second');
      second();
      assert.match(await probe(), /unknown stream/);
    }));

  test('closing answers what is under way, refuses new bodies and ends idle connections', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let begun = false;
    const receiver = await startReceiver({ bindAddr: '127.0.0.1:0', tls: server });
    receiver.register({
      stream: 's',
      path: ['db', 'public'],
      token: 't',
      receive: async () => {
        begun = true;
        await held;
      },
    });
    const agent = new Agent({ keepAlive: true });
    const idle = new Agent({ keepAlive: true });
    const send = (body: string, by: Agent, method = 'POST') =>
      httpsRequest({ port: receiver.port, path: SINK, ca: authority.cert, agent: by, body, method });
    assert.equal((await send('', idle, 'GET')).status, 200);
    const underWay = send('{}', agent);
    await until('the body is under way', () => begun);
    const closed = receiver.close(10_000);
    await assert.rejects(send('{}', new Agent()), /ECONNREFUSED/);
    release();
    assert.equal((await underWay).status, 200);
    await closed;
    agent.destroy();
    idle.destroy();
  });

  test('closing ends after its grace time', async () => {
    const receiver = await startReceiver({ bindAddr: '127.0.0.1:0', tls: server });
    let begun = false;
    receiver.register({
      stream: 's',
      path: ['db', 'public'],
      token: 't',
      receive: () => {
        begun = true;
        return new Promise(() => undefined);
      },
    });
    const unanswered = assert.rejects(
      httpsRequest({ port: receiver.port, path: SINK, ca: authority.cert, body: '{}' }),
    );
    await until('the body is under way', () => begun);
    await receiver.close(50);
    await unanswered;
  });
});
