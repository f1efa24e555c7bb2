import { setImmediate as turn } from 'node:timers/promises';
import type { Hlc } from '../domain/hlc.js';
import type { SpanLimits, Stage, StagedMutation, StagedSpan, StagePosition } from '../staging/stage.js';

/** Rows read between two turns of the event loop: what the target and the changefeed send must not wait for more. */
export const SCAN_SIZE = 250;
/** A timestamp that would take a span beyond the limits by so much is not finished in it. */
const MOST = 2;
/** Such a timestamp is read in parts of so much of the limits: one part is held while it is written, the next while it is read. */
const PART = 0.5;

/** Reads the next window while the one before it is written: the target must not wait for the stage. */
export interface ReadAhead {
  /** Begins to read (after, upTo], up to the limits, and no more rows than may wait. */
  begin(after: Hlc, upTo: Hlc): void;
  /** Gives back what was taken: it has waited for more to come. */
  keep(after: Hlc, span: StagedSpan): void;
  /**
   * The span after `after`, up to the limits, which nowhere passes `upTo`: what was read ahead and still holds, and what has come since. It is cut
   * only where it is one timestamp that is much larger than the limits: `parts` reads the whole of it.
   */
  take(after: Hlc, upTo: Hlc): Promise<StagedSpan>;
  /** All changes of one timestamp from a table on, in parts as large as the limits; the next one is read while one is written. */
  parts(at: Hlc, fromTable: number): AsyncGenerator<readonly StagedMutation[]>;
  /** Ends the reading under way, so that the stage may be closed. */
  end(): Promise<void>;
}

interface Begun {
  readonly after: Hlc;
  /** Rows that came late were not seen by what had been read before them. */
  readonly late: number;
  readonly span: Promise<StagedSpan>;
}

const NO_KEY = new Uint8Array(0);

export interface ReadAheadTuning {
  /** Rows read from the stage at once. MOLT's word. */
  readonly scanSize?: number;
  /** Rows that may wait, read ahead, while a window is written. */
  readonly queueSize?: number;
}

export function createReadAhead(
  stage: Pick<Stage, 'read' | 'lateRows'>,
  limits: SpanLimits,
  { scanSize = SCAN_SIZE, queueSize = limits.rows }: ReadAheadTuning = {},
): ReadAhead {
  const partLimits = { rows: Math.ceil(limits.rows * PART), bytes: limits.bytes * PART };
  let begun: Begun | null = null;
  let lateWhenTaken = 0;
  let part: Promise<unknown> = Promise.resolve();
  let ended = false;

  /** Reads on from `from`, in slices, until a limit is reached, and no further than to `most` times the limits within a timestamp. */
  async function read(from: StagedSpan, upTo: Hlc, most: number, limits: SpanLimits): Promise<StagedSpan> {
    const mutations: StagedMutation[] = [...from.mutations];
    let bytes = mutations.reduce((sum, { after }) => sum + (after?.length ?? 0), 0);
    let { end, cut } = from;
    const has = (times: number): boolean => mutations.length >= limits.rows * times || bytes >= limits.bytes * times;
    while (!ended && (cut ? !has(most) : end < upTo && !has(1))) {
      const after: Hlc | StagePosition = (cut ? mutations.at(-1) : undefined) ?? end;
      const rows = has(1) ? scanSize : Math.min(scanSize, limits.rows - mutations.length);
      const room = limits.bytes * (has(1) ? most : 1) - bytes;
      const slice = await stage.read(after, upTo, { rows, bytes: room, maySplit: true });
      // Beyond the limits only the timestamp is finished.
      const finished = has(1) ? slice.mutations.findIndex(({ at }) => at !== end) : -1;
      for (const mutation of finished < 0 ? slice.mutations : slice.mutations.slice(0, finished)) {
        mutations.push(mutation);
        bytes += mutation.after?.length ?? 0;
      }
      if (finished >= 0) return { mutations, end, cut: false };
      ({ end, cut } = slice);
      if (cut || end < upTo) await turn();
    }
    return { mutations, end, cut };
  }

  /** A span that is cut ends before that timestamp, if anything is before it. */
  async function readWindow(from: StagedSpan, upTo: Hlc, rows = limits.rows): Promise<StagedSpan> {
    const span = await read(from, upTo, MOST, { ...limits, rows });
    if (!span.cut) return span;
    const before = span.mutations.findIndex(({ at }) => at === span.end);
    const last = span.mutations[before - 1];
    return last === undefined ? span : { mutations: span.mutations.slice(0, before), end: last.at, cut: false };
  }

  async function readPart(after: StagePosition): Promise<StagedSpan> {
    const { mutations, ...first } = await stage.read(after, after.at, { rows: 1, bytes: 1, maySplit: true });
    return read({ mutations, ...first }, after.at, 1, partLimits);
  }

  return {
    begin(after, upTo) {
      const span = readWindow({ mutations: [], end: after, cut: false }, upTo, Math.min(limits.rows, queueSize));
      // Whoever takes it is told; nobody may.
      span.catch(() => undefined);
      begun = { after, late: stage.lateRows(), span };
    },
    keep(after, span) {
      begun = { after, late: lateWhenTaken, span: Promise.resolve(span) };
    },
    async take(after, upTo) {
      lateWhenTaken = stage.lateRows();
      const mine = begun;
      begun = null;
      const fresh = { mutations: [], end: after, cut: false };
      if (mine === null || mine.after !== after) return readWindow(fresh, upTo);
      const ahead = await mine.span;
      lateWhenTaken = stage.lateRows();
      const holds = ahead.end <= upTo && mine.late === lateWhenTaken;
      return readWindow(holds ? ahead : fresh, upTo);
    },
    async *parts(at, fromTable) {
      let next: Promise<StagedSpan> | null = readPart({ at, table: fromTable, key: NO_KEY });
      while (next !== null) {
        const span: StagedSpan = await next;
        const last = span.mutations.at(-1);
        next = span.cut && last !== undefined ? readPart(last) : null;
        part = next?.catch(() => undefined) ?? part;
        if (span.mutations.length > 0) yield span.mutations;
      }
    },
    async end() {
      ended = true;
      await begun?.span.catch(() => undefined);
      await part;
    },
  };
}
