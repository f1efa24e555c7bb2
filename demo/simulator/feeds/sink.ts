import { setTimeout as delay } from 'node:timers/promises';
import { batchBody } from './encode.js';
import type { HttpClient } from './http-client.js';
import type { SinkConfig } from './sink-options.js';

export interface Row {
  /** Chooses the worker: rows of one key keep their order. */
  readonly orderKey: string;
  readonly value: string;
}

/** Batches rows and posts them as CockroachDB's webhook sink does. */
export interface Sink {
  /** Waits while too much is in flight. @throws the first request's final error. */
  emit(row: Row): Promise<void>;
  /** Sends what is buffered and waits until everything is acknowledged. @throws as `emit`. */
  flush(): Promise<void>;
  /** Posts one body of its own, after everything before it was flushed. */
  post(body: string): Promise<void>;
  close(): void;
}

export interface SinkOptions {
  readonly client: HttpClient;
  readonly config: SinkConfig;
  /** Concurrent connections, 1 or more. */
  readonly workers: number;
  /** Multiplies the pauses between attempts: 1 is CockroachDB's own pace. */
  readonly backoffScale: number;
  readonly signal: AbortSignal;
  /** Called with each batch before it is posted; what it returns is posted in order. One batch when nothing is to go wrong. */
  readonly deliver?: (body: string) => Promise<readonly string[]>;
}

const MOST_ROWS_IN_FLIGHT = 20_000;
const LONGEST_BACKOFF_MS = 30_000;

export function createSink({ client, config, workers, backoffScale, signal, deliver }: SinkOptions): Sink {
  const own = new AbortController();
  const stopped = AbortSignal.any([signal, own.signal]);
  const tails: Promise<void>[] = Array.from({ length: workers }, () => Promise.resolve());
  let buffer: Row[] = [];
  let bufferedBytes = 0;
  let timer: NodeJS.Timeout | null = null;
  let rowsInFlight = 0;
  let failure: { error: unknown } | null = null;
  let wakeEmitter: (() => void) | null = null;

  function check(): void {
    if (failure) throw failure.error;
    signal.throwIfAborted();
  }

  async function attempt(body: string): Promise<void> {
    let backoffMs = config.retryBackoffMs;
    for (let attempts = 0; ; attempts++) {
      try {
        await client.post(body, stopped);
        return;
      } catch (error) {
        if (stopped.aborted || attempts >= config.retryMax) throw error;
      }
      await delay(backoffMs * backoffScale, undefined, { signal: stopped });
      backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS);
    }
  }

  async function sendBatch(rows: readonly string[]): Promise<void> {
    const body = batchBody(rows);
    for (const copy of deliver ? await deliver(body) : [body]) await attempt(copy);
  }

  function enqueue(worker: number, rows: string[]): void {
    rowsInFlight += rows.length;
    const sent = (tails[worker] ?? Promise.resolve()).then(() => (failure ? undefined : sendBatch(rows)));
    tails[worker] = sent
      .catch((error: unknown) => {
        failure ??= { error };
        own.abort();
      })
      .then(() => {
        rowsInFlight -= rows.length;
        wakeEmitter?.();
      });
  }

  /** One batch is split by key over the workers, each part a request of its own. */
  function sendBuffer(): void {
    if (timer) clearTimeout(timer);
    timer = null;
    if (buffer.length === 0) return;
    const parts: string[][] = Array.from({ length: workers }, () => []);
    for (const row of buffer) parts[hash(row.orderKey) % workers]?.push(row.value);
    buffer = [];
    bufferedBytes = 0;
    for (const [worker, rows] of parts.entries()) if (rows.length > 0) enqueue(worker, rows);
  }

  function isFull(): boolean {
    if (config.flushFrequencyMs === 0) return true;
    if (config.flushMessages > 0 && buffer.length >= config.flushMessages) return true;
    return config.flushBytes > 0 && bufferedBytes >= config.flushBytes;
  }

  return {
    async emit(row) {
      check();
      buffer.push(row);
      bufferedBytes += row.value.length;
      if (isFull()) sendBuffer();
      else timer ??= setTimeout(sendBuffer, config.flushFrequencyMs);
      while (rowsInFlight > MOST_ROWS_IN_FLIGHT) {
        await new Promise<void>((resolve) => (wakeEmitter = resolve));
        check();
      }
    },
    async flush() {
      sendBuffer();
      await Promise.all(tails);
      check();
    },
    async post(body) {
      check();
      try {
        await attempt(body);
      } catch (error) {
        // Aborted because of another request: that one's error is what went wrong.
        check();
        throw error;
      }
    },
    close() {
      if (timer) clearTimeout(timer);
      own.abort();
      client.close();
    },
  };
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}
