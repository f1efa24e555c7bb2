import type { OracleClient } from './client.js';
import { classifyOracleError, oracleErrorCode, shownMessage } from './errors.js';

/** What asking needs of a connection. */
export type Asking = Pick<OracleClient, 'execute'>;

/** What the database said no with; its words without row values. */
export interface RefusedStatement {
  /** `ORA-01031` */
  readonly code: string;
  readonly message: string;
}

/** No such table, or no privilege to see it; a privilege lacks, of a table underneath too. The last since 23ai. */
const DENIED: ReadonlySet<string> = new Set(['ORA-00942', 'ORA-01031', 'ORA-01039', 'ORA-41900']);
/** The database takes no writes. Classed with what passes, as a fail-over does; here it is the answer. */
const READ_ONLY: ReadonlySet<string> = new Set(['ORA-16000', 'ORA-01456']);

export function isDenied({ code }: RefusedStatement): boolean {
  return DENIED.has(code);
}

export function isReadOnly({ code }: RefusedStatement): boolean {
  return READ_ONLY.has(code);
}

/** Its words end in the number. */
export function wordsOf({ code, message }: RefusedStatement): string {
  return message.includes(code) ? message : `${message} (${code})`;
}

/**
 * Tries one statement that changes nothing. Null when it succeeded, else what the database said.
 * @throws the error itself when it says nothing of the statement (e.g. the connection is lost)
 */
export async function attempt(
  client: Asking,
  statement: string,
  binds: readonly string[] = [],
): Promise<RefusedStatement | null> {
  try {
    await client.execute(statement, binds);
    return null;
  } catch (error) {
    const refused = { code: oracleErrorCode(error), message: shownMessage(error) };
    if (classifyOracleError(error) === 'transient' && !isReadOnly(refused)) throw error;
    return refused;
  }
}
