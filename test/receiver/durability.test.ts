import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Agent } from 'node:https';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { open } from 'lmdb';
import { hlcOf } from '../../src/domain/hlc.js';
import { currentOwner } from '../../src/staging/lmdb/owner.js';
import { stageFolder } from '../../src/staging/lmdb/folder.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import { StageBusyError } from '../../src/staging/stage.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { createCertificateAuthority, type Certificate } from '../support/certificates.js';
import { createFlushGate, type FlushGate } from '../support/flush-gate.js';
import { httpsRequest, type HttpsAnswer } from '../support/https-client.js';
import { startNode, type StartedProcess } from '../support/processes.js';
import { until } from '../support/until.js';

const SINK = '/db/public?failback_stream=s&failback_incarnation=1';
let ca: string;
let server: Certificate;
let stageDir: string;
let gate: FlushGate;
const started: StartedProcess[] = [];

before(async () => {
  const authority = await createCertificateAuthority();
  ca = authority.cert;
  server = await authority.issueServer();
  gate = createFlushGate();
});
after(() => gate.remove());
beforeEach(() => (stageDir = mkdtempSync(path.join(tmpdir(), 'failback-durable-'))));
afterEach(async () => {
  gate.release();
  gate.full(false);
  await Promise.all(started.splice(0).map((child) => child.kill()));
  rmSync(stageDir, { recursive: true, force: true });
});

function lines(child: StartedProcess): Record<string, unknown>[] {
  return child
    .stdout()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function spawnReceiver(): StartedProcess {
  const env = { ...gate.env, RECEIVER_SETTING: JSON.stringify({ stageDir, ...server }) };
  const child = startNode('test/support/receiver-process.ts', [], { env });
  started.push(child);
  return child;
}

async function startReceiverProcess(): Promise<{ child: StartedProcess; port: number; entries: number }> {
  const child = spawnReceiver();
  const line = await until(`the receiver listens (${child.output()})`, () => lines(child).find((one) => 'port' in one));
  return { child, port: line['port'] as number, entries: line['entries'] as number };
}

function body(from: number, count = 10): string {
  const rows = Array.from(
    { length: count },
    (_, i) =>
      `{"after":{"id":${from + i},"v":"x"},"key":[${from + i}],"topic":"t","updated":"${1_000_000_000 + from + i}.0000000000"}`,
  );
  return `{"payload":[${rows.join()}],"length":${count}}`;
}

const post = (port: number, text: string): Promise<HttpsAnswer> => httpsRequest({ port, path: SINK, ca, body: text });

suite('ack after durable (invariant 1, protocol rule 14)', () => {
  test('no 200 before the flush returns; killed between staging and ack, the rows are there and the resend is a redelivery', async () => {
    const { child, port } = await startReceiverProcess();
    assert.equal((await post(port, body(0))).status, 200);
    const entered = gate.entered();
    gate.hold();
    const answers: HttpsAnswer[] = [];
    const posts = [100, 200, 300].map((from) =>
      post(port, body(from)).then(
        (answer) => answers.push(answer),
        () => undefined,
      ),
    );
    await until('LMDB is inside fdatasync', () => gate.entered() > entered);
    // Not a wait for a condition: this is the time in which a wrong 200 would come.
    await delay(500);
    assert.deepEqual(answers, [], 'answered before the flush');
    await child.kill();
    await Promise.all(posts);
    assert.deepEqual(answers, [], 'answered although killed before the flush');
    gate.release();

    const again = await startReceiverProcess();
    assert.ok(again.entries >= 10, 'an acknowledged row is gone');
    for (const from of [0, 100, 200, 300]) assert.equal((await post(again.port, body(from))).status, 200);
    const taken = lines(again.child)
      .filter((line) => 'taken' in line)
      .map((line) => line['taken'] as { redelivered: number; staged: number });
    assert.equal(taken[0]?.redelivered, 10);
    const total = taken.reduce((sum, one) => sum + one.redelivered + one.staged, 0);
    assert.equal(total, 40);
  });

  test('killed when staged but not acked: the client saw no 200, the rows are there, the resend is a redelivery', async (t) => {
    const { child, port } = await startReceiverProcess();
    const proxy = await startByteProxy(t, port);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const postThrough = (text: string) => httpsRequest({ port: proxy.port, path: SINK, ca, body: text, agent });
    try {
      assert.equal((await postThrough(body(0))).status, 200);
      // The handshake is over: the next bytes to the client are the answer.
      proxy.arm('to-client', '', 'pause');
      const unanswered = assert.rejects(postThrough(body(100)), 'a 200 came through');
      await until('the answer is held back', () => proxy.hits() === 1);
      assert.equal(lines(child).filter((line) => 'taken' in line).length, 2);
      await child.kill();
      proxy.cutAll();
      await unanswered;
    } finally {
      agent.destroy();
    }
    const again = await startReceiverProcess();
    assert.equal(again.entries, 20);
    assert.equal((await post(again.port, body(100))).status, 200);
    const [line] = lines(again.child).filter((one) => 'taken' in one);
    assert.equal((line?.['taken'] as { redelivered: number }).redelivered, 10);
  });

  test('every acknowledged row survives SIGKILL under load', async () => {
    const { child, port } = await startReceiverProcess();
    const acked: number[] = [];
    let next = 0;
    let killed = false;
    const senders = Array.from({ length: 8 }, async () => {
      while (!killed) {
        const from = 1000 * next++;
        try {
          if ((await post(port, body(from, 50))).status === 200) acked.push(from);
        } catch {
          return;
        }
      }
    });
    await until('some bodies are acknowledged', () => acked.length > 40);
    child.signal('SIGKILL');
    await child.exit();
    killed = true;
    await Promise.all(senders);
    const again = await startReceiverProcess();
    assert.ok(again.entries >= acked.length * 50, `${again.entries} entries of ${acked.length * 50} acknowledged`);
    for (const from of acked) assert.equal((await post(again.port, body(from, 50))).status, 200);
    const taken = lines(again.child).flatMap((line) =>
      'taken' in line ? [line['taken'] as { redelivered: number }] : [],
    );
    assert.deepEqual(
      taken.map((one) => one.redelivered),
      acked.map(() => 50),
    );
  });

  test('concurrent bodies share flushes', async () => {
    const { port } = await startReceiverProcess();
    const entered = gate.entered();
    gate.hold();
    const first = post(port, body(0));
    await until('the first is inside fdatasync', () => gate.entered() > entered);
    const rest = Array.from({ length: 20 }, (_, i) => post(port, body(1000 * (i + 1))));
    // The bodies are read while the first flush waits; they make up the next group.
    await delay(500);
    const before = gate.flushed();
    gate.release();
    const statuses = (await Promise.all([first, ...rest])).map((answer) => answer.status);
    assert.ok(statuses.every((status) => status === 200));
    assert.ok(gate.flushed() - before <= 6, `${gate.flushed() - before} flushes for 21 bodies`);
  });
});

test('a full disk: nothing is acknowledged, and it goes on when there is room', async () => {
  const { child, port } = await startReceiverProcess();
  assert.equal((await post(port, body(0))).status, 200);
  gate.full(true);
  const refused = await post(port, body(100));
  assert.equal(refused.status, 503);
  assert.ok(refused.text.length < 200 && !refused.text.includes(stageDir), refused.text);
  const told = lines(child).find((line) => 'refused' in line);
  assert.match(String(told?.['error']), /StageWriteError.*(No space|ENOSPC)/);
  gate.full(false);
  assert.equal((await post(port, body(200))).status, 200);
  await child.kill();
  const stage = openLmdbStage({ stageDir, stream: 's' });
  assert.equal(stage.figures().entries, 20);
  await stage.close();
});

suite('a lock between processes (protocol rule 38)', () => {
  test('the second process is refused while the first lives, also frozen, and let in once it is killed', async () => {
    const { child } = await startReceiverProcess();
    for (const signal of ['SIGCONT', 'SIGSTOP'] as const) {
      child.signal(signal);
      assert.throws(() => openLmdbStage({ stageDir, stream: 's' }), StageBusyError);
      const second = spawnReceiver();
      assert.equal(await second.exit(), 3);
      assert.deepEqual(lines(second), [{ failed: 'StageBusyError' }]);
    }
    await child.kill();
    const stage = openLmdbStage({ stageDir, stream: 's' });
    await stage.close();
  });

  test('a pid that another process has by now is no owner', async () => {
    const folder = stageFolder(stageDir, 's');
    const first = openLmdbStage({ stageDir, stream: 's' });
    await first.close();
    const root = open({ path: folder, noSubdir: false, maxDbs: 3, overlappingSync: false });
    const meta = root.openDB<unknown, string>({ name: 'meta', encoding: 'json', useVersions: true });
    await meta.put('owner', { ...currentOwner(), pid: process.ppid }, 7);
    await root.close();
    const stage = openLmdbStage({ stageDir, stream: 's' });
    await stage.close();
  });

  test('whoever lost the store writes nothing more into it', async () => {
    const stage = openLmdbStage({ stageDir, stream: 's' });
    await stage.bind(1, CURSOR, 'plan');
    const root = open({ path: stageFolder(stageDir, 's'), noSubdir: false, maxDbs: 3, overlappingSync: false });
    const meta = root.openDB<unknown, string>({ name: 'meta', encoding: 'json', useVersions: true });
    await meta.put('owner', currentOwner(), 7);
    await assert.rejects(stage.bind(2, CURSOR, 'plan'), StageBusyError);
    assert.equal((meta.get('binding') as { incarnation: number }).incarnation, 1);
    assert.equal(stage.binding()?.incarnation, 1);
    await stage.close();
  });
});

const CURSOR = hlcOf(5n);
