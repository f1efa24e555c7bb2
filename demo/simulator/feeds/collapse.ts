import { compareHlc, type Hlc } from './hlc.js';
import type { LoggedRow } from './log-reader.js';

/**
 * One row per key and transaction, as the key-value layer sees it: the last write counts, the row before the first one is its
 * `before`. A key inserted and deleted in one transaction leaves a lone delete.
 */
export async function* collapsed(rows: AsyncIterable<LoggedRow>): AsyncGenerator<LoggedRow> {
  let at: Hlc | null = null;
  let keys = new Map<string, LoggedRow>();
  for await (const row of rows) {
    if (at && compareHlc(row.at, at) !== 0) {
      yield* keys.values();
      keys = new Map();
    }
    at = row.at;
    const key = `${row.tableId}/${row.keyText}`;
    const earlier = keys.get(key);
    // A key takes the place of its last write.
    keys.delete(key);
    keys.set(key, earlier ? { ...row, before: earlier.before } : row);
  }
  yield* keys.values();
}
