import pg from 'pg';

/** Messages of a changefeed without a sink, in the order in which they came, each as the bytes that CockroachDB sent. */
export interface FeedBatch {
  /** Rows, in the envelope of the changefeed. */
  readonly rows: readonly Buffer[];
  /** The resolved message after these rows; null: none has come yet. */
  readonly resolved: Buffer | null;
}

export interface FeedReader {
  /**
   * Takes what has come; the next batch waits for it. While it takes its time the socket is not read for long, and CockroachDB waits too: a
   * stage without room makes it wait.
   */
  readonly take: (batch: FeedBatch) => Promise<void>;
  /** Called when the statement has been sent: a feed may exist from now on. */
  readonly onSent: () => void;
  /** Nothing for so long is a lost connection, while anything is waited for. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/** What is handed on at once, and what may wait before the socket rests. */
const BATCH = { rows: 5_000, bytes: 1_048_576 };
const WAITING = { rows: 20_000, bytes: 8_388_608 };

/** Nothing came for too long: half of a connection may be gone without a word. */
class SilentFeedError extends Error {
  readonly code = 'ETIMEDOUT';
  constructor(silenceMs: number) {
    super(`the changefeed has sent nothing for ${Math.round(silenceMs / 1_000)} s`);
    this.name = 'SilentFeedError';
  }
}

/**
 * Reads a changefeed without a sink until it ends, which is always an error, or the signal aborts. The connection is the feed's own, and is
 * ended with it: that ends the feed at the source, too.
 */
export async function followFeed(client: pg.Client, sql: string, reader: FeedReader): Promise<never> {
  const { signal, take, silenceMs } = reader;
  const { stream: socket } = (client as unknown as { connection: pg.Connection }).connection;
  const waiting = createWaiting();
  let ended: { readonly cause: unknown } | null = null;
  let wake: () => void = () => undefined;
  let resting = false;
  let heardAt = performance.now();

  const end = (cause: unknown): void => {
    ended ??= { cause };
    wake();
  };
  const onAbort = (): void => end(signal.reason);
  const isSilent = (): boolean => !resting && performance.now() - heardAt > silenceMs;
  const watch = setInterval(
    () => {
      // What has come while this process was busy is read first.
      if (isSilent()) setImmediate(() => (isSilent() ? end(new SilentFeedError(silenceMs)) : undefined));
    },
    Math.max(50, silenceMs / 10),
  );
  signal.addEventListener('abort', onAbort);
  try {
    signal.throwIfAborted();
    // The text of bytes in hexadecimal digits is the only one that the driver does not decode: exact, whatever they are.
    await client.query("SET statement_timeout = 0; SET bytea_output = 'hex'");
    const query = new pg.Query<{ key: string | null; value: string }>(sql);
    query.on('row', ({ key, value }) => {
      heardAt = performance.now();
      waiting.add(Buffer.from(value.slice(2), 'hex'), key === null);
      if (!resting && waiting.isMuch()) {
        resting = true;
        socket.pause();
      }
      wake();
    });
    query.on('error', end);
    query.on('end', () => end(new Error('the changefeed has ended without a word')));
    client.query(query);
    reader.onSent();
    for (;;) {
      // What has come is taken, also of a feed that has ended meanwhile: its last resolved timestamp is where the next one begins.
      const batch = waiting.next();
      if (batch !== null) {
        await take(batch);
        signal.throwIfAborted();
        if (resting && !waiting.isMuch()) {
          resting = false;
          heardAt = performance.now();
          socket.resume();
        }
      } else {
        const over = ended as { readonly cause: unknown } | null;
        if (over !== null) throw over.cause;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } finally {
    clearInterval(watch);
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

/** What has come and is not taken yet. */
function createWaiting() {
  let messages: { readonly value: Buffer; readonly isResolved: boolean }[] = [];
  let bytes = 0;
  return {
    add(value: Buffer, isResolved: boolean): void {
      messages.push({ value, isResolved });
      bytes += value.length;
    },
    isMuch: (): boolean => messages.length >= WAITING.rows || bytes >= WAITING.bytes,
    /** Up to the first resolved message, or as much as goes at once. */
    next(): FeedBatch | null {
      if (messages.length === 0) return null;
      const rows: Buffer[] = [];
      let resolved: Buffer | null = null;
      let size = 0;
      for (const { value, isResolved } of messages) {
        size += value.length;
        if (isResolved) {
          resolved = value;
          break;
        }
        rows.push(value);
        if (rows.length >= BATCH.rows || size >= BATCH.bytes) break;
      }
      messages = messages.slice(rows.length + (resolved === null ? 0 : 1));
      bytes -= size;
      return { rows, resolved };
    },
  };
}
