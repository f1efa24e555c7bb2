import type { StagedMutation } from '../stage.js';

/**
 * The same changes in one piece of memory: two small buffers for each row of a backlog, alive for as long as its window, would be most of what the
 * process holds, and of what the garbage collector has to find out about.
 */
export function pack(mutations: readonly StagedMutation[]): readonly StagedMutation[] {
  const bytes = mutations.reduce((sum, { key, after }) => sum + key.length + (after?.length ?? 0), 0);
  const held = Buffer.allocUnsafeSlow(bytes);
  let end = 0;
  const keep = (part: Uint8Array): Uint8Array => {
    held.set(part, end);
    return held.subarray(end, (end += part.length));
  };
  return mutations.map(({ at, table, key, after, columns }) => ({
    at,
    table,
    key: keep(key),
    after: after && keep(after),
    columns,
  }));
}
