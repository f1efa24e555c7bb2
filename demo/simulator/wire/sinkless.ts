import type net from 'node:net';
import type { SimulatedDatabase } from '../database.js';
import type { FeedDefinition } from '../feeds/definition.js';
import { parseHlc } from '../feeds/hlc.js';
import { type Parameters, quote } from '../rewrite/reader.js';
import type { SinklessRequest } from '../rewrite/rewritten.js';
import { dataRow, errorResponse, rowDescription } from './messages.js';

/** A changefeed without a sink, about to be streamed. */
export interface SinklessPortal {
  readonly request: SinklessRequest;
  readonly parameters: Parameters;
  /** Bytes as bytes, not as hexadecimal text. */
  readonly binary: boolean;
  /** Whether the description of the columns goes before the rows, as in the simple protocol. */
  readonly describes: boolean;
}

const TEXT = 25;
const BYTEA = 17;

export function describeSinkless(binary: boolean): Buffer {
  return rowDescription(
    [
      { name: 'table', type: TEXT },
      { name: 'key', type: BYTEA },
      { name: 'value', type: BYTEA },
    ],
    binary,
  );
}

/**
 * Streams rows to the client until it cancels, its connection ends or the changefeed ends; then sends the error with
 * which each of them ends. Always false: such a statement never completes.
 */
export async function answerSinkless(
  client: net.Socket,
  database: SimulatedDatabase,
  user: string,
  portal: SinklessPortal,
  signal: AbortSignal,
): Promise<boolean> {
  const bytes = (text: string) =>
    portal.binary ? Buffer.from(text) : Buffer.from(`\\x${Buffer.from(text).toString('hex')}`);
  try {
    const definition = await plan(database, user, portal);
    if (portal.describes) client.write(describeSinkless(portal.binary));
    await database.engine.streamSinkless(
      definition,
      async ({ table, key, value }) => {
        const row = dataRow([
          table === null ? null : Buffer.from(table),
          key === null ? null : bytes(key),
          bytes(value),
        ]);
        if (!client.destroyed && !client.write(row)) await drained(client, signal);
      },
      signal,
    );
    if (!client.destroyed) client.write(errorResponse('57014', 'query execution canceled'));
  } catch (error) {
    const { sqlState, code, message, hint } = error as {
      sqlState?: string;
      code?: string;
      message: string;
      hint?: string;
    };
    if (!client.destroyed) client.write(errorResponse(sqlState ?? code ?? 'XXUUU', message, { hint }));
  }
  return false;
}

async function plan(
  database: SimulatedDatabase,
  user: string,
  { request: { names, options }, parameters }: SinklessPortal,
): Promise<FeedDefinition> {
  const { rows } = await database.pool.query<{
    plan: { targets: FeedDefinition['targets']; options: FeedDefinition['options']; cursor_nanos: string | null };
  }>(`SELECT crdb_sim.plan_changefeed(${names}, NULL, NULL, ${options}, ${quote(user)}) AS plan`, [...parameters]);
  const made = rows[0]?.plan;
  if (!made) throw new Error('the changefeed could not be planned');
  return {
    targets: made.targets,
    options: made.options,
    cursor: made.cursor_nanos === null ? null : { nanos: BigInt(made.cursor_nanos), logical: logicalOf(made.options) },
  };
}

/** What a cursor has behind its nanoseconds: a feed that begins just before a schema change is told so by nothing else. */
function logicalOf({ cursor }: FeedDefinition['options']): number {
  return parseHlc(cursor ?? '')?.logical ?? 0;
}

function drained(client: net.Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      client.off('drain', done);
      client.off('close', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    client.once('drain', done);
    client.once('close', done);
    signal.addEventListener('abort', done, { once: true });
  });
}
