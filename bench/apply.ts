import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createBell } from '../src/apply/bell.js';
import { runApplyLoop } from '../src/apply/loop.js';
import { openLmdbStage } from '../src/staging/lmdb/open-stage.js';
import type { SessionOptions } from '../src/targets/session/session.js';
import { readBenchArguments, startBench } from './arguments.js';
import { bareLoop } from './ceiling.js';
import { CURSOR, mutationsOf, planOf, timeOf, type RowShape } from './rows.js';
import { LOOP, STREAM } from './target.js';

/**
 * Rows/s visible on the target: the apply loop over a filled LMDB stage, against the target's ceiling, which is the same final rows by a bare loop of
 * the best set-based statement on one connection. In turns on one server, the medians of three.
 * Usage: node --import tsx bench/apply.ts [--target mysql] [rows] [rows of a window] [rows of a statement]
 */
const { dialect, numbers } = readBenchArguments();
const [ROWS = 200_000, WINDOW = 20_000, FLUSH = 5_000] = numbers;
const TURNS = 3;
const CASES: readonly (readonly [string, RowShape])[] = [
  ['200 bytes, uniform keys, 1 table', { rows: ROWS, bytes: 200, tables: 1, keys: 'uniform' }],
  ['200 bytes, hot keys, 1 table', { rows: ROWS, bytes: 200, tables: 1, keys: 'hot' }],
  ['1 KiB, uniform keys, 1 table', { rows: ROWS / 2, bytes: 1_024, tables: 1, keys: 'uniform' }],
  ['200 bytes, uniform keys, 50 tables', { rows: ROWS, bytes: 200, tables: 50, keys: 'uniform' }],
];

const target = await startBench(dialect);
try {
  console.log(`apply: ${dialect}, rows/s visible, windows of ${WINDOW} rows, statements of ${FLUSH}`);
  for (const [name, shape] of CASES) await measure(name, shape);
} finally {
  await target.stop();
}

async function measure(name: string, shape: RowShape): Promise<void> {
  const { forms, ways } = target;
  const seconds = new Map<string, number[]>();
  const note = (what: string, taken: number): void => void seconds.set(what, [...(seconds.get(what) ?? []), taken]);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [form, statement] of Object.entries(forms)) {
      await target.empty(shape);
      note(form, await bareLoop(shape, statement));
    }
    for (const [way, over] of Object.entries(ways)) {
      await target.empty(shape);
      note(way, await loop(shape, over));
    }
  }
  const rate = (what: string): number => shape.rows / median(seconds.get(what) ?? []);
  const best = Math.max(...Object.keys(forms).map(rate));
  console.log(name);
  for (const what of [...Object.keys(forms), ...Object.keys(ways)])
    console.log(`  ${what.padEnd(20)} ${show(rate(what))} rows/s  ${(rate(what) / best).toFixed(2)}`);
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1] ?? Infinity;
}

function show(rate: number): string {
  return Math.round(rate).toLocaleString('en').padStart(9);
}

async function loop(shape: RowShape, over: Partial<SessionOptions>): Promise<number> {
  const mutations = mutationsOf(shape);
  const end = timeOf(shape.rows - 1);
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-bench-'));
  const stage = openLmdbStage({ stageDir, stream: STREAM });
  const open = () => target.openSession(planOf(shape), { flushSize: FLUSH, ...over });
  try {
    await stage.bind(1, CURSOR, 'plan');
    for (let i = 0; i < mutations.length; i += 1_000) await stage.accept(1, mutations.slice(i, i + 1_000), CURSOR);
    await stage.resolve(1, end);
    const session = await open();
    await session.takeToken(LOOP.token);
    await session.bind(LOOP.token, stage.id, 1);
    await session.close();
    const started = performance.now();
    const ended = await runApplyLoop({
      ...LOOP,
      stage,
      bell: createBell(),
      openSession: open,
      limits: { ...LOOP.limits, rows: WINDOW },
      stopAt: () => end,
    });
    if (ended.ended !== 'stopped') throw new Error(`the loop ended as ${JSON.stringify(ended)}`);
    return (performance.now() - started) / 1_000;
  } finally {
    await stage.close();
    rmSync(stageDir, { recursive: true });
  }
}
