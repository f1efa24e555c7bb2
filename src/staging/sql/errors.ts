import pg from 'pg';
import { StageUnavailableError } from '../stage.js';

/** The stage was closed while it was in use. */
export class StageClosedError extends Error {
  constructor(place: string) {
    super(`the ${place} is closed: its stream has ended or moved on`);
    this.name = 'StageClosedError';
  }
}

/** What the tables hold cannot have been written by a stage. Binding a new incarnation empties it. */
export class StageCorruptError extends Error {
  constructor(place: string, found: string) {
    super(
      `the ${place} is damaged: ${found}; stop the workers and delete its rows, the stream then begins again at its checkpoint`,
    );
    this.name = 'StageCorruptError';
  }
}

/** Two transactions were in each other's way, and this one was rolled back: the same again at once. */
const CONFLICTS: ReadonlySet<string> = new Set(['40001', '40P01']);

export function isConflict(error: unknown): boolean {
  return error instanceof pg.DatabaseError && CONFLICTS.has(error.code ?? '');
}

/** Whether the connection may be used again: only a server's answer says that a statement is over, and 40003 says that it is not known. */
export function leavesConnection(error: unknown): boolean {
  return error instanceof pg.DatabaseError && !/^(08|25P0[34]|57P0|40003)/.test(error.code ?? '');
}

/** Our statements carry values as parameters only, so the server's message holds none. `doing` says what was under way. */
export function unavailable(place: string, doing: string, error: unknown): Error {
  if (error instanceof StageUnavailableError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  const known = typeof code === 'string' ? code : 'connection';
  const message = error instanceof Error ? error.message : String(error);
  return new StageUnavailableError(known, `the ${place}, ${doing}: ${message} (${known})`, { cause: error });
}
