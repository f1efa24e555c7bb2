import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createCertificateAuthority } from '../demo/parts/certificates.js';
import { HLC_ZERO, hlcOf } from '../src/domain/hlc.js';
import { createIntake } from '../src/receiver/intake.js';
import { startReceiver } from '../src/receiver/server.js';
import { openLmdbStage } from '../src/staging/lmdb/open-stage.js';
import { httpsRequest } from '../test/support/https-client.js';

// Rows acknowledged a second: TLS, 16 connections, 500 rows a body of about 200 bytes; the sender is in this process too.
const CONNECTIONS = 16;
const ROWS = 500;
const BODIES = 300;

const authority = await createCertificateAuthority();
const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-bench-'));
const stage = openLmdbStage({ stageDir, stream: 'bench' });
await stage.bind(1, hlcOf(1n), 'plan');
const intake = createIntake({
  stream: 'bench',
  plan: [
    {
      topic: 't',
      source: { schema: 'public', table: 't' },
      sourceId: '1',
      target: { schema: 'public', table: 't' },
      keyColumns: [{ name: 'id', keyClass: 'exact' }],
    },
  ],
  stage,
  committed: () => HLC_ZERO,
});
const receiver = await startReceiver({ bindAddr: '127.0.0.1:0', tls: await authority.issueServer() });
receiver.register({ stream: 'bench', path: ['db', 'public'], token: 'bench', receive: intake.receive });
receiver.register({ stream: 'nothing', path: ['db', 'public'], token: 'bench', receive: () => Promise.resolve() });
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const bodies = Array.from({ length: BODIES }, (_, i) => body(i));

try {
  const baseline = await send('nothing');
  const acked = await send('bench');
  console.log(`${CONNECTIONS} connections, ${ROWS} rows a body of ${bodies[0]?.length} bytes`);
  console.log(`acked and durable:       ${rate(acked)}  ${(baseline / acked).toFixed(2)} x the baseline`);
  console.log(`read and thrown away:    ${rate(baseline)}  (baseline: the same bodies over the same TLS)`);
} finally {
  agent.destroy();
  await receiver.close(1000);
  await stage.close();
  rmSync(stageDir, { recursive: true, force: true });
}

/** Milliseconds for all bodies. */
async function send(stream: string): Promise<number> {
  const start = performance.now();
  let next = 0;
  const connection = async () => {
    for (let text = bodies[next++]; text; text = bodies[next++]) {
      const sink = `/db/public?failback_stream=${stream}&failback_incarnation=1`;
      const answer = await httpsRequest({ port: receiver.port, path: sink, ca: authority.cert, agent, body: text });
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  return performance.now() - start;
}

function body(index: number): string {
  const rows = Array.from({ length: ROWS }, (_, i) => {
    const n = index * ROWS + i;
    return `{"after":{"amount":${n}.50,"id":${n},"note":"${'note '.repeat(12)}","state":"open","v":null},"key":[${n}],"topic":"t","updated":"${1795320930602742264n + BigInt(n)}.0000000000"}`;
  });
  return `{"payload":[${rows.join()}],"length":${ROWS}}`;
}

function rate(ms: number): string {
  return `${Math.round(((BODIES * ROWS) / ms) * 1000)
    .toLocaleString('en')
    .padStart(9)} rows/s`;
}
