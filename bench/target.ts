import type { ApplyLoopOptions } from '../src/apply/loop.js';
import type { StreamPlan } from '../src/domain/table.js';
import type { SessionOptions } from '../src/targets/session/session.js';
import type { ApplySession } from '../src/targets/target.js';
import type { Form } from './ceiling.js';
import type { RowShape } from './rows.js';

/** The stream of the benchmarks, and the checkpoint's schema. */
export const STREAM = 's';
export const SCHEMA = '_failback';

/** A target's server with nothing but the benchmark's own, which keeps what it has committed. */
export interface BenchTarget {
  /** The set-based statements that may be the best on this server. */
  readonly forms: Readonly<Record<string, Form>>;
  /** How the loop may send rows: options of its session. The last one is how it does. */
  readonly ways: Readonly<Record<string, Partial<SessionOptions>>>;
  /** Empty tables, and a checkpoint at the beginning of the rows. */
  empty(shape: RowShape): Promise<void>;
  /** A session as a run has it that may switch enforcement off. */
  openSession(plan: StreamPlan, over: Partial<SessionOptions>): Promise<ApplySession>;
  stop(): Promise<void>;
}

/** What every session of a benchmark is given. */
export const SESSION = {
  stream: STREAM,
  checkpointSchema: SCHEMA,
  flushSize: 5_000,
  extraColumns: 'error',
  enforcementOff: true,
  collapseMutations: true,
  lockTimeoutMs: 5_000,
  idleInTransactionTimeoutMs: 60_000,
} satisfies Omit<SessionOptions, 'plan'>;

/** What every loop of a benchmark is given: nobody stops it, and the source is what it was. */
export const LOOP = {
  stream: STREAM,
  token: 'token',
  incarnation: 1,
  limits: { rows: 20_000, bytes: 64_000_000 },
  signal: new AbortController().signal,
  source: { changed: () => null, firstOtherKey: () => Promise.resolve(null) },
  onProgress: () => undefined,
  log: console.error,
  idleAdvanceMs: 1_000,
  retireOffsetMs: 0,
  abortGraceMs: 1_000,
  retry: { firstMs: 100, maxMs: 1_000 },
} satisfies Partial<ApplyLoopOptions>;
