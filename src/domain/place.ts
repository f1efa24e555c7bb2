/** Which databases an activity works on, by the worker's names for them. Part of every activity's argument. */
export interface Place {
  /** The workflow id. */
  readonly run: string;
  readonly source: string;
  readonly target: string;
  /** Absent: where the target's dialect keeps the checkpoint. */
  readonly checkpointSchema?: string | undefined;
  readonly statementTimeoutMs: number;
}
