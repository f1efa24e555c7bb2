import type { Checkpoint } from '../domain/checkpoint.js';
import { formatHlc, type Hlc } from '../domain/hlc.js';

/** The compare-and-set hit no row: somebody else has the token, or the target was set back (protocol rule C). Nothing was written. */
export class FenceLostError extends Error {
  constructor(
    readonly stream: string,
    /** The row as it is now; null when it is gone. */
    readonly found: Checkpoint | null,
  ) {
    super(
      `stream ${stream} no longer owns its checkpoint row: another attempt has taken over, or the target was set back`,
    );
    this.name = 'FenceLostError';
  }
}

/** Changes that were applied at once are in the way of a window: only one that reaches as far as they do can be written (protocol rule 27). */
export class OutrunError extends Error {
  constructor(
    readonly stream: string,
    /** The newest of them. */
    readonly upTo: Hlc,
    options: { cause: unknown },
  ) {
    super(
      `stream ${stream}: what is applied at once already, up to ${formatHlc(upTo)}, is in the way of this window`,
      options,
    );
    this.name = 'OutrunError';
  }
}

/** The target cannot be reached or cannot do it now; the same again later may succeed. */
export class TargetUnavailableError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options: { cause: unknown; readonly commitUnknown?: boolean },
  ) {
    super(message, { cause: options.cause });
    this.name = 'TargetUnavailableError';
    this.commitUnknown = options.commitUnknown ?? false;
  }
  /** True when the connection was lost during COMMIT: read the row under its lock before anything else (protocol rule 22). */
  readonly commitUnknown: boolean;
}

/** A row that the target will never take. Names its key, never its values. */
export class BadRowError extends Error {
  constructor(
    readonly table: string,
    readonly key: string,
    /** The target's column that cannot take its value; null where the row as a whole is refused. */
    readonly column: string | null,
    /** SQLSTATE or the dialect's number. */
    readonly code: string,
    /** The database's primary message, without its DETAIL (which holds row values). */
    readonly reason: string,
    options: { cause: unknown },
  ) {
    const where = column === null ? `${table} key ${key}` : `${table} key ${key}, column "${column}"`;
    super(`${where}: the target refuses this row: ${reason} (${code})`, options);
    this.name = 'BadRowError';
  }
}

/** The target's table lacks what the source now sends. */
export class SchemaMismatchError extends Error {
  constructor(
    readonly table: string,
    readonly column: string | null,
    /** The statement that mends it, where one is known. */
    readonly remedy: string,
    options?: { cause: unknown },
  ) {
    super(
      `${table} on the target ${column === null ? 'does not match the source' : `has no column "${column}"`}: ${remedy}`,
      options,
    );
    this.name = 'SchemaMismatchError';
  }
}

/** The target refuses for a reason that waiting will not change: privileges, a read-only server, a wrong password. */
export class TargetRefusedError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options: { cause: unknown },
  ) {
    super(message, options);
    this.name = 'TargetRefusedError';
  }
}

/** True for an error of the port itself: it passes as it is. */
export function isTargetError(error: unknown): error is Error {
  return (
    error instanceof TargetUnavailableError ||
    error instanceof TargetRefusedError ||
    error instanceof SchemaMismatchError ||
    error instanceof BadRowError ||
    error instanceof OutrunError ||
    error instanceof FenceLostError
  );
}
