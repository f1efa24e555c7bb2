import pg from 'pg';
import { classifyPostgresError, shownMessage } from './errors.js';

/** Runs `work` in one transaction: commits what it returns from, rolls back what it throws. */
export async function inTransaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await rollBack(client);
    throw error;
  }
}

/**
 * Tries statements and leaves nothing behind: always rolls back. Returns null when they all succeeded, else the error of the first
 * that did not.
 */
export async function attempt(client: pg.Client, statements: readonly string[]): Promise<RefusedStatement | null> {
  await client.query('BEGIN');
  try {
    for (const statement of statements) await client.query(statement);
    return null;
  } catch (error) {
    return toRefusal(error);
  } finally {
    await rollBack(client);
  }
}

/** What the server said no with; its words without row values. */
export interface RefusedStatement {
  readonly code: string;
  readonly message: string;
}

/** @throws the error itself when it says nothing of the statement (e.g. the connection is lost) */
function toRefusal(error: unknown): RefusedStatement {
  const code = sqlState(error);
  if (code === null || (code !== READ_ONLY && classifyPostgresError(error) === 'transient')) throw error;
  return { code, message: shownMessage(error) };
}

const READ_ONLY = '25006';

/** SQLSTATE of a server's error; null for every other error. */
export function sqlState(error: unknown): string | null {
  return error instanceof pg.DatabaseError ? (error.code ?? null) : null;
}

async function rollBack(client: pg.Client): Promise<void> {
  try {
    await client.query('ROLLBACK');
  } catch {
    // The connection is gone, and with it the transaction; the first error is the one to tell.
  }
}
