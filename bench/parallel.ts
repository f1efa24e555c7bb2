import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createBell } from '../src/apply/bell.js';
import { applyAll, arrangeGroups, type GroupsOptions } from '../src/apply/groups.js';
import { packGroups, type ApplyGroup } from '../src/domain/apply-groups.js';
import { openLmdbStage } from '../src/staging/lmdb/open-stage.js';
import { bareLoop } from './ceiling.js';
import { startPostgresBench } from './postgres.js';
import { CURSOR, mutationsOf, planOf, timeOf, type RowShape } from './rows.js';
import { LOOP, STREAM } from './target.js';

/**
 * Rows/s visible on the target by parallel applies on independent tables, against the target's ceiling on **one** connection: the same final rows by
 * a bare loop of the best set-based statement. In turns on one PostgreSQL, the medians of three.
 * Usage: node --import tsx bench/parallel.ts [rows] [rows of a window] [rows of a statement]
 */
const [ROWS = 100_000, WINDOW = 20_000, FLUSH = 5_000] = process.argv.slice(2).map(Number);
const TURNS = 3;
const SHAPE: RowShape = { rows: ROWS, bytes: 200, tables: 4, keys: 'uniform' };

const target = await startPostgresBench();
const { forms } = target;
try {
  const seconds = new Map<string, number[]>();
  const measure = async (what: string, work: () => Promise<number>): Promise<void> => {
    await target.empty(SHAPE);
    const taken = await work();
    seconds.set(what, [...(seconds.get(what) ?? []), taken]);
  };
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [form, statement] of Object.entries(forms)) await measure(form, () => bareLoop(SHAPE, statement));
    for (const parallelism of [1, 2, 4]) await measure(`parallelism ${parallelism}`, () => apply(parallelism));
  }
  const rate = (what: string): number => ROWS / median(seconds.get(what) ?? []);
  const [best = ''] = Object.keys(forms).sort((a, b) => rate(b) - rate(a));
  console.log(`parallel applies: 4 independent tables, 200 bytes, windows of ${WINDOW} rows, statements of ${FLUSH}`);
  console.log(`ceiling of one connection            ${show(rate(best))} rows/s (${best})`);
  for (const parallelism of [1, 2, 4]) {
    const found = rate(`parallelism ${parallelism}`);
    console.log(`parallelism ${parallelism}`.padEnd(36), `${show(found)} rows/s  ${(found / rate(best)).toFixed(2)} x`);
  }
} finally {
  await target.stop();
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1] ?? Infinity;
}

function show(rate: number): string {
  return Math.round(rate).toLocaleString('en');
}

async function apply(parallelism: number): Promise<number> {
  const mutations = mutationsOf(SHAPE);
  const end = timeOf(SHAPE.rows - 1);
  const groupOf = packGroups(SHAPE.tables, [], parallelism);
  const plan = planOf(SHAPE).map((table, number) => ({ ...table, group: groupOf[number] ?? 0 }));
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-bench-'));
  const stage = openLmdbStage({ stageDir, stream: STREAM });
  const open = (group?: ApplyGroup) =>
    target.openSession(plan, { flushSize: FLUSH, ...(group === undefined ? {} : { group }) });
  const options: GroupsOptions = {
    ...LOOP,
    stage,
    plan,
    bell: createBell(),
    openSession: open,
    limits: { ...LOOP.limits, rows: WINDOW },
    stopAt: () => end,
  };
  try {
    await stage.bind(1, CURSOR, 'plan');
    for (let i = 0; i < mutations.length; i += 1_000) await stage.accept(1, mutations.slice(i, i + 1_000), CURSOR);
    await stage.resolve(1, end);
    const session = await open();
    const taken = await session.takeToken(LOOP.token);
    await session.bind(LOOP.token, stage.id, 1);
    await session.close();
    const ended = await arrangeGroups(options, taken?.groups ?? [], CURSOR);
    if (ended !== null) throw new Error(`the groups could not be made: ${ended.ended}`);
    const started = performance.now();
    const outcome = await applyAll(options);
    if (outcome.ended !== 'stopped') throw new Error(`the loops ended as ${outcome.ended}`);
    return (performance.now() - started) / 1_000;
  } finally {
    await stage.close();
    rmSync(stageDir, { recursive: true });
  }
}
