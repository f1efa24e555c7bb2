import type { EnvelopeKind } from './encode.js';
import { parseGoDuration } from './go-duration.js';
import type { Hlc } from './hlc.js';

export interface FeedTarget {
  readonly table_id: string | number;
  /** The name in the statement; stays in errors when the table is renamed. */
  readonly name: string;
  /** Stays the same when the table is renamed. */
  readonly topic: string;
}

/** The WITH clause; an option without a value is there with null or ''. */
export type FeedOptions = Readonly<Record<string, string | null>>;

export type InitialScan = 'yes' | 'no' | 'only';

/** A changefeed's statement, read. */
export interface FeedDefinition {
  readonly targets: readonly FeedTarget[];
  readonly options: FeedOptions;
  /** The cursor: where the feed begins when it has no high-water. Null is "now". */
  readonly cursor: Hlc | null;
}

/** How often progress is kept when `min_checkpoint_frequency` is not given. */
const DEFAULT_CHECKPOINT_MS = 30_000;

export function hasOption(options: FeedOptions, name: string): boolean {
  return Object.hasOwn(options, name) && options[name] !== 'false';
}

export function envelopeKind({ envelope }: FeedOptions): EnvelopeKind {
  if (envelope === 'key_only') return envelope;
  return envelope === 'row' || envelope === 'deprecated_row' ? 'row' : 'wrapped';
}

/** Without a word on it a feed scans when it has no cursor. */
export function initialScan({ options, cursor }: FeedDefinition): InitialScan {
  if (hasOption(options, 'no_initial_scan')) return 'no';
  if (hasOption(options, 'initial_scan_only')) return 'only';
  if (!hasOption(options, 'initial_scan')) return cursor === null ? 'yes' : 'no';
  const value = options['initial_scan'];
  return value === 'no' || value === 'only' ? value : 'yes';
}

export interface Pace {
  /** Milliseconds between two kept high-waters. */
  readonly checkpointMs: number;
  /** Milliseconds between two resolved messages, at least; null when none are sent. */
  readonly resolvedMs: number | null;
}

export function pace({ options }: FeedDefinition): Pace {
  const frequency = options['min_checkpoint_frequency'];
  const resolved = options['resolved'];
  return {
    checkpointMs: frequency ? parseGoDuration(frequency) : DEFAULT_CHECKPOINT_MS,
    resolvedMs: hasOption(options, 'resolved') ? (resolved ? parseGoDuration(resolved) : 0) : null,
  };
}

export type SchemaPolicy = 'backfill' | 'nobackfill' | 'stop';

export function schemaPolicy({ options }: FeedDefinition): SchemaPolicy {
  const policy = options['schema_change_policy'];
  return policy === 'nobackfill' || policy === 'stop' ? policy : 'backfill';
}
