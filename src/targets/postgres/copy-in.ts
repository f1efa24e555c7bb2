import type pg from 'pg';

/** What the driver offers beyond its types: a query that speaks the protocol's COPY. */
interface CopyConnection {
  readonly stream: {
    readonly writableNeedDrain: boolean;
    once(event: 'drain', listener: () => void): unknown;
  };
  query(text: string): void;
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
  sendCopyFail(reason: string): void;
}

/**
 * Runs a COPY ... FROM STDIN and sends it the chunks that `next` returns, until it returns null. The event loop turns between two chunks, and
 * what the server has not taken yet is not piled up.
 */
export function copyIn(client: pg.Client, sql: string, next: () => Uint8Array | null): Promise<void> {
  return new Promise((resolve, reject) => {
    let ended = false;
    let failure: Error | null = null;
    const end = (error: unknown): Error => {
      ended = true;
      return (failure ??= error instanceof Error ? error : new Error(String(error)));
    };
    const send = (connection: CopyConnection): void => {
      // The server has objected, or is gone.
      if (ended) return;
      try {
        const chunk = next();
        if (chunk === null) return connection.endCopyFrom();
        connection.sendCopyFromChunk(chunk);
      } catch (error) {
        end(error);
        return connection.sendCopyFail('');
      }
      if (connection.stream.writableNeedDrain) connection.stream.once('drain', () => send(connection));
      else setImmediate(send, connection);
    };
    const nothing = (): void => undefined;
    const query = {
      submit: (connection: CopyConnection) => connection.query(sql),
      handleCopyInResponse: send,
      handleError(error: unknown) {
        // A connection that is lost never gets ready.
        reject(end(error));
      },
      handleReadyForQuery: () => (failure === null ? resolve() : reject(failure)),
      handleCommandComplete: nothing,
      handleRowDescription: nothing,
      handleDataRow: nothing,
      handlePortalSuspended: nothing,
      handleEmptyQuery: nothing,
      handleCopyData: nothing,
    };
    client.query(query as unknown as pg.Submittable);
  });
}
