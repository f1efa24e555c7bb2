import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidConfigError, readWorkerConfig } from '../../src/worker/config.js';

const SECRET = 'canary-secret-value';
const ENOUGH: Readonly<Record<string, string>> = {
  FAILBACK_STAGE_DIR: '/stage',
  FAILBACK_RECEIVER_URL: 'https://worker:30004',
  FAILBACK_TLS_CERTIFICATE: '/server.crt',
  FAILBACK_TLS_PRIVATE_KEY: '/server.key',
  FAILBACK_RECEIVER_TOKEN: SECRET,
  FAILBACK_CONNECTION_SHOP: `postgresql://u:${SECRET}@h/d`,
};

function problemsOf(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  try {
    readWorkerConfig(env);
  } catch (error) {
    assert.ok(error instanceof InvalidConfigError);
    assert.doesNotMatch(error.message, /\n/, 'one line');
    assert.doesNotMatch(error.message, new RegExp(SECRET), 'no secret');
    return error.problems;
  }
  return [];
}

test('the least environment is enough, and every default is filled in', () => {
  const config = readWorkerConfig(ENOUGH);
  assert.equal(config.temporal.address, '127.0.0.1:7233');
  assert.equal(config.temporal.namespace, 'default');
  assert.equal(config.temporal.taskQueue, 'failback');
  assert.equal(config.temporal.tls, null);
  assert.equal(config.receiver.bindAddr, ':30004');
  assert.equal(config.receiver.token, SECRET);
  assert.equal(config.shutdownMs, 20_000);
  assert.equal(config.stageBudget, 10 * 2 ** 30);
  assert.equal(config.metricsAddr, null);
  assert.ok(config.host.length > 0);
});

test('connections and stop commands are found by name', () => {
  const config = readWorkerConfig({
    ...ENOUGH,
    FAILBACK_CONNECTION_ORDERS_PG: 'postgresql://a',
    FAILBACK_CONNECTION_EMPTY: '',
    FAILBACK_STOP_FORWARD: 'kill 1',
  });
  assert.deepEqual([...config.connections.keys()].sort(), ['orders-pg', 'shop']);
  assert.equal(config.connections.get('orders-pg'), 'postgresql://a');
  assert.deepEqual([...config.stopCommands], [['forward', 'kill 1']]);
});

test('TLS files of Temporal go together with the API key', () => {
  const config = readWorkerConfig({
    ...ENOUGH,
    TEMPORAL_TLS_CERT: '/c',
    TEMPORAL_TLS_KEY: '/k',
    TEMPORAL_API_KEY: 'x',
  });
  assert.deepEqual(config.temporal.tls, { caFile: null, certFile: '/c', keyFile: '/k' });
  assert.equal(config.temporal.apiKey, 'x');
});

const WRONG: readonly (readonly [variable: string, value: string | undefined, words: RegExp])[] = [
  ['FAILBACK_STAGE_DIR', undefined, /is not set/],
  ['FAILBACK_STAGE_DIR', '', /is empty/],
  ['FAILBACK_STAGE_BUDGET', '10GB', /must be at least 1MiB: bytes, or a size such as "512MiB" or "10GiB"/],
  ['FAILBACK_STAGE_BUDGET', '1000', /must be at least 1MiB/],
  ['FAILBACK_RECEIVER_URL', undefined, /is not set: the URL by which CockroachDB reaches this worker/],
  ['FAILBACK_RECEIVER_URL', 'http://worker:1', /must be https:\/\/host:port/],
  ['FAILBACK_RECEIVER_URL', 'https://worker:1/path', /without path/],
  ['FAILBACK_RECEIVER_URL', `https://u:${SECRET}@worker:1`, /without path, query or user/],
  ['FAILBACK_RECEIVER_URL', `https://worker:1?token=${SECRET}`, /without path, query or user/],
  ['FAILBACK_TLS_CERTIFICATE', undefined, /is not set/],
  ['FAILBACK_TLS_PRIVATE_KEY', undefined, /is not set/],
  ['FAILBACK_HOST', 'a host', /letters, digits/],
  ['FAILBACK_BIND_ADDR', '30004', /host:port or :port/],
  ['FAILBACK_METRICS_ADDR', 'metrics', /host:port or :port/],
  ['FAILBACK_MAX_BODY_BYTES', 'lots', /number of bytes/],
  ['FAILBACK_MAX_BODY_BYTES', '10', /at least 1048576/],
  ['FAILBACK_SHUTDOWN_TIMEOUT', 'soon', /duration such as "20s"/],
  ['FAILBACK_RECEIVER_TOKEN', undefined, /FAILBACK_CLIENT_CA or FAILBACK_RECEIVER_TOKEN must be set/],
];
for (const [variable, value, words] of WRONG) {
  test(`${variable}=${value ?? '(not set)'} is one clear problem`, () => {
    const [problem, ...more] = problemsOf({ ...ENOUGH, [variable]: value });
    assert.deepEqual(more, []);
    assert.match(problem ?? '', words);
    assert.match(problem ?? '', new RegExp(variable), 'names the variable');
  });
}

test('a client CA without what CockroachDB needs to be let in is refused', () => {
  const [problem] = problemsOf({ ...ENOUGH, FAILBACK_CLIENT_CA: '/ca', FAILBACK_SINK_CLIENT_CERTIFICATE: '/crt' });
  assert.match(problem ?? '', /FAILBACK_SINK_CLIENT_CERTIFICATE and FAILBACK_SINK_CLIENT_KEY must be set/);
});

test('a host named like the shared queue is refused: it would take what is meant for any host', () => {
  const [problem, ...more] = problemsOf({ ...ENOUGH, FAILBACK_HOST: 'failback' });
  assert.match(problem ?? '', /FAILBACK_HOST and FAILBACK_TASK_QUEUE must differ: both are failback/);
  assert.deepEqual(more, []);
});

test('everything wrong is said at once', () => {
  const problems = problemsOf({ FAILBACK_BIND_ADDR: 'x', FAILBACK_CONNECTION_A: SECRET });
  for (const variable of ['STAGE_DIR', 'RECEIVER_URL', 'TLS_CERTIFICATE', 'TLS_PRIVATE_KEY', 'BIND_ADDR'])
    assert.ok(
      problems.some((problem) => problem.startsWith(`FAILBACK_${variable} `)),
      variable,
    );
});
