/** The numbers of a sequence: `start + n * increment`, within `min` and `max`. */
export interface SequenceShape {
  readonly start: bigint;
  /** Never zero; negative goes down. */
  readonly increment: bigint;
  readonly min: bigint;
  readonly max: bigint;
}

/**
 * The first value of the sequence's own grid beyond `furthest`, so that interleaved sequences (odd and even) stay apart. Null when it
 * lies outside the bounds: a cycle would come back to values that rows have.
 */
export function firstFreeValue({ start, increment, min, max }: SequenceShape, furthest: bigint): bigint | null {
  const up = increment > 0n;
  // Rows on the near side of the start leave the start free.
  const free = (up ? furthest < start : furthest > start)
    ? start
    : start + ((furthest - start) / increment + 1n) * increment;
  return free < min || free > max ? null : free;
}
