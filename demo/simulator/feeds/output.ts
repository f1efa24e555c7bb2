import type { EmittedRow } from './emitter.js';
import { seededRandom } from './faults.js';
import type { Hlc } from './hlc.js';

/** Where a flow's rows and progress go. */
export interface Output {
  /** Waits while the far side is behind. */
  emit(row: EmittedRow): Promise<void>;
  /** Resolves when everything emitted has arrived. */
  flush(): Promise<void>;
  /** Everything at or below `resolved` has arrived: keep it, then tell it when `tell` says so. */
  checkpoint(resolved: Hlc, tell: boolean): Promise<void>;
}

const REORDER_ROWS = 200;

/** Lets rows of different tables change places within a stretch while there is a seed; the rows of one table keep their order. */
export function reordering(output: Output, seed: () => number | null): Output {
  let random: (() => number) | null = null;
  let held: EmittedRow[] = [];

  async function release(): Promise<void> {
    const rows = held;
    held = [];
    const draw = random ?? (() => 0);
    const rank = new Map([...new Set(rows.map((row) => row.tableId))].map((table) => [table, draw()]));
    const shuffled = rows.toSorted((a, b) => (rank.get(b.tableId) ?? 0) - (rank.get(a.tableId) ?? 0));
    for (const row of shuffled) await output.emit(row);
  }

  return {
    async emit(row) {
      const wanted = seed();
      if (wanted === null) {
        await release();
        random = null;
        return output.emit(row);
      }
      random ??= seededRandom(wanted);
      held.push(row);
      if (held.length >= REORDER_ROWS) await release();
    },
    async flush() {
      await release();
      await output.flush();
    },
    checkpoint: (resolved, tell) => output.checkpoint(resolved, tell),
  };
}
