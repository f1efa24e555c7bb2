import pg from 'pg';
import { CockroachError } from './errors.js';
import { followFeed, type FeedBatch, type FeedReader } from './sinkless-feed.js';
import { isAtLeast, parseVersion, type CockroachVersion } from './version.js';

/** A row with every value as CockroachDB's own text: a JavaScript number would lose digits (invariant 7). */
export type TextRow = Readonly<Record<string, string | null>>;

export interface CockroachConnection {
  /** `postgres://...`, with sslmode disable, require, verify-ca or verify-full. Secret. */
  readonly connectionString: string;
  readonly applicationName: string;
  /** Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** A statement gives up after so long, on the server too. Default 30,000. */
  readonly statementTimeoutMs?: number;
}

export interface QueryOptions {
  /** Ends the statement and its connection when aborted. */
  readonly signal?: AbortSignal;
  /** In place of the connection's statementTimeoutMs, on the server too. */
  readonly timeoutMs?: number;
}

/** A session with CockroachDB that connects again by itself after its connection was lost. Statements run one at a time. */
export interface Cockroach {
  readonly version: CockroachVersion;
  /** @throws CockroachError; the signal's reason when aborted */
  query(sql: string, values?: readonly (string | null)[], options?: QueryOptions): Promise<readonly TextRow[]>;
  /**
   * Runs a statement whose rows do not end, on a connection of its own, until `onRow` returns true or time is up.
   * @returns whether `onRow` returned true
   * @throws CockroachError
   */
  stream(sql: string, onRow: () => boolean, options: { timeoutMs: number; signal?: AbortSignal }): Promise<boolean>;
  /**
   * Reads a changefeed without a sink on a connection of its own until it ends or the signal aborts.
   * @throws CockroachError with what has ended it; what the reader throws; the signal's reason when aborted
   */
  follow(sql: string, reader: FeedReader): Promise<never>;
  close(): Promise<void>;
}

/** `pg` refuses the iteration counts that CockroachDB uses (119,680 seen) unless told otherwise. */
const SCRAM_MAX_ITERATIONS = 10_000_000;
/** The server's own limit fires first, so that the answer says why; the client's is for a server that says nothing. */
const CLIENT_GRACE_MS = 2_000;

/**
 * Connects, and proves that it is CockroachDB.
 * @throws CockroachError
 */
export async function connectCockroach(connection: CockroachConnection): Promise<Cockroach> {
  const statementTimeoutMs = connection.statementTimeoutMs ?? 30_000;
  const config = clientConfig(connection, statementTimeoutMs);
  let live: pg.Client | null = null;
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;
  let version: CockroachVersion;

  async function open(): Promise<pg.Client> {
    if (closed) throw new CockroachError('CockroachDB cannot be asked', new Error('the session is closed'));
    let client: pg.Client | undefined;
    try {
      // Reads the certificates that the connection string names.
      const opening = (client = new pg.Client(config));
      // An idle connection that breaks emits 'error'; unheard, it would end the process.
      opening.on('error', () => discard(opening));
      opening.on('end', () => discard(opening));
      await opening.connect();
      version = await greet(opening);
      return opening;
    } catch (cause) {
      void client?.end().catch(() => undefined);
      throw new CockroachError('CockroachDB cannot be reached', cause);
    }
  }

  function discard(client: pg.Client): void {
    if (live === client) live = null;
  }

  async function run(
    sql: string,
    values: readonly (string | null)[],
    options: QueryOptions,
  ): Promise<readonly TextRow[]> {
    options.signal?.throwIfAborted();
    const client = (live ??= await open());
    const limitMs = options.timeoutMs ?? statementTimeoutMs;
    const timeoutMs = limitMs + CLIENT_GRACE_MS;
    const guard = endWhenLate(client, timeoutMs, options.signal);
    try {
      if (limitMs !== statementTimeoutMs) {
        // The connection is not used again under another statement's limit, whatever becomes of this one.
        live = null;
        await client.query(`SET statement_timeout = ${Math.ceil(limitMs)}`);
      }
      const result = await client.query<Record<string, string | null>>(sql, [...values]);
      return result.rows;
    } catch (cause) {
      if (guard.ended()) discard(client);
      options.signal?.throwIfAborted();
      throw new CockroachError(
        guard.ended()
          ? `no answer within ${timeoutMs} ms to "${firstWords(sql)}"`
          : `"${firstWords(sql)}" failed on CockroachDB`,
        guard.ended() ? Object.assign(new Error('the connection was ended'), { code: 'ETIMEDOUT' }) : cause,
      );
    } finally {
      guard.stop();
      if (live !== client) void client.end().catch(() => undefined);
    }
  }

  live = await open();
  return {
    get version() {
      return version;
    },
    query(sql, values = [], options = {}) {
      const mine = last.then(() => run(sql, values, options));
      last = mine.catch(() => undefined);
      return mine;
    },
    async stream(sql, onRow, { timeoutMs, signal }) {
      signal?.throwIfAborted();
      const client = await open();
      const guard = endWhenLate(client, timeoutMs, signal);
      let done = false;
      try {
        await new Promise<void>((resolve, reject) => {
          const query = new pg.Query(sql);
          query.on('row', () => {
            if (done || !onRow()) return;
            done = true;
            resolve();
          });
          query.on('error', reject);
          query.on('end', () => resolve());
          client.query(query);
        });
      } catch (cause) {
        signal?.throwIfAborted();
        if (!guard.ended()) throw new CockroachError(`"${firstWords(sql)}" failed on CockroachDB`, cause);
      } finally {
        guard.stop();
        // Ending the connection ends the statement.
        void client.end().catch(() => undefined);
      }
      return done;
    },
    async follow(sql, reader) {
      reader.signal.throwIfAborted();
      const client = await open();
      let refused: { readonly error: unknown } | null = null;
      const take = async (batch: FeedBatch): Promise<void> => {
        try {
          await reader.take(batch);
        } catch (error) {
          refused = { error };
          throw error;
        }
      };
      try {
        return await followFeed(client, sql, { ...reader, take });
      } catch (cause) {
        reader.signal.throwIfAborted();
        // The reader's own failure is not CockroachDB's.
        if (refused !== null) throw (refused as { readonly error: unknown }).error;
        throw new CockroachError(`"${firstWords(sql)}" has ended`, cause);
      }
    },
    async close() {
      closed = true;
      const client = live;
      live = null;
      await client?.end();
    },
  };
}

async function greet(client: pg.Client): Promise<CockroachVersion> {
  const { rows } = await client.query<{ version: string }>('SELECT version() AS version');
  const text = rows[0]?.version ?? '';
  const version = parseVersion(text);
  if (!version) throw new Error(`this is not CockroachDB: it says it is "${text.slice(0, 60)}"; check the connection`);
  // From 26.1 on crdb_internal's functions are closed to a session that does not ask; 25.4 knows the word already.
  if (isAtLeast(version, 25, 4)) await client.query('SET allow_unsafe_internals = on').catch(() => undefined);
  return version;
}

/** Ends the connection when the time is up or the signal aborts; the statement under way then fails. */
function endWhenLate(client: pg.Client, timeoutMs: number, signal?: AbortSignal) {
  let ended = false;
  const end = () => {
    ended = true;
    void client.end().catch(() => undefined);
  };
  const timer = setTimeout(end, timeoutMs);
  signal?.addEventListener('abort', end, { once: true });
  return {
    ended: () => ended,
    stop: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    },
  };
}

function clientConfig(connection: CockroachConnection, statementTimeoutMs: number): pg.ClientConfig {
  return {
    connectionString: honestSslMode(connection.connectionString),
    application_name: connection.applicationName,
    connectionTimeoutMillis: connection.connectTimeoutMs ?? 10_000,
    statement_timeout: statementTimeoutMs,
    scramMaxIterations: SCRAM_MAX_ITERATIONS,
    keepAlive: true,
    types: { getTypeParser: () => (value: string) => value },
  } as pg.ClientConfig;
}

/**
 * `pg` takes sslmode=require for verify-full; here each word means what it means to libpq. "prefer" and "allow" would send a
 * password in clear text to whoever says that it has no TLS, so they are refused.
 */
function honestSslMode(connectionString: string): string {
  if (!URL.canParse(connectionString))
    throw new CockroachError(
      'the connection string is not a URL',
      new Error('expected postgres://user@host:26257/database?sslmode=verify-full'),
    );
  const url = new URL(connectionString);
  const mode = url.searchParams.get('sslmode');
  if (mode === 'prefer' || mode === 'allow')
    throw new CockroachError(
      `sslmode=${mode} is refused`,
      new Error(
        'it falls back to clear text: use verify-full, verify-ca, require, or disable on a network that you trust',
      ),
    );
  url.searchParams.set('uselibpqcompat', 'true');
  return url.toString();
}

/** Enough of a statement to recognise it, and never its literals. */
function firstWords(sql: string): string {
  return /^[^'$(]*/.exec(sql.trim().slice(0, 60))?.[0].trim() ?? '';
}
