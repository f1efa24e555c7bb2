/** A hybrid logical timestamp: wall time in nanoseconds and a counter within it. */
export interface Hlc {
  readonly nanos: bigint;
  readonly logical: number;
}

export const ZERO: Hlc = { nanos: 0n, logical: 0 };

/** The text of a changefeed and of cluster_logical_timestamp(): `1795320930602742264.0000000000`. */
export function hlcText(hlc: Hlc): string {
  return `${hlc.nanos}.${String(hlc.logical).padStart(10, '0')}`;
}

/** The text of CockroachDB's own messages: `1795320930.602742264,0`. */
export function hlcProse(hlc: Hlc): string {
  const nanos = hlc.nanos.toString().padStart(10, '0');
  return `${nanos.slice(0, -9)}.${nanos.slice(-9)},${hlc.logical}`;
}

/** Reads `nanos` or `nanos.logical`; null when the text is neither. */
export function parseHlc(text: string): Hlc | null {
  const match = /^(\d+)(?:\.(\d{1,10}))?$/.exec(text);
  if (!match) return null;
  return { nanos: BigInt(match[1] ?? '0'), logical: Number((match[2] ?? '').padEnd(10, '0')) };
}

/** Negative when `a` is before `b`. */
export function compareHlc(a: Hlc, b: Hlc): number {
  if (a.nanos !== b.nanos) return a.nanos < b.nanos ? -1 : 1;
  return a.logical - b.logical;
}

export function laterHlc(a: Hlc, b: Hlc): Hlc {
  return compareHlc(a, b) >= 0 ? a : b;
}

/** The last timestamp before `hlc`: a schema boundary is resolved up to it (`...514.2147483647`). */
export function previousHlc(hlc: Hlc): Hlc {
  if (hlc.logical > 0) return { nanos: hlc.nanos, logical: hlc.logical - 1 };
  return { nanos: hlc.nanos - 1n, logical: 2_147_483_647 };
}
