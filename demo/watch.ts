import { setTimeout as delay } from 'node:timers/promises';
import type { RunbookStatus } from '../src/domain/status.js';
import { createFiguresReader, NO_FIGURES, type Figures } from './figures.js';
import type { Run } from './runbook.js';

/** What is known of the run, looked at a few times a second. */
export interface Watch {
  /** As of the last answer; null before the first. */
  readonly status: RunbookStatus | null;
  readonly figures: Figures;
  stop(): Promise<void>;
}

const EVERY_MS = 250;

/** @param onLook called after each look */
export function startWatch(run: Run, metricsUrl: string, onLook: (watch: Watch) => void): Watch {
  const readFigures = createFiguresReader(metricsUrl);
  const end = new AbortController();
  let status: RunbookStatus | null = null;
  let figures = NO_FIGURES;
  const repeat = async (look: () => Promise<void>): Promise<void> => {
    while (!end.signal.aborted) {
      await look();
      if (!end.signal.aborted) onLook(watch);
      await delay(EVERY_MS, undefined, { signal: end.signal }).catch(() => undefined);
    }
  };
  const watch: Watch = {
    get status() {
      return status;
    },
    get figures() {
      return figures;
    },
    async stop() {
      end.abort();
      await loops;
    },
  };
  const loops = Promise.all([
    repeat(async () => {
      figures = await readFigures();
    }),
    // No worker, no answer: what was last known stands.
    repeat(async () => {
      status = await run.status().catch(() => status);
    }),
  ]);
  return watch;
}
