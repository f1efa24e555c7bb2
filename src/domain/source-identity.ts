import { formatTableName, type StreamPlan } from './table.js';

/** Which cluster and which tables a stream began with; a change halts (protocol rule 9). */
export interface SourceOrigin {
  readonly clusterId: string;
  /** Descriptor ids by `schema.table`. */
  readonly tableIds: Readonly<Record<string, string>>;
}

/** The primary key of a table at some timestamp. */
export interface FoundKey {
  /** Names, in the key's order. */
  readonly columns: readonly string[];
  /** The index that holds the key: altering a key makes another one, and none ever comes back. */
  readonly indexId: string;
}

/** Primary keys by the table's descriptor id; a table that is not there has none. */
export type FoundKeys = ReadonlyMap<string, FoundKey>;

/** The source is no longer what the stream began with. A person decides; nothing is applied meanwhile. */
export class SourceChangedError extends Error {
  constructor(
    readonly type: 'Source.TableChanged' | 'Source.KeyChanged',
    message: string,
  ) {
    super(message);
    this.name = 'SourceChangedError';
  }
}

/**
 * Whether the source found is another one than the stream began with, in words; null: it is the same (protocol rule 9). Only the names that
 * lead to a table now are in `now`: a table that was renamed keeps its id and is followed by it, one that was dropped is told by its changefeed.
 */
export function findOriginChange(began: SourceOrigin, now: SourceOrigin): string | null {
  if (began.clusterId !== now.clusterId)
    return `the stream began with cluster ${began.clusterId}, and this is cluster ${now.clusterId}`;
  for (const [table, id] of Object.entries(now.tableIds)) {
    const known = began.tableIds[table];
    if (known !== id)
      return `table ${table} had id ${known ?? 'none'} when the stream began and has id ${id} now: it is another table`;
  }
  return null;
}

/** The first table whose primary key is not the plan's, by names and order, in words; null: all are as planned (protocol rule 8). */
export function findKeyChange(plan: StreamPlan, found: FoundKeys): string | null {
  for (const table of plan) {
    const key = found.get(table.sourceId)?.columns;
    const known = table.keyColumns.map((column) => column.name);
    if (key && !(key.length === known.length && key.every((name, n) => name === known[n])))
      return `the primary key of ${formatTableName(table.source)} was (${known.join(', ')}) when the stream began and is (${key.join(', ')}) now`;
  }
  return null;
}

/** Equal at two timestamps: no primary key was altered between them. */
export function keysFingerprint(plan: StreamPlan, found: FoundKeys): string {
  return JSON.stringify(plan.map((table) => found.get(table.sourceId) ?? null));
}
