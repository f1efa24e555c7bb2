import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createCertificateAuthority } from '../demo/parts/certificates.js';
import { createBell } from '../src/apply/bell.js';
import { runApplyLoop } from '../src/apply/loop.js';
import { createIntake } from '../src/receiver/intake.js';
import { startReceiver } from '../src/receiver/server.js';
import { openLmdbStage } from '../src/staging/lmdb/open-stage.js';
import { bareLoop } from './ceiling.js';
import type { LiveWish } from './live-sender.js';
import { startPostgresBench } from './postgres.js';
import { CURSOR, planOf, timeOf, type RowShape } from './rows.js';
import { LOOP, STREAM } from './target.js';

/**
 * Rows/s from the first body to all of them visible, while a sender, the receiver, the stage and the apply loop share the same cores, against the
 * target's ceiling of the same run, which has them for itself. In turns; the medians of three.
 */
const SHAPE: RowShape = { rows: 200_000, bytes: 200, tables: 1, keys: 'uniform' };
const TURNS = 3;

const target = await startPostgresBench();
try {
  const ceilings: number[] = [];
  const lives: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const bare: number[] = [];
    for (const form of Object.values(target.forms)) {
      await target.empty(SHAPE);
      bare.push(await bareLoop(SHAPE, form));
    }
    ceilings.push(SHAPE.rows / Math.min(...bare));
    await target.empty(SHAPE);
    lives.push(SHAPE.rows / (await live()));
  }
  const [ceiling, rate] = [median(ceilings), median(lives)];
  const show = (rows: number): string => Math.round(rows).toLocaleString('en').padStart(9);
  console.log(`live: ${SHAPE.rows} rows of 200 bytes, 500 a body, resolved every 10,000`);
  console.log(`  ceiling              ${show(ceiling)} rows/s`);
  console.log(`  sent and visible     ${show(rate)} rows/s  ${(rate / ceiling).toFixed(2)}`);
} finally {
  await target.stop();
}

/** Seconds from the first body to the last row visible. */
async function live(): Promise<number> {
  const end = timeOf(SHAPE.rows - 1);
  const plan = planOf(SHAPE);
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-bench-'));
  const stage = openLmdbStage({ stageDir, stream: STREAM });
  const authority = await createCertificateAuthority();
  const receiver = await startReceiver({ bindAddr: '127.0.0.1:0', tls: await authority.issueServer() });
  const sender = fork(fileURLToPath(new URL('live-sender.ts', import.meta.url)));
  try {
    await stage.bind(1, CURSOR, 'plan');
    const bell = createBell();
    let committed = CURSOR;
    const intake = createIntake({
      stream: STREAM,
      plan,
      stage,
      committed: () => committed,
      onAccepted: () => bell.ring(),
    });
    receiver.register({ stream: STREAM, path: ['db', 'public'], token: LOOP.token, receive: intake.receive });
    const open = () => target.openSession(plan, {});
    const session = await open();
    await session.takeToken(LOOP.token);
    await session.bind(LOOP.token, stage.id, 1);
    await session.close();
    const exited = once(sender, 'exit');
    sender.send({ port: receiver.port, ca: authority.cert, stream: STREAM, shape: SHAPE } satisfies LiveWish);
    await once(sender, 'message');
    const started = performance.now();
    const ended = await runApplyLoop({
      ...LOOP,
      stage,
      bell,
      openSession: open,
      stopAt: () => end,
      onProgress: ({ applied }) => (committed = applied ?? committed),
    });
    if (ended.ended !== 'stopped') throw new Error(`the loop ended as ${JSON.stringify(ended)}`);
    const seconds = (performance.now() - started) / 1_000;
    await exited;
    return seconds;
  } finally {
    await receiver.close(1_000);
    await stage.close();
    rmSync(stageDir, { recursive: true });
  }
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1] ?? NaN;
}
