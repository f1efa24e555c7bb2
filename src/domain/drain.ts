import type { Sample } from './prometheus.js';

/** What the forward replicator said at one moment. */
export interface ForwardReading {
  /** `apply_upserts_total + apply_deletes_total` by schema. */
  readonly appliedBySchema: Readonly<Record<string, number>>;
  /** Greatest source lag that it reports, in milliseconds; null when it reports none. */
  readonly sourceLagMs: number | null;
}

/** What we know of the drain so far. `quietSince` is when the totals were first seen as they are now. */
export interface DrainState {
  readonly last: ForwardReading | null;
  readonly quietSinceMs: number | null;
}

export const DRAIN_UNKNOWN: DrainState = { last: null, quietSinceMs: null };

export type DrainVerdict =
  { readonly drained: true; readonly quietForMs: number } | { readonly drained: false; readonly why: string };

const APPLIED = ['apply_upserts_total', 'apply_deletes_total'];
const SOURCE_LAG = ['source_lag_seconds', 'core_source_lag_seconds'];

/** Sums the replicator's counters by schema, and finds its lag. Null when it exposes no apply counter: unknown is not drained. */
export function readForward(samples: readonly Sample[]): ForwardReading | null {
  const appliedBySchema: Record<string, number> = {};
  let sourceLagMs: number | null = null;
  for (const { name, labels, value } of samples) {
    if (APPLIED.includes(name)) {
      const schema = labels['schema'] ?? '';
      appliedBySchema[schema] = (appliedBySchema[schema] ?? 0) + value;
    } else if (SOURCE_LAG.includes(name)) {
      sourceLagMs = Math.max(sourceLagMs ?? 0, value * 1_000);
    }
  }
  return Object.keys(appliedBySchema).length === 0 ? null : { appliedBySchema, sourceLagMs };
}

/**
 * Takes one more look. Pure: the time is an input, from a monotonic clock, in milliseconds.
 * @param reading null when the endpoint did not answer or exposed no counter
 */
export function observeDrain(
  state: DrainState,
  reading: ForwardReading | null,
  nowMs: number,
  limits: { readonly quietForMs: number; readonly maxSourceLagMs: number },
): { readonly state: DrainState; readonly verdict: DrainVerdict } {
  if (reading === null) {
    return {
      state: DRAIN_UNKNOWN,
      verdict: {
        drained: false,
        why: 'the metrics endpoint does not answer with apply counters: unknown is not drained',
      },
    };
  }
  const moved = movedSchemas(state.last, reading);
  const quietSinceMs = moved.length > 0 || state.quietSinceMs === null ? nowMs : state.quietSinceMs;
  const next: DrainState = { last: reading, quietSinceMs };
  if (moved.length > 0)
    return { state: next, verdict: { drained: false, why: `rows are still being applied in ${moved.join(', ')}` } };
  if (reading.sourceLagMs !== null && !(reading.sourceLagMs <= limits.maxSourceLagMs)) {
    // A rate of 0 far behind the source means that it is stuck, not that it is done.
    return {
      state: { ...next, quietSinceMs: nowMs },
      verdict: {
        drained: false,
        why: `the rate is 0 but the source lag is ${Math.round(reading.sourceLagMs / 1_000)} s: it is behind, not done`,
      },
    };
  }
  const quietForMs = nowMs - quietSinceMs;
  return quietForMs >= limits.quietForMs
    ? { state: next, verdict: { drained: true, quietForMs } }
    : {
        state: next,
        verdict: {
          drained: false,
          why: `quiet for ${Math.round(quietForMs / 1_000)} s of ${Math.round(limits.quietForMs / 1_000)} s`,
        },
      };
}

function movedSchemas(before: ForwardReading | null, now: ForwardReading): string[] {
  if (before === null) return [];
  const schemas = new Set([...Object.keys(before.appliedBySchema), ...Object.keys(now.appliedBySchema)]);
  return [...schemas].filter((schema) => before.appliedBySchema[schema] !== now.appliedBySchema[schema]).sort();
}
