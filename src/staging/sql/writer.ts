import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { HLC_ZERO, parseHlc, type Hlc } from '../../domain/hlc.js';
import { StageBusyError, type StageBinding } from '../stage.js';
import { connectStage, cutOff, type StageDatabase } from './connection.js';
import { isConflict, leavesConnection, StageCorruptError, unavailable } from './errors.js';
import { createShapes, type Shapes } from './shapes.js';
import type { StageStatements } from './statements.js';

/** The stream's row as this process knows it. Only our own writes change it while we own it, so the copy is exact. */
export interface StageState {
  readonly id: string;
  readonly fill: string;
  readonly binding: StageBinding | null;
  readonly entries: number;
  readonly bytes: number;
  readonly shapes: Shapes;
}

type StateRow = Readonly<Record<'id' | 'fill' | 'entries' | 'bytes', string>> &
  Readonly<Record<'incarnation' | 'floor' | 'resolved' | 'plan', string | null>>;

/** How often a statement is sent again after a conflict before it counts as trouble. */
const CONFLICT_TRIES = 10;

export type StageWriter = Awaited<ReturnType<typeof openWriter>>;

export interface WriterOptions {
  readonly database: StageDatabase;
  readonly statements: StageStatements;
  readonly stream: string;
  /** For messages. */
  readonly place: string;
}

/**
 * The one connection by which a process writes to a stage. Whoever opens last owns it: whether the one before still lives on another host cannot be
 * seen from here, and who may apply is decided by the token on the target, not here (protocol rules C and 38).
 *
 * A connection has a token of its own. When it is lost, what it was doing may still commit: the next one takes a new token first, which waits for
 * that statement, shuts out one that comes later, and reads what has become of the row.
 */
export async function openWriter({ database, statements, stream, place }: WriterOptions) {
  const owner = randomUUID();
  let token = '';
  let client: pg.Client | null = null;
  let fenced: StageBusyError | null = null;
  let state: StageState;

  function fence(): StageBusyError {
    fenced ??= new StageBusyError(
      place,
      `the ${place} was opened by another worker: this one takes and applies nothing more`,
    );
    return fenced;
  }

  async function connect(values: (token: string) => readonly unknown[], statement: string): Promise<void> {
    const made = await connectStage(database);
    try {
      const fresh = randomUUID();
      const { rows } = await made.client.query<StateRow>(statement, [...values(fresh)]);
      const [row] = rows;
      if (!row) throw fence();
      const columns = await made.client.query<{ shape: number; names: Buffer }>(statements.readColumns, [stream]);
      state = readState(place, row, columns.rows);
      token = fresh;
      client = made.client;
    } catch (error) {
      cutOff(made.client);
      throw error;
    }
  }

  async function connected(): Promise<pg.Client> {
    if (fenced) throw fenced;
    if (client === null) await connect((fresh) => [stream, owner, fresh], statements.again);
    if (client === null) throw new Error('the stage is not connected although it was just now');
    return client;
  }

  /** Runs one statement, again after a conflict: each is a transaction of its own. */
  async function send<R extends pg.QueryResultRow>(
    text: string,
    values: () => readonly unknown[],
  ): Promise<readonly R[]> {
    for (let tries = 1; ; tries += 1) {
      const live = await connected();
      try {
        return (await live.query<R>(text, [...values()])).rows;
      } catch (error) {
        if (isConflict(error) && tries < CONFLICT_TRIES) {
          await delay(Math.random() * 2 ** tries);
          continue;
        }
        if (!leavesConnection(error)) giveUp(live);
        throw error;
      }
    }
  }

  function giveUp(lost: pg.Client): void {
    cutOff(lost);
    if (client === lost) client = null;
  }

  async function guarded<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof StageBusyError || error instanceof StageCorruptError) throw error;
      throw unavailable(place, doing, error);
    }
  }

  await guarded('opening it', () => connect((fresh) => [stream, randomUUID(), owner, fresh], statements.open));

  return {
    state: (): StageState => state,
    set: (change: Partial<StageState>): void => void (state = { ...state, ...change }),
    fenced: (): StageBusyError | null => fenced,

    /** Makes sure of a connection, so that what is planned next is planned on the row as it is. */
    ready: (): Promise<void> => guarded('connecting', async () => void (await connected())),

    /**
     * Runs a write of `statements` whose first two parameters are stream and token. It answers with at least one row, or the fence is lost.
     * @throws StageBusyError, StageUnavailableError
     */
    write: <R extends pg.QueryResultRow>(doing: string, text: string, ...values: readonly unknown[]) =>
      guarded(doing, async (): Promise<readonly [R, ...R[]]> => {
        const [first, ...rest] = await send<R>(text, () => [stream, token, ...values]);
        if (first) return [first, ...rest];
        // Another owner, or a statement of ours that was late has put an older token there: the next look tells.
        if (client) giveUp(client);
        await connected();
        throw new Error('its row was not as this worker had left it');
      }),

    /** Runs a statement that no fence concerns. */
    ask: <R extends pg.QueryResultRow>(doing: string, text: string, ...values: readonly unknown[]) =>
      guarded(doing, () => send<R>(text, () => values)),

    /** Gives the stage up, as far as it can be reached, and ends the connection. */
    async close(): Promise<void> {
      const live = client;
      client = null;
      fenced ??= new StageBusyError(place, `the ${place} is closed`);
      if (!live) return;
      await live.query(statements.letGo, [stream, token]).catch(() => undefined);
      cutOff(live);
    },

    /** Ends the connection under whatever is being done, and opens no other one. */
    abandon(): void {
      fenced ??= new StageBusyError(place, `the ${place} is closed`);
      if (client) giveUp(client);
    },
  };
}

function readState(
  place: string,
  row: StateRow,
  columns: readonly { readonly shape: number; readonly names: Buffer }[],
): StageState {
  try {
    return {
      id: row.id,
      fill: row.fill,
      binding: bindingOf(row),
      entries: Number(row.entries),
      bytes: Number(row.bytes),
      shapes: createShapes(columns.map(({ shape, names }) => [shape, JSON.parse(names.toString()) as string[]])),
    };
  } catch (error) {
    throw new StageCorruptError(place, `its row cannot be read (${(error as Error).message})`);
  }
}

function bindingOf({ incarnation, floor, resolved, plan }: StateRow): StageBinding | null {
  if (incarnation === null) return null;
  return { incarnation: Number(incarnation), floor: hlc(floor), resolved: hlc(resolved), plan: plan ?? '' };
}

function hlc(text: string | null): Hlc {
  return text === null ? HLC_ZERO : parseHlc(text);
}
