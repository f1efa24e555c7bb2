/**
 * The names of the columns of one changed row, in the order in which the changefeed writes them. Interned: rows of one shape
 * share one array, so `===` tells shapes apart quickly.
 */
export type ColumnSet = readonly string[];

/** One change of one row, on its way into the stage. The byte ranges may point into the request's body. */
export interface IncomingMutation {
  /** Commit timestamp, encoded by `writeHlc` (12 bytes). */
  readonly at: Uint8Array;
  /** Number of the table in the stream's plan. */
  readonly table: number;
  /** Canonical JSON text of the key, e.g. `[1.5]`. */
  readonly key: Uint8Array;
  /** JSON text of the row after the change, untouched; null deletes the key. */
  readonly after: Uint8Array | null;
  /** The columns that `after` names; null with a delete. An absent column is never NULL (protocol rule 19). */
  readonly columns: ColumnSet | null;
}
