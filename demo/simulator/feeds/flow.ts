import { setTimeout as delay } from 'node:timers/promises';
import { readMoment, type Moment } from './clock.js';
import { collapsed } from './collapse.js';
import { initialScan, pace, type FeedDefinition } from './definition.js';
import { createEmitter } from './emitter.js';
import { argument, standing, tuned, useUp, type Faults, type Tuning } from './faults.js';
import { TerminalFeedError, UNCATEGORIZED } from './feed-error.js';
import { compareHlc, hlcProse, laterHlc, previousHlc, type Hlc } from './hlc.js';
import type { JsonStyle } from './json-text.js';
import { createLogReader } from './log-reader.js';
import { reordering, type Output } from './output.js';
import { passSchemaChange, statementName, type BoundaryContext } from './schema-boundary.js';
import type pg from 'pg';

export interface FlowOptions {
  readonly pool: pg.Pool;
  readonly definition: FeedDefinition;
  readonly style: JsonStyle;
  readonly tuning: Tuning;
  /** Names the job in faults; empty without a job. */
  readonly jobId: string;
  readonly highWater: Hlc | null;
  readonly endsAtKeyChange: boolean;
  readonly signal: AbortSignal;
  /** Told of every look at the database. */
  readonly onMoment?: (faults: Faults, tuning: Tuning) => void;
}

/**
 * One life of a changefeed, from its high-water on: rows as they are committed, then the timestamps up to which they are complete.
 * Returns when an initial scan was all that was asked for. @throws TerminalFeedError, the output's errors, and when aborted.
 */
export async function runFlow(output: Output, options: FlowOptions): Promise<void> {
  const { pool, definition, signal, jobId } = options;
  const reader = createLogReader(pool);
  const tables = definition.targets.map((target) => String(target.table_id));
  const emitter = createEmitter(reader, definition, options.style);
  const { checkpointMs, resolvedMs } = pace(definition);
  const first = await readMoment(pool);
  let faults = first.faults;
  const out = reordering(output, () => {
    const reorder = standing(faults, 'feed_reorder', jobId);
    return reorder && argument(reorder, 'seed', 1);
  });
  const start = options.highWater ?? definition.cursor ?? first.now;
  const boundary: BoundaryContext = {
    reader,
    definition,
    emitter,
    output: out,
    start,
    endsAtKeyChange: options.endsAtKeyChange,
  };
  let rowsSent = 0;

  async function emitBetween(from: Hlc, to: Hlc, killAfter: number): Promise<void> {
    for await (const row of collapsed(reader.changes(tables, from, to))) {
      signal.throwIfAborted();
      if (row.op === 't')
        throw new TerminalFeedError(`"${statementName(definition, row.tableId)}" was truncated`, UNCATEGORIZED);
      await out.emit(await emitter(row));
      if (++rowsSent >= killAfter && (await useUp(pool, 'feed_kill'))) {
        await out.flush();
        throw new Error('simulated: the flow was killed');
      }
    }
  }

  /** Everything after `from` up to `to`; returns what schema changes on the way have resolved. */
  async function advance(from: Hlc, to: Hlc, killAfter: number): Promise<Hlc | null> {
    let resolved: Hlc | null = null;
    let at = from;
    for (const change of await reader.schemaChanges(tables, from, to)) {
      const justBefore = previousHlc(change.at);
      if (compareHlc(justBefore, at) > 0) await emitBetween(at, justBefore, killAfter);
      at = laterHlc(at, justBefore);
      resolved = (await passSchemaChange(boundary, change)) ?? resolved;
    }
    await emitBetween(at, to, killAfter);
    return resolved;
  }

  async function scanTables(at: Hlc): Promise<void> {
    for (const tableId of tables) {
      const version = await reader.versionAt(tableId, at);
      if (version === null) continue;
      for await (const row of reader.scan(tableId, at)) {
        signal.throwIfAborted();
        await out.emit(await emitter(row, { version, updated: at, before: null }));
      }
    }
  }

  const scan = options.highWater === null ? initialScan(definition) : 'no';
  await refuseCollected(reader, tables, start);
  let resolved = start;
  let frontier = start;
  if (scan !== 'no') {
    await scanTables(start);
    await out.flush();
    await out.checkpoint(start, resolvedMs !== null);
    if (scan === 'only') return;
  }

  let keptAt = performance.now();
  let toldAt = performance.now();
  for (let moment = first; ; moment = await readMoment(pool)) {
    signal.throwIfAborted();
    const tuning = tuned(options.tuning, moment.faults);
    faults = moment.faults;
    options.onMoment?.(faults, tuning);
    if (!standing(faults, 'feed_stall', jobId)) {
      const kill = standing(faults, 'feed_kill', jobId);
      const killAfter = kill ? Math.max(1, argument(kill, 'afterRows', 1)) : Infinity;
      if (compareHlc(moment.now, frontier) > 0) {
        resolved = (await advance(frontier, moment.now, killAfter)) ?? resolved;
        frontier = moment.now;
      }
      const closed = laterHlc(resolved, closedAt(moment, tuning, frontier));
      const due = performance.now() - keptAt >= checkpointMs && compareHlc(closed, resolved) > 0;
      if (due && !standing(faults, 'feed_hold_resolved', jobId)) {
        const replay = standing(faults, 'feed_replay', jobId);
        if (replay && (await useUp(pool, 'feed_replay'))) {
          const backMs = argument(replay, 'backMs', 0);
          const back = { nanos: resolved.nanos - BigInt(Math.round(backMs * 1e6)), logical: 0 };
          await emitBetween(laterHlc(back, definition.cursor ?? start), frontier, Infinity);
        }
        await out.flush();
        const tell = resolvedMs !== null && performance.now() - toldAt >= resolvedMs;
        keptAt = performance.now();
        if (tell) toldAt = keptAt;
        await out.checkpoint(closed, tell);
        resolved = closed;
      }
    }
    await delay(tuning.pollMs, undefined, { signal });
  }
}

/** The newest timestamp that may be resolved: the closed timestamp trails the clock. */
function closedAt({ now, closedTimestampMs }: Moment, { closedTimestampLagMs }: Tuning, frontier: Hlc): Hlc {
  const lagMs = closedTimestampLagMs ?? closedTimestampMs;
  const closed = { nanos: now.nanos - BigInt(Math.round(lagMs * 1e6)), logical: 0 };
  return compareHlc(closed, frontier) < 0 ? closed : frontier;
}

async function refuseCollected(
  reader: ReturnType<typeof createLogReader>,
  tables: readonly string[],
  start: Hlc,
): Promise<void> {
  const collected = await reader.gcThreshold(tables);
  if (collected && start.nanos <= collected.nanos) {
    const threshold = hlcProse({ nanos: collected.nanos, logical: 0 });
    throw new TerminalFeedError(
      `batch timestamp ${hlcProse(start)} must be after replica GC threshold ${threshold}`,
      UNCATEGORIZED,
    );
  }
}
