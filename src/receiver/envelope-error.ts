/** The body is not a changefeed's: answered 400, nothing of it is taken. Holds positions and field names, never values. */
export class EnvelopeError extends Error {
  constructor(
    readonly problem: string,
    /** Offset in bytes from the start of the body (after decompression). */
    readonly position: number,
    /** Position of the item in `payload`, from 0; null outside of it. */
    readonly item: number | null = null,
  ) {
    super(`body not understood: ${problem} at byte ${position}${item === null ? '' : `, item ${item}`}`);
    this.name = 'EnvelopeError';
  }
}

/** A row of a table that the stream does not have. To acknowledge it would lose it. */
export class UnknownTopicError extends Error {
  constructor(
    readonly topic: string,
    readonly stream: string,
  ) {
    super(
      `unknown topic: "${topic.slice(0, 60)}" is not a table of stream ${stream.slice(0, 40)}; its row was not taken`,
    );
    this.name = 'UnknownTopicError';
  }
}
