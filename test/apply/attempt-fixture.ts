import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { runAttempt, type AttemptOptions, type AttemptOutcome, type Taken } from '../../src/apply/attempt.js';
import { createBell } from '../../src/apply/bell.js';
import type { Hlc } from '../../src/domain/hlc.js';
import { planFingerprint } from '../../src/domain/table.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import type { Stage } from '../../src/staging/stage.js';
import { openPostgresApplySession } from '../../src/targets/postgres/session.js';
import type { ApplyMutation, ApplySession } from '../../src/targets/target.js';
import type { Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { incoming, SAME_SOURCE } from './loop-fixture.js';
import { at, createApplyFixture, planOf, upsert, type ApplyFixture } from '../targets/postgres/apply-fixture.js';

/** Attempts of one stream over real stages and a real target. */
export interface Attempting {
  /** Opens the stage of a host, or opens it again as the next process of that host does. */
  stageOf(host: string): Promise<Stage>;
  start(stage: Stage, over?: Partial<AttemptOptions>): RunningAttempt;
}

/** ... a PostgreSQL; its one table is `t (id, v)`. */
export interface AttemptFixture extends ApplyFixture, Attempting {
  /** `(stage id, incarnation)` of the checkpoint row. */
  row(): Promise<(string | null)[]>;
  ids(): Promise<string>;
}

export interface RunningAttempt {
  readonly token: string;
  readonly ended: Promise<AttemptOutcome>;
  /** What happened to the intake, in order: `open 2`, `closed`. */
  readonly intake: string[];
  readonly log: string[];
  /** Awaits the n-th takeover (1 is the first). */
  taken(n?: number): Promise<Taken>;
  /** Takes rows and a resolved timestamp as one body of the incarnation. */
  receive(incarnation: number, rows: readonly number[], resolved: number): Promise<void>;
  /** ... of these changes. */
  receiveChanges(incarnation: number, changes: readonly ApplyMutation[], resolved: number): Promise<void>;
  applied(): Hlc | null;
  abort(): Promise<AttemptOutcome>;
}

export const PLAN = planOf(['t']);
export const FINGERPRINT = planFingerprint(PLAN);

export async function createAttemptFixture(
  t: TestContext,
  postgres: Postgres,
  ddl = 'CREATE TABLE t (id int PRIMARY KEY, v int)',
  tables: readonly string[] = ['t'],
): Promise<AttemptFixture> {
  const fixture = await createApplyFixture(t, postgres, ddl, tables);
  const openSession = (): Promise<ApplySession> =>
    openPostgresApplySession(fixture.options({ connectTimeoutMs: 2000 }));
  return {
    ...fixture,
    ...createAttempting(t, fixture.stream, openSession),
    row: async () => (await fixture.rows('SELECT stage_id, incarnation::text FROM _failback.checkpoint'))[0] ?? [],
    ids: async () => (await fixture.rows('SELECT id::text FROM t ORDER BY id')).map(([id]) => id).join(),
  };
}

export function createAttempting(t: TestContext, stream: string, openSession: () => Promise<ApplySession>): Attempting {
  const folder = mkdtempSync(path.join(tmpdir(), 'failback-attempt-'));
  const stages = new Map<string, Stage>();
  const running: RunningAttempt[] = [];
  t.after(async () => {
    await Promise.all(running.map((attempt) => attempt.abort().catch(() => undefined)));
    await Promise.all([...stages.values()].map((stage) => stage.close()));
    rmSync(folder, { recursive: true });
  });
  return {
    async stageOf(host) {
      await stages.get(host)?.close();
      const stage = openLmdbStage({ stageDir: path.join(folder, host), stream });
      stages.set(host, stage);
      return stage;
    },
    start(stage, over = {}) {
      const attempt = startAttempt(stream, openSession, stage, over);
      running.push(attempt);
      return attempt;
    },
  };
}

function startAttempt(
  stream: string,
  openSession: () => Promise<ApplySession>,
  stage: Stage,
  over: Partial<AttemptOptions>,
): RunningAttempt {
  const controller = new AbortController();
  const bell = createBell();
  const [intake, log, takeovers]: [string[], string[], Taken[]] = [[], [], []];
  let applied: Hlc | null = null;
  const options: AttemptOptions = {
    stage,
    stream,
    token: randomUUID(),
    plan: PLAN,
    renew: false,
    mirrored: null,
    source: SAME_SOURCE,
    signal: controller.signal,
    bell,
    limits: { rows: 1000, bytes: 1_000_000 },
    idleAdvanceMs: 20,
    retireOffsetMs: 0,
    abortGraceMs: 500,
    retry: { firstMs: 20, maxMs: 100 },
    log: (line) => log.push(line),
    openSession,
    listen: (incarnation) => {
      intake.push(`open ${incarnation}`);
      return () => void intake.push('closed');
    },
    onTaken: (taken) => {
      takeovers.push(taken);
      return Promise.resolve();
    },
    onTrouble: () => undefined,
    onProgress: (progress) => (applied = progress.applied),
    stopAt: () => null,
    onHold: () => Promise.resolve(),
    ...over,
  };
  const receiveChanges = async (
    incarnation: number,
    changes: readonly ApplyMutation[],
    resolved: number,
  ): Promise<void> => {
    await stage.accept(incarnation, changes.map(incoming), at(0));
    await stage.resolve(incarnation, at(resolved));
    bell.ring();
  };
  const ended = runAttempt(options);
  // An attempt that crashes is looked at by its test.
  ended.catch(() => undefined);
  return {
    token: options.token,
    ended,
    intake,
    log,
    taken: (n = 1) => until(`takeover ${n} (${log.join('; ')})`, () => takeovers[n - 1]),
    receive: (incarnation, rows, resolved) => receiveChanges(incarnation, rows.map(rowOf), resolved),
    receiveChanges,
    applied: () => applied,
    abort() {
      controller.abort();
      return ended;
    },
  };
}

const rowOf = (n: number): ApplyMutation => upsert(n, 0, `[${n}]`, `{"id": ${n}, "v": ${n}}`);

/** A session of which some calls are replaced. */
export function sessionWith(fixture: ApplyFixture, replace: (session: ApplySession) => Partial<ApplySession>) {
  return async (): Promise<ApplySession> => {
    const session = await openPostgresApplySession(fixture.options({ connectTimeoutMs: 2000 }));
    return { ...session, ...replace(session) };
  };
}

/** An attempt that has applied up to 1, has 2 and 3 staged, and has ended; its stage is opened again. */
export async function survivor(fixture: AttemptFixture): Promise<Stage> {
  const first = fixture.start(await fixture.stageOf('a'));
  await first.taken();
  await first.receive(1, [1], 1);
  await until('1 is applied', () => first.applied() === at(1));
  assert.deepEqual(await first.abort(), { ended: 'aborted' });
  const stage = await fixture.stageOf('a');
  const staging = fixture.start(stage, { stopAt: () => at(1) });
  await staging.taken();
  await staging.receive(1, [2, 3], 3);
  await staging.abort();
  return fixture.stageOf('a');
}
