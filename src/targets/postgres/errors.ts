import pg from 'pg';
import { isTargetError, SchemaMismatchError, TargetRefusedError, TargetUnavailableError } from '../failures.js';
import { NETWORK_CODES } from '../network-codes.js';
import { Objection } from '../session/objection.js';
import type { ErrorWords } from '../session/parts.js';
import { beyondLimits } from './types.js';

/**
 * What an error of PostgreSQL or of the connection to it means for an apply transaction.
 * - `transient`: ends the transaction; the same again later may succeed.
 * - `row`: the database objects to a row, or to the order in which rows came.
 * - `schema`: the table is not what the statement takes it for.
 * - `refused`: waiting will not change it; a person must look.
 */
export type PostgresErrorClass = 'transient' | 'row' | 'schema' | 'refused';

/** By SQLSTATE, or by its first two characters. The longer one wins. Anything else is `refused`: a person must look. */
const CLASS_OF_SQLSTATE: Readonly<Record<string, PostgresErrorClass>> = {
  '08': 'transient', // connection exception
  '21': 'row', // cardinality violation
  '22': 'row', // data exception
  '23': 'row', // integrity constraint violation
  '25006': 'transient', // read-only: this server is a standby until fail-over ends
  '25P03': 'transient', // idle-in-transaction timeout
  '25P04': 'transient', // transaction timeout
  '40': 'transient', // 40001 serialization failure, 40P01 deadlock
  '42': 'schema',
  '42501': 'refused', // privilege
  '42P10': 'schema', // no unique index on the key
  '44': 'row', // WITH CHECK OPTION
  '53': 'transient', // out of memory, disk or connections
  '54': 'row', // an index entry too big, ...
  '55': 'schema', // a deferrable primary key cannot arbitrate, ...
  '55006': 'transient', // object in use
  '55P03': 'transient', // lock not available
  '57': 'transient', // shutting down, starting up, cancelled
  '57P04': 'refused', // the database was dropped
  '58': 'transient', // I/O error
  P0: 'row', // a trigger raises
  XX000: 'transient', // e.g. tuple concurrently updated
};

/** Of node and of the driver, where there is no server to give an SQLSTATE. */
const TRANSIENT_NODE_CODES: ReadonlySet<string> = new Set([
  ...NETWORK_CODES,
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

/** The driver's errors that carry no code. */
const NO_TLS = /does not support SSL/;
const CONNECTION_LOST = /connection|timeout expired|client was closed|stream/i;

const SQLSTATE = /^[0-9A-Z]{5}$/;

/** The error's SQLSTATE, else node's code, else a word of ours: `connection`, `no-tls`, `unknown`. */
export function postgresErrorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string') return code;
  if (!(error instanceof Error)) return 'unknown';
  if (NO_TLS.test(error.message)) return 'no-tls';
  return CONNECTION_LOST.test(error.message) ? 'connection' : 'unknown';
}

export function classifyPostgresError(error: unknown): PostgresErrorClass {
  const code = postgresErrorCode(error);
  if (error instanceof pg.DatabaseError || SQLSTATE.test(code)) {
    return CLASS_OF_SQLSTATE[code] ?? CLASS_OF_SQLSTATE[code.slice(0, 2)] ?? 'refused';
  }
  return TRANSIENT_NODE_CODES.has(code) || code === 'connection' ? 'transient' : 'refused';
}

/** True when the server has ended the session with this error, or the connection is gone: no statement of it will be answered. */
export function endsSession(error: unknown): boolean {
  if (isTargetError(error)) return false;
  return !(error instanceof pg.DatabaseError) || /^(08|25P0[34]|57P0)/.test(postgresErrorCode(error));
}

/** What may be known of an error of the driver's: never its detail, nor a quoted value, nor the words of a trigger. */
export class PostgresError extends Objection {
  readonly relation: string | undefined;
  constructor(error: unknown) {
    const code = postgresErrorCode(error);
    const facts: Partial<pg.DatabaseError> = error instanceof pg.DatabaseError ? error : {};
    super(shownMessage(error), code, CODES_OF_ORDER.has(code), { constraint: facts.constraint, column: facts.column });
    this.name = 'PostgresError';
    this.relation = facts.table;
  }
}

const CODES_OF_ORDER: ReadonlySet<string> = new Set([
  '23001', // RESTRICT
  '23503', // foreign key
  '23505', // unique
  '23P01', // exclusion
]);

/**
 * The database's primary message without row values. Data exceptions quote the value (`invalid input syntax for type integer: "..."`), and
 * what a trigger raises may hold anything.
 */
export function shownMessage(error: unknown): string {
  if (!(error instanceof Error)) return 'not an error object';
  const code = postgresErrorCode(error);
  if (code.startsWith('P0') && SQLSTATE.test(code)) {
    const where = error instanceof pg.DatabaseError ? /^PL\/pgSQL function \S+ line \d+/.exec(error.where ?? '') : null;
    return `an exception was raised${where === null ? '' : ` in ${where[0]}`} (its words may hold row values and are not shown)`;
  }
  if (code.startsWith('22'))
    return beyondLimits(error.message) ?? error.message.replace(/"[\s\S]*"/, '"..."').replace(/0x[0-9a-f].*$/i, '...');
  return error.message;
}

/** An error of ours passes; anything else becomes the port's error of its class. `doing` says what was under way. */
export function toTargetError(
  error: unknown,
  doing: string,
  { commitUnknown = false }: { readonly commitUnknown?: boolean } = {},
): Error {
  if (isTargetError(error)) return error;
  const code = postgresErrorCode(error);
  const cause = new PostgresError(error);
  switch (classifyPostgresError(error)) {
    case 'transient':
      return new TargetUnavailableError(code, `PostgreSQL, ${doing}: ${cause.message} (${code})`, {
        cause,
        commitUnknown,
      });
    case 'schema':
      return new SchemaMismatchError(
        cause.relation ?? 'a table',
        null,
        `${cause.message} (${code}): compare the table with the source's, mend it, then resume`,
        { cause },
      );
    case 'row':
    case 'refused':
      return new TargetRefusedError(
        code,
        `PostgreSQL refuses, ${doing}: ${cause.message} (${code}). It will refuse again until this is mended on the target`,
        { cause },
      );
  }
}

export const postgresErrors: ErrorWords = {
  toTargetError,
  endsSession,
  isLockTimeout: (error) => postgresErrorCode(error) === LOCK_NOT_AVAILABLE,
  causeOf: (error) => new PostgresError(error),
  endingSessions: 'SELECT pg_terminate_backend(<process>) ends it',
};

const LOCK_NOT_AVAILABLE = '55P03';
