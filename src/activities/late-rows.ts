/** An alarm that goes on is told again so often. */
const AGAIN_AFTER_MS = 60_000;

/** Rows never seen before, at or before resolved: the changefeed broke its word (protocol rule 10). */
export interface LateRowsAlarm {
  /** Tells of the first at once, of more after a while. */
  count(rows: number): void;
  /** Tells what came since. */
  tick(): void;
}

export function createLateRowsAlarm(tell: (cause: string) => void, now: () => number): LateRowsAlarm {
  let total = 0;
  let told = { total: 0, at: -Infinity };
  const tick = (): void => {
    if (total === told.total || now() - told.at < AGAIN_AFTER_MS) return;
    told = { total, at: now() };
    tell(
      `${total} ${total === 1 ? 'row' : 'rows'} came for the first time at or before a timestamp that the changefeed had called resolved`,
    );
  };
  return {
    count(rows) {
      total += rows;
      tick();
    },
    tick,
  };
}
