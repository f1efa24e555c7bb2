import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeCertificates, type CertificateFiles } from '../../demo/parts/certificate-files.js';
import { freePort } from '../support/ports.js';
import { startNode, type StartedProcess } from '../support/processes.js';
import { startTemporal, type Temporal } from '../support/temporal.js';
import { until } from '../support/until.js';

const SECRET = 'canary-secret-value';
let folder: string;
let files: CertificateFiles;
let temporal: Temporal;
let nobody: number;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'failback-worker-'));
  [files, temporal, nobody] = await Promise.all([
    writeCertificates(folder, ['127.0.0.1']),
    startTemporal(),
    freePort(),
  ]);
});
after(async () => {
  await temporal.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(change: Readonly<Record<string, string | undefined>>): Promise<StartedProcess> {
  return startNode('src/worker/main.ts', [], {
    inheritEnv: false,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
      FAILBACK_TASK_QUEUE: `start-${process.pid}`,
      FAILBACK_HOST: `start-${process.pid}-host`,
      FAILBACK_STAGE_DIR: folder,
      FAILBACK_BIND_ADDR: `127.0.0.1:${await freePort()}`,
      FAILBACK_RECEIVER_URL: 'https://127.0.0.1:1',
      FAILBACK_TLS_CERTIFICATE: files.serverCertificate,
      FAILBACK_TLS_PRIVATE_KEY: files.serverKey,
      FAILBACK_RECEIVER_TOKEN: SECRET,
      FAILBACK_CONNECTION_SHOP: `postgresql://u:${SECRET}@127.0.0.1:1/d`,
      ...change,
    },
  });
}

/** Exits with 1 after one line, which is returned. */
async function refuses(change: Readonly<Record<string, string | undefined>>): Promise<string> {
  const worker = await start(change);
  const code = await worker.exit();
  const lines = worker.output().trimEnd().split('\n');
  assert.deepEqual([code, lines.length], [1, 1], worker.output());
  assert.doesNotMatch(worker.output(), new RegExp(SECRET));
  return lines[0] ?? '';
}

test('a missing variable', async () => {
  assert.match(
    await refuses({ FAILBACK_STAGE_DIR: undefined }),
    /the worker cannot start: FAILBACK_STAGE_DIR is not set/,
  );
});

test('a folder of the stages that cannot be made', async () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  assert.match(
    await refuses({ FAILBACK_STAGE_DIR: join(file, 'stage') }),
    /FAILBACK_STAGE_DIR names .*a-file.stage, where nothing can be written/,
  );
});

test('a busy port of the receiver, and of the metrics', async (t) => {
  const busy = createServer();
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  t.after(() => busy.close());
  const address = busy.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  const names = new RegExp(`${port}.*(in use|EADDRINUSE)`);
  assert.match(await refuses({ FAILBACK_BIND_ADDR: `127.0.0.1:${port}` }), names);
  assert.match(await refuses({ FAILBACK_METRICS_ADDR: `127.0.0.1:${port}` }), names);
});

test('a certificate that is not there, is none, or belongs to another key', async () => {
  assert.match(
    await refuses({ FAILBACK_TLS_CERTIFICATE: join(folder, 'nowhere.crt') }),
    /FAILBACK_TLS_CERTIFICATE names .*nowhere\.crt, which cannot be read.*ENOENT/,
  );
  const garbage = join(folder, 'garbage.crt');
  writeFileSync(garbage, 'no certificate');
  assert.match(await refuses({ FAILBACK_TLS_CERTIFICATE: garbage }), /FAILBACK_TLS_CERTIFICATE.* cannot be used/);
  assert.match(
    await refuses({ FAILBACK_TLS_PRIVATE_KEY: files.clientKey }),
    /FAILBACK_TLS_CERTIFICATE.*FAILBACK_TLS_PRIVATE_KEY.* cannot be used/,
  );
});

test('what CockroachDB is given is checked at the start: no certificate, of another key, of another authority', async () => {
  const other = mkdtempSync(join(folder, 'other-'));
  const others = await writeCertificates(other, ['127.0.0.1']);
  const sink = {
    FAILBACK_CLIENT_CA: files.ca,
    FAILBACK_SINK_CLIENT_CERTIFICATE: files.clientCertificate,
    FAILBACK_SINK_CLIENT_KEY: files.clientKey,
  };
  for (const [change, words] of [
    [{ FAILBACK_SINK_CA: join(folder, 'nowhere.crt') }, /FAILBACK_SINK_CA names .*nowhere\.crt, which cannot be read/],
    [
      { FAILBACK_SINK_CLIENT_CERTIFICATE: files.clientKey },
      /FAILBACK_SINK_CLIENT_CERTIFICATE is no certificate in PEM/,
    ],
    [{ FAILBACK_SINK_CLIENT_KEY: files.serverKey }, /FAILBACK_SINK_CLIENT_KEY is not the key of/],
    [
      { FAILBACK_SINK_CLIENT_CERTIFICATE: others.clientCertificate, FAILBACK_SINK_CLIENT_KEY: others.clientKey },
      /FAILBACK_SINK_CLIENT_CERTIFICATE is of another authority than FAILBACK_CLIENT_CA/,
    ],
  ] as const)
    assert.match(await refuses({ ...sink, ...change }), words);
});

test('a namespace that Temporal does not know, and a TLS file of Temporal that is not there', async () => {
  assert.match(await refuses({ TEMPORAL_NAMESPACE: 'nowhere' }), /TEMPORAL_NAMESPACE names nowhere, which Temporal/);
  const file = join(folder, 'nowhere.crt');
  assert.match(await refuses({ TEMPORAL_TLS_CA: file }), /TEMPORAL_TLS_CA names .*nowhere\.crt, which cannot be read/);
});

test('a Temporal that is not there yet is awaited with one line, and SIGTERM ends the wait', async () => {
  const worker = await start({ TEMPORAL_ADDRESS: `127.0.0.1:${nobody}` });
  await until('the line', () => worker.output().includes('waiting for it'));
  worker.signal('SIGTERM');
  assert.equal(await worker.exit(), 0);
  assert.equal(worker.output().match(/does not answer/g)?.length, 1, worker.output());
});

test('SIGTERM stops a worker within its time, with exit code 0', async () => {
  const worker = await start({ FAILBACK_SHUTDOWN_TIMEOUT: '5s' });
  await until('the worker polls', () => worker.output().includes('polls'), { timeoutMs: 60_000 });
  const from = performance.now();
  worker.signal('SIGTERM');
  assert.equal(await worker.exit(), 0);
  assert.ok(performance.now() - from < 7_000, worker.output());
  assert.match(worker.output(), /stopped\n$/);
});
