import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { createBell } from '../../src/apply/bell.js';
import { runApplyLoop, type ApplyLoopEnd, type ApplyLoopOptions } from '../../src/apply/loop.js';
import { NO_PROGRESS, type ApplyProgress } from '../../src/apply/progress.js';
import type { SourceCheck } from '../../src/apply/source-check.js';
import { writeHlc, HLC_BYTES, type Hlc } from '../../src/domain/hlc.js';
import type { IncomingMutation } from '../../src/domain/mutation.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import type { Stage } from '../../src/staging/stage.js';
import { openPostgresApplySession } from '../../src/targets/postgres/session.js';
import type { ApplyMutation, ApplySession } from '../../src/targets/target.js';
import type { Scene, SceneOptions, TargetBench } from '../targets/bench.js';
import { at, createApplyFixture, type ApplyFixture } from '../targets/postgres/apply-fixture.js';
import type { Postgres } from '../support/postgres.js';

/** A source that is what it was, and can be asked. */
export const SAME_SOURCE: SourceCheck = { changed: () => null, firstOtherKey: () => Promise.resolve(null) };

/** A loop over a real stage and a real target. The stage is bound to incarnation 1 with cursor `at(0)`. */
export interface Looping {
  readonly stage: Stage;
  readonly log: string[];
  progress(): ApplyProgress;
  /** Takes changes as a body of the changefeed brings them. */
  stageRows(changes: readonly ApplyMutation[]): Promise<void>;
  resolve(n: number): Promise<void>;
  start(over?: Partial<ApplyLoopOptions>, session?: SceneOptions): RunningLoop;
}

/** ... a PostgreSQL. */
export interface LoopFixture extends ApplyFixture, Looping {}

/** ... of whichever dialect. */
export interface LoopScene extends Scene, Looping {}

export interface RunningLoop {
  readonly ended: Promise<ApplyLoopEnd>;
  stopAt(at: Hlc): Promise<ApplyLoopEnd>;
  abort(): Promise<ApplyLoopEnd>;
}

export async function createLoopFixture(
  t: TestContext,
  postgres: Postgres,
  ddl: string,
  tables: readonly string[],
): Promise<LoopFixture> {
  const fixture = await createApplyFixture(t, postgres, ddl, tables);
  const openSession = (over: SceneOptions): Promise<ApplySession> =>
    openPostgresApplySession(fixture.options({ connectTimeoutMs: 2000, ...over }));
  return { ...fixture, ...(await createLooping(t, { ...fixture, openSession })) };
}

export async function createLoopScene(
  t: TestContext,
  bench: TargetBench,
  ddl: readonly string[],
  tables: readonly string[],
): Promise<LoopScene> {
  const scene = await bench.scene(t, ddl, tables);
  return { ...scene, ...(await createLooping(t, scene)) };
}

async function createLooping(
  t: TestContext,
  { stream, token, openSession }: Pick<Scene, 'stream' | 'token' | 'openSession'>,
): Promise<Looping> {
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-loop-'));
  const stage = openLmdbStage({ stageDir, stream });
  await stage.bind(1, at(0), 'plan');
  const loops: RunningLoop[] = [];
  t.after(async () => {
    await Promise.all(loops.map((loop) => loop.abort()));
    await stage.close();
    rmSync(stageDir, { recursive: true });
  });
  const bell = createBell();
  const log: string[] = [];
  let progress = NO_PROGRESS;
  return {
    stage,
    log,
    progress: () => progress,
    async stageRows(changes) {
      await stage.accept(1, changes.map(incoming), at(0));
    },
    async resolve(n) {
      await stage.resolve(1, at(n));
      bell.ring();
    },
    start(over = {}, session = {}) {
      const controller = new AbortController();
      let stopAt: Hlc | null = null;
      const ended = runApplyLoop({
        stage,
        stream,
        token,
        incarnation: 1,
        openSession: () => openSession(session),
        limits: { rows: 1000, bytes: 1_000_000 },
        source: SAME_SOURCE,
        signal: controller.signal,
        bell,
        stopAt: () => stopAt,
        onProgress: (latest) => (progress = latest),
        log: (line) => log.push(line),
        idleAdvanceMs: 50,
        retireOffsetMs: 0,
        abortGraceMs: 500,
        retry: { firstMs: 20, maxMs: 200 },
        ...over,
      });
      const loop: RunningLoop = {
        ended,
        stopAt(n) {
          stopAt = n;
          bell.ring();
          return ended;
        },
        abort() {
          controller.abort();
          return ended;
        },
      };
      loops.push(loop);
      return loop;
    },
  };
}

/** A change as the intake hands it to the stage. */
export function incoming(change: ApplyMutation): IncomingMutation {
  const encoded = new Uint8Array(HLC_BYTES);
  writeHlc(encoded, 0, change.at);
  return { at: encoded, table: change.table, key: change.key, after: change.after, columns: change.columns };
}
