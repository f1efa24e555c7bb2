/** How long the source keeps the history that nobody protects. */
export interface UnprotectedHistory {
  /** The table or partition with the shortest gc.ttlseconds, as CockroachDB names it. */
  readonly object: string;
  readonly ttlMs: number;
}

/**
 * Whether what is not applied may soon be had from the stage only: the checkpoint is older than half of the time for which the source keeps
 * history (protocol rule 4). Null history: it is protected, or not known. Pure; the lag is of the source's clock.
 */
export function isOnlyCopy(history: UnprotectedHistory | null, lagMs: number): boolean {
  return history !== null && lagMs * 2 > history.ttlMs;
}
