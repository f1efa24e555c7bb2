/** Ends a changefeed for good; everything else is retried. */
export class TerminalFeedError extends Error {
  constructor(
    message: string,
    readonly sqlState: string,
  ) {
    super(message);
  }
}

/** CockroachDB's code for errors without one. */
export const UNCATEGORIZED = 'XXUUU';
export const SCHEMA_CHANGE_OCCURRED = '55C01';
