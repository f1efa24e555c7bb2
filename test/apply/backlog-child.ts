// Stages a backlog and applies it, in a process of its own, and says what memory that took.
//   node --import tsx test/apply/backlog-child.ts '<JSON of BacklogOrder>'
import { readFileSync } from 'node:fs';
import { createBell } from '../../src/apply/bell.js';
import { runApplyLoop } from '../../src/apply/loop.js';
import { HLC_BYTES, writeHlc } from '../../src/domain/hlc.js';
import type { IncomingMutation } from '../../src/domain/mutation.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import { openMysqlApplySession } from '../../src/targets/mysql/session.js';
import { openPostgresApplySession } from '../../src/targets/postgres/session.js';
import type { OpenOptions } from '../targets/bench.js';
import { at } from '../targets/postgres/apply-fixture.js';
import { SAME_SOURCE } from './loop-fixture.js';

export interface BacklogOrder {
  readonly stageDir: string;
  readonly session: OpenOptions;
  readonly token: string;
  /** Rows that are staged first, each of another key; 0: what is there is applied. */
  readonly rows: number;
  /** Rows of one timestamp. */
  readonly each: number;
}

export interface BacklogReport {
  readonly windows: number;
  readonly upserts: number;
  readonly stagingMs: number;
  readonly applyingMs: number;
  readonly memoryStaged: Memory;
  readonly memory: Memory;
}

/** In MB, of /proc/self/status: the most at any time, and now. */
export interface Memory {
  readonly VmHWM: number;
  readonly VmRSS: number;
  readonly RssAnon: number;
  readonly RssFile: number;
}

const COLUMNS = ['id', 'v'];
const BODY_ROWS = 5_000;

const openSession = (options: OpenOptions) =>
  options.connectionString.startsWith('mysql:') ? openMysqlApplySession(options) : openPostgresApplySession(options);

async function main({ stageDir, session, token, rows, each }: BacklogOrder): Promise<BacklogReport> {
  const stage = openLmdbStage({ stageDir, stream: session.stream });
  let begun = performance.now();
  if (rows > 0) {
    await stage.bind(1, at(0), 'plan');
    const staged: Promise<unknown>[] = [];
    for (let first = 0; first < rows; first += BODY_ROWS) {
      staged.push(stage.accept(1, body(first, Math.min(rows, first + BODY_ROWS), each), at(0)));
      if (staged.length === 4) await Promise.all(staged.splice(0));
    }
    await Promise.all(staged);
    await stage.resolve(1, at(Math.ceil(rows / each)));
  }
  const stagingMs = performance.now() - begun;
  const memoryStaged = memory();
  begun = performance.now();
  let done = { windows: 0, upserts: 0 };
  const end = stage.binding()?.resolved ?? at(0);
  const ended = await runApplyLoop({
    stage,
    stream: session.stream,
    token,
    incarnation: 1,
    openSession: () => openSession(session),
    limits: { rows: 20_000, bytes: 33_554_432 },
    source: SAME_SOURCE,
    signal: new AbortController().signal,
    bell: createBell(),
    stopAt: () => end,
    onProgress: (progress) => {
      done = progress;
      if (progress.windows > 0) process.stderr.write(`window ${progress.windows}\n`);
    },
    log: (line) => process.stderr.write(`${line}\n`),
    idleAdvanceMs: 1_000,
    retireOffsetMs: 0,
    abortGraceMs: 1_000,
    retry: { firstMs: 100, maxMs: 1_000 },
  });
  if (ended.ended !== 'stopped') throw new Error(`the loop ended as ${ended.ended}`);
  const applyingMs = performance.now() - begun;
  await stage.close();
  return { windows: done.windows, upserts: done.upserts, stagingMs, applyingMs, memoryStaged, memory: memory() };
}

function body(from: number, to: number, each: number): IncomingMutation[] {
  return Array.from({ length: to - from }, (_, i) => {
    const n = from + i;
    const time = new Uint8Array(HLC_BYTES);
    writeHlc(time, 0, at(Math.floor(n / each) + 1));
    return {
      at: time,
      table: 0,
      key: Buffer.from(`[${n}]`),
      after: Buffer.from(`{"id":${n},"v":${n % 1000}}`),
      columns: COLUMNS,
    };
  });
}

function memory(): Memory {
  const status = readFileSync('/proc/self/status', 'utf8');
  const of = (name: string): number =>
    Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024);
  return { VmHWM: of('VmHWM'), VmRSS: of('VmRSS'), RssAnon: of('RssAnon'), RssFile: of('RssFile') };
}

process.stdout.write(`${JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as BacklogOrder))}\n`);
