import { setImmediate as turn } from 'node:timers/promises';
import type { Hlc } from '../domain/hlc.js';
import type { SpanLimits, Stage, StagedMutation, StagedSpan } from '../staging/stage.js';

/** Rows read between two turns of the event loop: what the target and the changefeed send must not wait for more. */
const SLICE_ROWS = 250;

/** Reads the next window while the one before it is written: the target must not wait for the stage. */
export interface ReadAhead {
  /** Begins to read (after, upTo], up to the limits. */
  begin(after: Hlc, upTo: Hlc): void;
  /** The span after `after`, up to the limits, which nowhere passes `upTo`: what was read ahead and still holds, and what has come since. */
  take(after: Hlc, upTo: Hlc): Promise<StagedSpan>;
  /** Ends the reading under way, so that the stage may be closed. */
  end(): Promise<void>;
}

interface Begun {
  readonly after: Hlc;
  /** Rows that came late were not seen by what had been read before them. */
  readonly late: number;
  readonly span: Promise<StagedSpan>;
}

export function createReadAhead(stage: Stage, limits: SpanLimits): ReadAhead {
  let begun: Begun | null = null;
  let ended = false;

  async function read(from: StagedSpan, upTo: Hlc): Promise<StagedSpan> {
    const mutations: StagedMutation[] = [...from.mutations];
    let bytes = mutations.reduce((sum, { after }) => sum + (after?.length ?? 0), 0);
    let { end } = from;
    while (end < upTo && mutations.length < limits.rows && bytes < limits.bytes && !ended) {
      const rows = Math.min(SLICE_ROWS, limits.rows - mutations.length);
      const slice = await stage.read(end, upTo, { rows, bytes: limits.bytes - bytes });
      for (const mutation of slice.mutations) {
        mutations.push(mutation);
        bytes += mutation.after?.length ?? 0;
      }
      end = slice.end;
      if (end < upTo) await turn();
    }
    return { mutations, end };
  }

  return {
    begin(after, upTo) {
      const span = read({ mutations: [], end: after }, upTo);
      // Whoever takes it is told; nobody may.
      span.catch(() => undefined);
      begun = { after, late: stage.lateRows(), span };
    },
    async take(after, upTo) {
      const mine = begun;
      begun = null;
      const fresh = { mutations: [], end: after };
      if (mine === null || mine.after !== after) return read(fresh, upTo);
      const ahead = await mine.span;
      const holds = ahead.end <= upTo && mine.late === stage.lateRows();
      return read(holds ? ahead : fresh, upTo);
    },
    async end() {
      ended = true;
      await begun?.span.catch(() => undefined);
    },
  };
}
