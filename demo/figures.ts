import { parsePrometheusText, type Sample } from '../src/domain/prometheus.js';

/** The worker's figures, counted over all its lives. */
export interface Figures {
  readonly received: number;
  readonly applied: number;
  /** In the stage, not applied yet. */
  readonly staged: number;
  /** Now minus the checkpoint; null before the first. */
  readonly lagMs: number | null;
  /** Received again, in the life that is now. */
  readonly redelivered: number;
  readonly late: number;
}

export const NO_FIGURES: Figures = { received: 0, applied: 0, staged: 0, lagMs: null, redelivered: 0, late: 0 };

/** A worker that starts again counts from 0: what was counted before is kept, as a monitor does. */
function createCounter(): (value: number) => number {
  let before = 0;
  let last = 0;
  return (value) => {
    if (value < last) before += last;
    last = value;
    return before + value;
  };
}

/** Reads the worker's `/_/varz`. Returns what was last known while nothing answers or no stream is live. */
export function createFiguresReader(url: string): () => Promise<Figures> {
  const received = createCounter();
  const applied = createCounter();
  const late = createCounter();
  let figures = NO_FIGURES;
  let checkpointMs = 0;
  const lagMs = (): number | null => (checkpointMs === 0 ? null : Math.max(0, Date.now() - checkpointMs));
  return async () => {
    const samples = await fetchSamples(url);
    const value = (name: string) => samples.find((sample) => sample.name === name)?.value;
    const committed = value('checkpoint_committed_time_seconds');
    if (committed === undefined) return { ...figures, lagMs: lagMs() };
    // 0: this life of the worker has not read it yet.
    if (committed > 0) checkpointMs = committed * 1_000;
    figures = {
      received: received(value('mutations_received_count') ?? 0),
      applied: applied((value('apply_upserts_total') ?? 0) + (value('apply_deletes_total') ?? 0)),
      staged: value('stage_mutations') ?? 0,
      lagMs: lagMs(),
      redelivered: (value('stage_duplicate_mutations_total') ?? 0) + (value('stage_dropped_mutations_total') ?? 0),
      late: late(value('stage_late_mutations_total') ?? 0),
    };
    return figures;
  };
}

const FETCH_MS = 2_000;

async function fetchSamples(url: string): Promise<readonly Sample[]> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_MS) });
    return response.ok ? parsePrometheusText(await response.text()) : [];
  } catch {
    return [];
  }
}
