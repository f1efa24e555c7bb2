/** The receiver cannot begin to listen. The message is one line for the person who starts the worker. */
export class ReceiverStartError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = 'ReceiverStartError';
  }
}

/** An answer other than 200. CockroachDB shows its text in the job's error: short, and no row data. */
export class Refusal extends Error {
  constructor(
    readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 503,
    message: string,
    /** The rest of the body is not worth reading: the connection ends with the answer. */
    readonly endsConnection = false,
  ) {
    super(message);
    this.name = 'Refusal';
  }
}
