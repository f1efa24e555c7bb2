import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createCertificateAuthority } from '../demo/parts/certificates.js';
import { HLC_ZERO, hlcOf } from '../src/domain/hlc.js';
import { createIntake } from '../src/receiver/intake.js';
import { startReceiver } from '../src/receiver/server.js';
import { openLmdbStage } from '../src/staging/lmdb/open-stage.js';
import { bodyOf, type SendWish, type Sent } from './receive-sender.js';

// Rows acknowledged a second, durable by then, over TLS. The sender is a process of its own, on the other core.
const CONNECTIONS = [1, 16, 64];
const ROWS = 500;
const BODIES = 400;

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
const sender = fork(fileURLToPath(new URL('receive-sender.ts', import.meta.url)));

try {
  const bytes = Buffer.byteLength(bodyOf(0, ROWS));
  console.log(`${BODIES} bodies of ${ROWS} rows and ${bytes} bytes`);
  const parsed = parse();
  console.log(`JSON.parse                        ${rates(BODIES, bytes, parsed)}  (baseline: one core, nothing kept)`);
  let first = 0;
  for (const connections of CONNECTIONS) {
    const before = process.cpuUsage();
    const { ms } = await send({
      port: receiver.port,
      ca: authority.cert,
      connections,
      rows: ROWS,
      first,
      bodies: BODIES,
    });
    first += BODIES;
    const { user, system } = process.cpuUsage(before);
    const perCore = (BODIES * ROWS) / ((user + system) / 1e6);
    console.log(
      `acked, ${String(connections).padStart(2)} connections             ${rates(BODIES, bytes, ms)}  ${(parsed / ms).toFixed(2)} x; ` +
        `${Math.round(perCore).toLocaleString('en')} rows for a second of a core, disk and TLS included`,
    );
  }
} finally {
  sender.disconnect();
  await once(sender, 'exit');
  await receiver.close(1000);
  await stage.close();
  rmSync(stageDir, { recursive: true, force: true });
}

async function send(wish: SendWish): Promise<Sent> {
  const answered = once(sender, 'message') as Promise<[Sent]>;
  sender.send(wish);
  const [sent] = await answered;
  if (sent.problem !== null) throw new Error(sent.problem);
  return sent;
}

/** Milliseconds for all bodies. */
function parse(): number {
  const bodies = Array.from({ length: BODIES }, (_, i) => Buffer.from(bodyOf(i, ROWS)));
  const start = performance.now();
  for (const body of bodies) JSON.parse(body.toString());
  return performance.now() - start;
}

function rates(bodies: number, bytes: number, ms: number): string {
  const second = (n: number): string => Math.round((n / ms) * 1000).toLocaleString('en');
  return (
    `${second(bodies * ROWS).padStart(9)} rows/s  ${second(bodies).padStart(5)} bodies/s` +
    `  ${((bodies * bytes) / ms / 1000).toFixed(0).padStart(4)} MB/s`
  );
}
