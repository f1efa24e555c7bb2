import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { open } from 'lmdb';
import { HLC_ZERO, hlcOf, writeHlc, type Hlc } from '../src/domain/hlc.js';
import type { IncomingMutation } from '../src/domain/mutation.js';
import { startPostgres } from '../demo/parts/postgres.js';
import { openLmdbStage } from '../src/staging/lmdb/open-stage.js';
import { createSqlStaging } from '../src/staging/sql/staging.js';
import type { Stage } from '../src/staging/stage.js';

// 200,000 rows of 200 bytes in bodies of 500, 16 bodies at a time; then read and purged.
const BODIES = 400;
const ROWS = 500;
const CONCURRENT = 16;
const COLUMNS = ['id', 'v'];
const AFTER = Buffer.from(`{"id":1,"v":"${'x'.repeat(185)}"}`);
const TOTAL = BODIES * ROWS;

const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-bench-'));
const postgres = await startPostgres();
try {
  const plain = await flushless();
  console.log(`${TOTAL} rows of ${AFTER.length} bytes, ${ROWS} a body, ${CONCURRENT} bodies at a time`);
  console.log(`LMDB puts, no flush: ${rate(TOTAL, plain)}  (baseline: no checks, noSync, batches of 8,000)`);
  await measure('LMDB', openLmdbStage({ stageDir, stream: 'bench' }), plain);
  const staging = { connection: 'bench', schema: 'postgres.bench', createSchema: true };
  await measure(
    'SQL, PostgreSQL',
    await createSqlStaging(postgres.url('postgres'), staging, 'bench').open('bench'),
    plain,
  );
} finally {
  await postgres.stop();
  rmSync(stageDir, { recursive: true, force: true });
}

async function measure(name: string, stage: Stage, plain: number): Promise<void> {
  await stage.bind(1, hlcOf(1n), 'plan');
  const bodies = Array.from({ length: BODIES }, (_, i) => body(i));
  const accepting = await timed(async () => {
    let next = 0;
    const worker = async () => {
      for (let one = bodies[next++]; one; one = bodies[next++]) await stage.accept(1, one, HLC_ZERO);
    };
    await Promise.all(Array.from({ length: CONCURRENT }, worker));
  });
  const again = await timed(async () => {
    await Promise.all(bodies.slice(0, 100).map((one) => stage.accept(1, one, HLC_ZERO)));
  });
  const reading = await timed(async () => {
    let after: Hlc = HLC_ZERO;
    const upTo = hlcOf(10n ** 18n);
    while (after < upTo) ({ end: after } = await stage.read(after, upTo, { rows: 5000, bytes: 1e9 }));
  });
  const { usedBytes } = stage.figures();
  const purging = await timed(() => stage.purge(hlcOf(10n ** 18n)));
  console.log(`stage: ${name}; ${(usedBytes / 1e6).toFixed(0)} MB used`);
  console.log(`  durable accept:     ${rate(TOTAL, accepting)}  ${(plain / accepting).toFixed(2)} x the baseline`);
  console.log(`  redelivered accept: ${rate(100 * ROWS, again)}`);
  console.log(`  read:               ${rate(TOTAL, reading)}`);
  console.log(`  purge:              ${rate(TOTAL, purging)}`);
  await stage.close();
}

function body(index: number): IncomingMutation[] {
  return Array.from({ length: ROWS }, (_, i) => {
    const at = Buffer.alloc(12);
    writeHlc(at, 0, hlcOf(1_000_000_000n + BigInt(index * ROWS + i)));
    return { at, table: 0, key: Buffer.from(`[${index * ROWS + i}]`), after: AFTER, columns: COLUMNS };
  });
}

async function flushless(): Promise<number> {
  const root = open<Buffer, Buffer>({
    path: path.join(stageDir, 'baseline'),
    noSync: true,
    overlappingSync: false,
    keyEncoding: 'binary',
    encoding: 'binary',
  });
  const rows = Array.from({ length: BODIES }, (_, i) => body(i)).flat();
  const ms = await timed(async () => {
    for (let from = 0; from < rows.length; from += 8000)
      await root.batch(() => {
        for (const row of rows.slice(from, from + 8000)) void root.put(Buffer.concat([row.at, row.key]), AFTER);
      });
  });
  await root.close();
  return ms;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function rate(rows: number, ms: number): string {
  return `${Math.round((rows / ms) * 1000)
    .toLocaleString('en')
    .padStart(9)} rows/s`;
}
