import type { ApplyMutation } from './target.js';

/** The last change of each key, in time order of those last changes. The mutations are in time order. */
export function collapseMutations(mutations: readonly ApplyMutation[]): readonly ApplyMutation[] {
  const last = new Map<string, ApplyMutation>();
  for (const mutation of mutations) {
    const { buffer, byteOffset, byteLength } = mutation.key;
    // latin1 is one character a byte: two keys are equal exactly when their texts are.
    const identity = `${mutation.table} ${Buffer.from(buffer, byteOffset, byteLength).toString('latin1')}`;
    // Deleted first, so that the key takes the place of its last change.
    last.delete(identity);
    last.set(identity, mutation);
  }
  return last.size === mutations.length ? mutations : [...last.values()];
}

/** Halves of a time-ordered list, cut between two timestamps; null when all is of one timestamp (protocol rule 20). */
export function splitByTime(
  mutations: readonly ApplyMutation[],
): readonly [readonly ApplyMutation[], readonly ApplyMutation[]] | null {
  const first = mutations[0]?.at;
  if (first === undefined || first === mutations[mutations.length - 1]?.at) return null;
  let cut = mutations.length >> 1;
  while (cut < mutations.length && mutations[cut]?.at === mutations[cut - 1]?.at) cut++;
  if (cut === mutations.length) {
    cut = mutations.length >> 1;
    while (cut > 1 && mutations[cut]?.at === mutations[cut - 1]?.at) cut--;
  }
  return [mutations.slice(0, cut), mutations.slice(cut)];
}
