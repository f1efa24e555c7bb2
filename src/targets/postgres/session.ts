import type pg from 'pg';
import { formatHlc } from '../../domain/hlc.js';
import { FenceLostError } from '../failures.js';
import type { AppliedFigures, ApplySession, ApplySessionOptions, ApplyWindow } from '../target.js';
import { createApplyTables } from './apply-tables.js';
import { createCheckpointGroups } from './checkpoint-groups.js';
import { createCheckpointRow } from './checkpoint-row.js';
import { closePostgres, connectPostgres } from './client.js';
import { endsSession, toTargetError } from './errors.js';
import { readAll, writeInParts } from './large-timestamp.js';
import { writeSpan } from './span-writer.js';
import { takeWithin } from './takeover.js';

export interface PostgresApplyOptions extends ApplySessionOptions {
  /** Holds the password; never shown. */
  readonly connectionString: string;
  /** False applies every change, each timestamp by itself, instead of the last change of each key in the window. MOLT's word. */
  readonly collapseMutations: boolean;
  /** In milliseconds; 10,000 by default. */
  readonly connectTimeoutMs?: number;
}

/**
 * Opens the connection that applies a stream to PostgreSQL.
 * @throws TargetUnavailableError, TargetRefusedError
 */
export async function openPostgresApplySession(options: PostgresApplyOptions): Promise<ApplySession> {
  const client = await connectPostgres({
    connectionString: options.connectionString,
    applicationName: `failback ${options.stream}`,
    ...(options.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
    sessionSettings: {
      lock_timeout: String(options.lockTimeoutMs),
      idle_in_transaction_session_timeout: String(options.idleInTransactionTimeoutMs),
    },
  });
  return createApplySession(client, options);
}

function createApplySession(client: pg.Client, options: PostgresApplyOptions): ApplySession {
  const { checkpointSchema, stream, group = null } = options;
  const row = createCheckpointRow(client, checkpointSchema, stream, group);
  const groups = createCheckpointGroups(client, checkpointSchema, stream, row);
  const tables = createApplyTables(client, options.plan, options.extraColumns);
  const begin = beginStatement(options);
  let heldAs: string | null = null;

  /** Before the first window: so that a takeover can end this session, should it freeze in a transaction (protocol rule 24). */
  const holdRow = async (token: string): Promise<void> => {
    if (heldAs === token) return;
    if (!(await row.hold(token))) throw new FenceLostError(options.stream, await row.read());
    heldAs = token;
  };

  const compareAndSet = async (token: string, { previous, next }: ApplyWindow): Promise<void> => {
    if (await row.advance(token, previous, next)) return;
    throw new FenceLostError(options.stream, await row.read());
  };

  const write = async ({ mutations, parts }: ApplyWindow): Promise<AppliedFigures> => {
    let figures: AppliedFigures = NOTHING;
    const writing = { client, tables, ...options };
    if (parts !== undefined) return (await writeInParts(writing, parts)) ?? writeSpan(writing, await readAll(parts));
    for (const span of options.collapseMutations ? [mutations] : eachTimestamp(mutations)) {
      const written = await writeSpan(writing, span);
      figures = {
        upserts: figures.upserts + written.upserts,
        deletes: figures.deletes + written.deletes,
        inSourceOrder: figures.inSourceOrder || written.inSourceOrder,
      };
    }
    return figures;
  };

  const applyRows = async (token: string, window: ApplyWindow): Promise<AppliedFigures> => {
    let committing = false;
    try {
      await client.query(begin);
      // First of all, and its row lock is held to the commit (protocol rule C): who has lost the token writes no row.
      await compareAndSet(token, window);
      const figures = await write(window);
      committing = true;
      const { command } = await client.query('COMMIT');
      // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, and with no error.
      if (command !== 'COMMIT') throw new Error(`the transaction was not committed: PostgreSQL answered ${command}`);
      return figures;
    } catch (error) {
      const failure = toTargetError(error, `applying up to ${formatHlc(window.next)}`, { commitUnknown: committing });
      // Frees the row's lock now. Of a session that has ended, the server has rolled back itself.
      if (!endsSession(error)) await client.query('ROLLBACK').catch(() => undefined);
      throw failure;
    }
  };

  /** Nothing but the checkpoint moves: one statement is the whole transaction. */
  const applyNothing = async (token: string, window: ApplyWindow): Promise<AppliedFigures> => {
    try {
      await compareAndSet(token, window);
      return NOTHING;
    } catch (error) {
      throw toTargetError(error, `advancing to ${formatHlc(window.next)}`, { commitUnknown: true });
    }
  };

  return {
    async takeToken(token) {
      const taken = await takeWithin(groups, options, token);
      heldAs = token;
      return taken;
    },
    bind: (token, stageId, incarnation) => translated('binding the stage', () => row.bind(token, stageId, incarnation)),
    async apply(token, window) {
      await translated('recording the session', () => holdRow(token));
      return window.mutations.length === 0 ? applyNothing(token, window) : applyRows(token, window);
    },
    advanceToLeast: (token) =>
      translated('recording how far all groups are', async () => {
        await holdRow(token);
        const applied = await groups.advanceToLeast(token);
        if (applied === null) throw new FenceLostError(stream, await row.read());
        return applied;
      }),
    regroup: (token, at, layout) =>
      translated('grouping the tables anew', async () => {
        if (!(await groups.regroup(token, at, layout))) throw new FenceLostError(stream, await row.read());
      }),
    readLocked: () => translated('reading the checkpoint', () => row.readLocked()),
    close: () => closePostgres(client),
  };
}

const NOTHING: AppliedFigures = { upserts: 0, deletes: 0, inSourceOrder: false };

/**
 * READ COMMITTED: the compare-and-set must see what was committed while it waited (protocol rule 22). Enforcement is off for this transaction
 * only (protocol rule 25). Deferrable constraints are checked at the end of each part, not at each statement.
 */
function beginStatement({ enforcementOff }: ApplySessionOptions): string {
  return [
    'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
    ...(enforcementOff ? [`SET LOCAL session_replication_role = 'replica'`] : []),
    'SET CONSTRAINTS ALL DEFERRED',
  ].join('; ');
}

function eachTimestamp(mutations: ApplyWindow['mutations']): readonly ApplyWindow['mutations'][] {
  const starts = mutations.flatMap((mutation, i) => (mutation.at === mutations[i - 1]?.at ? [] : [i]));
  return starts.map((start, i) => mutations.slice(start, starts[i + 1]));
}

async function translated<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toTargetError(error, doing);
  }
}
