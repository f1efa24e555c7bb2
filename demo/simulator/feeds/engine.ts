import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { envelopeKind, type FeedDefinition } from './definition.js';
import type { EmittedRow } from './emitter.js';
import { DEFAULT_TUNING, type Tuning } from './faults.js';
import { resolvedMessage } from './encode.js';
import { runFlow } from './flow.js';
import { runJob, speakLastWords } from './job-runner.js';
import { createJobStore } from './job-store.js';

export interface FeedEngineOptions {
  /** To the backing database, as its owner. Each running changefeed takes up to one of its connections while it reads. */
  readonly pool: pg.Pool;
  readonly log?: (line: string) => void;
  readonly tuning?: Partial<Tuning>;
}

/** A row of a changefeed without a sink; a resolved message has neither table nor key. */
export interface SinklessRow {
  readonly table: string | null;
  readonly key: string | null;
  readonly value: string;
}

export interface FeedEngine {
  /**
   * Streams a changefeed without a sink until `signal` says stop, and resolves then.
   * @throws TerminalFeedError (with its SQLSTATE) when the changefeed ends by itself
   */
  streamSinkless(
    definition: FeedDefinition,
    emit: (row: SinklessRow) => Promise<void> | void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Ends every flow. The jobs stay as they are and go on from their high-water with the next engine. */
  stop(): Promise<void>;
}

interface Runner {
  readonly stop: () => void;
  readonly ended: Promise<void>;
}

const LOOK_EVERY_MS = 100;
/** How long a cancelled job is seen as `reverting`. */
const REVERTING_MS = 30;

/** Runs every changefeed job of the backing database and does what people ask of them. */
export function startFeedEngine({ pool, log = () => undefined, tuning: given }: FeedEngineOptions): FeedEngine {
  const tuning = { ...DEFAULT_TUNING, ...given };
  const jobs = createJobStore(pool);
  const stopping = new AbortController();
  const runners = new Map<string, Runner>();
  const lastWords = new Set<Promise<void>>();

  function start(jobId: string): void {
    const own = new AbortController();
    const signal = AbortSignal.any([own.signal, stopping.signal]);
    const ended = runJob({ pool, jobs, jobId, tuning, signal })
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) log(`changefeed job ${jobId}: ${(error as Error).message}`);
      })
      .then(() => void runners.delete(jobId));
    runners.set(jobId, { stop: () => own.abort(), ended });
  }

  async function halt(jobId: string): Promise<void> {
    runners.get(jobId)?.stop();
    await runners.get(jobId)?.ended;
  }

  async function serve(jobId: string, status: string): Promise<void> {
    if (status === 'running') {
      if (!runners.has(jobId)) start(jobId);
      return;
    }
    await halt(jobId);
    if (status === 'pause-requested') {
      await jobs.move(jobId, 'pause-requested', 'paused');
      return;
    }
    if (status === 'cancel-requested') {
      await jobs.move(jobId, 'cancel-requested', 'reverting', { error: 'job canceled by user' });
      await delay(REVERTING_MS, undefined, { signal: stopping.signal });
    }
    if (!(await jobs.move(jobId, 'reverting', 'canceled', { finished: true }))) return;
    const spoken = speakLastWords({ pool, jobs, jobId, tuning, signal: stopping.signal })
      .catch((error: unknown) => log(`last words of changefeed job ${jobId}: ${(error as Error).message}`))
      .finally(() => lastWords.delete(spoken));
    lastWords.add(spoken);
  }

  async function look(): Promise<void> {
    const pending = await jobs.pending();
    await Promise.all(pending.map(({ jobId, status }) => serve(jobId, status)));
    // A job that was paused by itself, or whose row is gone, is not among the pending ones.
    const alive = new Set(pending.map(({ jobId }) => jobId));
    await Promise.all([...runners.keys()].filter((jobId) => !alive.has(jobId)).map(halt));
  }

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await look();
        await delay(LOOK_EVERY_MS, undefined, { signal: stopping.signal });
      } catch (error) {
        if (stopping.signal.aborted) return;
        log(`changefeed jobs cannot be read: ${(error as Error).message}`);
        await delay(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
  }

  const watching = watch();
  return {
    async streamSinkless(definition, emit, signal) {
      const stopped = AbortSignal.any([signal, stopping.signal]);
      try {
        await runFlow(
          {
            emit: async ({ table, key, value }: EmittedRow) => emit({ table, key, value }),
            flush: () => Promise.resolve(),
            checkpoint: async (resolved, tell) => {
              if (tell)
                await emit({
                  table: null,
                  key: null,
                  value: resolvedMessage(resolved, envelopeKind(definition.options)),
                });
            },
          },
          {
            pool,
            definition,
            style: 'spaced',
            tuning,
            jobId: '',
            highWater: null,
            endsAtKeyChange: true,
            signal: stopped,
          },
        );
      } catch (error) {
        if (!stopped.aborted) throw error;
      }
    },
    async stop() {
      stopping.abort();
      await watching;
      await Promise.all([...lastWords, ...[...runners.values()].map((runner) => runner.ended)]);
    },
  };
}
