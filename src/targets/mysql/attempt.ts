import { classifyMysqlError, errnoOf, shownMessage } from './errors.js';
import type { Asking } from './introspection.js';

/** What the server said no with; its words without row values. */
export interface RefusedStatement {
  readonly errno: number;
  readonly message: string;
  /** It speaks of a value. */
  readonly ofValue: boolean;
}

/** A privilege lacks: on a database, a table, a column, or of the whole server. */
const DENIED: ReadonlySet<number> = new Set([1044, 1142, 1143, 1227]);
/** The server or the session takes no writes. Classed with what passes, as a fail-over does; here it is the answer. */
const READ_ONLY: ReadonlySet<number> = new Set([1290, 1792, 1836]);

export function isDenied(refused: RefusedStatement): boolean {
  return DENIED.has(refused.errno);
}

/**
 * Tries one statement that changes nothing. Null when it succeeded, else what the server said.
 * @throws the error itself when it says nothing of the statement (e.g. the connection is lost)
 */
export async function attempt(client: Asking, statement: string): Promise<RefusedStatement | null> {
  try {
    await client.query(statement);
    return null;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null || (classifyMysqlError(error) === 'transient' && !READ_ONLY.has(errno))) throw error;
    return { errno, message: shownMessage(error), ofValue: classifyMysqlError(error) === 'row' };
  }
}
