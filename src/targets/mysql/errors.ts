import { isTargetError, SchemaMismatchError, TargetRefusedError, TargetUnavailableError } from '../failures.js';
import { NETWORK_CODES } from '../network-codes.js';
import { Objection } from '../session/objection.js';
import type { ErrorWords } from '../session/parts.js';

/**
 * What an error of MySQL, MariaDB or of the connection to it means for an apply transaction.
 * - `transient`: ends the transaction; the same again later may succeed.
 * - `row`: the database objects to a row, or to the order in which rows came.
 * - `schema`: the table is not what the statement takes it for.
 * - `refused`: waiting will not change it; a person must look.
 */
export type MysqlErrorClass = 'transient' | 'row' | 'schema' | 'refused';

/** By the server's error number: SQLSTATE is HY000 for too many of them. Anything else is `refused`: a person must look. */
const CLASS_OF_ERRNO: Readonly<Record<number, MysqlErrorClass>> = {
  1021: 'transient', // disk full
  1028: 'transient', // sort aborted
  1037: 'transient', // out of memory
  1038: 'transient', // out of sort memory
  1040: 'transient', // too many connections
  1041: 'transient', // out of resources
  1042: 'transient', // the server cannot look our name up
  1043: 'transient', // bad handshake
  1053: 'transient', // shutting down
  1077: 'transient', // shutting down
  1079: 'transient', // shutting down
  1105: 'transient', // unknown error
  1114: 'transient', // table is full
  1129: 'transient', // host is blocked for a while
  1152: 'transient', // connection aborted
  1158: 'transient', // reading from the network
  1159: 'transient',
  1160: 'transient', // writing to it
  1161: 'transient',
  1180: 'transient', // error during COMMIT
  1184: 'transient', // connection aborted
  1203: 'transient', // the user has too many connections
  1205: 'transient', // lock wait timeout
  1206: 'transient', // lock table is full
  1213: 'transient', // deadlock
  1226: 'transient', // a resource limit of the user per hour
  1290: 'transient', // read-only: this server is a replica until fail-over ends
  1317: 'transient', // the statement was killed
  1613: 'transient', // transaction branch was rolled back for a deadlock
  1614: 'transient',
  1792: 'transient', // read-only transaction
  1836: 'transient', // read-only mode
  1927: 'transient', // the connection was killed (MariaDB)
  1969: 'transient', // statement timeout (MariaDB)
  2013: 'transient', // lost connection
  3024: 'transient', // statement timeout (MySQL)
  3032: 'transient', // the session is not attached to the server
  3101: 'transient', // group replication has rolled the transaction back
  3168: 'transient', // the server is not available
  3169: 'transient', // the session was killed
  3572: 'transient', // NOWAIT
  4031: 'transient', // the server has ended an idle session (MySQL)
  // Values.
  1048: 'row', // NULL in a NOT NULL column
  1062: 'row', // duplicate key
  1169: 'row', // unique constraint
  1216: 'row', // foreign key
  1217: 'row',
  1263: 'row', // NULL in a NOT NULL column
  1264: 'row', // out of range
  1265: 'row', // truncated
  1292: 'row', // wrong value
  1294: 'row',
  1300: 'row', // wrong character
  1364: 'row', // no default
  1365: 'row', // division by zero
  1366: 'row', // wrong value for a column
  1367: 'row', // illegal value
  1403: 'row', // wrong value
  1406: 'row', // too long
  1411: 'row', // wrong value for a function
  1416: 'row', // geometry
  1441: 'row', // datetime overflow
  1442: 'row', // a trigger changes its own table
  1451: 'row', // foreign key: it is referenced
  1452: 'row', // foreign key: nobody to reference
  1526: 'row', // no partition for the value
  1557: 'row', // foreign key would cause a duplicate
  1586: 'row', // duplicate key
  1644: 'row', // SIGNAL of a trigger
  1690: 'row', // out of range
  1748: 'row', // not of the partition
  1761: 'row', // foreign key with a cascade would cause a duplicate
  1762: 'row',
  1859: 'row', // duplicate
  1906: 'row', // value of a generated column (MariaDB)
  3105: 'row', // value of a generated column (MySQL)
  3140: 'row', // JSON
  3141: 'row',
  3144: 'row', // JSON from a wrong character set
  3155: 'row',
  3156: 'row',
  3157: 'row', // JSON nests too deep
  3158: 'row',
  3616: 'row', // geometry out of range
  3617: 'row',
  3643: 'row', // SRID of the column
  3732: 'row', // geometry
  3751: 'row', // functional index
  3752: 'row',
  3819: 'row', // CHECK (MySQL)
  4025: 'row', // CONSTRAINT (MariaDB)
  4078: 'row', // illegal value
  // The table or its columns.
  1054: 'schema', // unknown column
  1072: 'schema', // key column
  1109: 'schema', // unknown table
  1136: 'schema', // column count
  1146: 'schema', // no such table
  1412: 'transient', // the table's definition has changed: the same again finds the new one
  1615: 'transient',
};

/** Of node and of the driver, where there is no server to give a number. */
const TRANSIENT_NODE_CODES: ReadonlySet<string> = new Set([
  ...NETWORK_CODES,
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR',
  'PROTOCOL_ENQUEUE_AFTER_QUIT',
]);

/** The driver's errors that carry no code of their own. */
const NO_TLS = /does not support s(?:ecure|sl)/i;
const CONNECTION_LOST = /connection.*closed|closed state|connection lost/i;

/** Numbers with which the server ends the session. */
const ENDS_SESSION: ReadonlySet<number> = new Set([
  1053, 1077, 1079, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1927, 2013, 3032, 3169, 4031,
]);

/** The server's number of the error; null: it is none of the server's. */
export function errnoOf(error: unknown): number | null {
  const { errno, sqlState } = (error ?? {}) as { errno?: unknown; sqlState?: unknown };
  return typeof errno === 'number' && errno > 0 && typeof sqlState === 'string' ? errno : null;
}

/** The server's number as text, else node's or the driver's code, else a word of ours: `connection`, `no-tls`, `unknown`. */
export function mysqlErrorCode(error: unknown): string {
  const errno = errnoOf(error);
  if (errno !== null) return String(errno);
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string };
  if (NO_TLS.test(message)) return 'no-tls';
  if (typeof code === 'string') return code;
  return CONNECTION_LOST.test(message) ? 'connection' : 'unknown';
}

export function classifyMysqlError(error: unknown): MysqlErrorClass {
  const errno = errnoOf(error);
  if (errno !== null) return CLASS_OF_ERRNO[errno] ?? 'refused';
  const code = mysqlErrorCode(error);
  return TRANSIENT_NODE_CODES.has(code) || code === 'connection' ? 'transient' : 'refused';
}

/** True when the server has ended the session with this error, or the connection is gone: no statement of it will be answered. */
export function endsSession(error: unknown): boolean {
  if (isTargetError(error)) return false;
  const errno = errnoOf(error);
  return errno === null ? error instanceof Error : ENDS_SESSION.has(errno);
}

/** What may be known of an error of the driver's: never a value of a row, nor the words of a trigger. */
export class MysqlError extends Objection {
  constructor(error: unknown) {
    const words = error instanceof Error && errnoOf(error) !== null ? error.message : '';
    super(
      shownMessage(error),
      mysqlErrorCode(error),
      CODES_OF_ORDER.has(errnoOf(error) ?? 0) || meetsAnotherRow(error),
      {
        column: namedColumn(words) ?? undefined,
        constraint: namedConstraint(words) ?? undefined,
      },
    );
    this.name = 'MysqlError';
  }
}

/** Of unique and foreign keys. */
const CODES_OF_ORDER: ReadonlySet<number> = new Set([1062, 1169, 1216, 1217, 1451, 1452, 1557, 1586, 1761, 1762]);

/** The addition with which an upsert says that it has met a row of another key (`upsertSql`). */
function meetsAnotherRow(error: unknown): boolean {
  return errnoOf(error) === OVERFLOW && error instanceof Error && /~\(?0\)? \+ \(1 \+/.test(error.message);
}

const OVERFLOW = 1690;

/** A value may hold any of the words around it, so that a column is named by what stands behind the last of them. */
function namedColumn(message: string): string | null {
  const [, name] =
    /^(?:Column|Field) '([^']+)' (?:cannot be null|doesn't have a default value)$/.exec(message) ??
    /(?:^|[\s\S]* )(?:for|in) column (?:`[^`]*`\.`[^`]*`\.)?[`']([^`']+)[`'](?: at row \d+)?$/.exec(message) ??
    [];
  return name ?? null;
}

function namedConstraint(message: string): string | null {
  const [, name] =
    /^Duplicate entry '[\s\S]*' for key '([^']+)'$/.exec(message) ??
    /CONSTRAINT [`']([^`']+)[`'] FOREIGN KEY/.exec(message) ??
    /^CONSTRAINT [`']([^`']+)[`'] failed/.exec(message) ??
    /^Check constraint '([^']+)' is violated/.exec(message) ??
    [];
  return name ?? null;
}

/** Numbers whose words name columns, keys and constraints only, as the catalogue spells them. */
const WORDS_WITHOUT_VALUES: ReadonlySet<number> = new Set([
  1040, 1042, 1043, 1044, 1045, 1046, 1048, 1049, 1053, 1054, 1072, 1109, 1114, 1136, 1142, 1143, 1146, 1153, 1205,
  1213, 1227, 1264, 1290, 1364, 1370, 1406, 1412, 1451, 1452, 1630, 1698, 1792, 1836, 1927, 3819, 4025,
]);

/**
 * The server's words without row values: many of them quote one ("Duplicate entry 'ann@example.com' for key 'email'"), and a trigger may say
 * anything. Of an unknown number all that stands in quotes is left out.
 */
export function shownMessage(error: unknown): string {
  if (!(error instanceof Error)) return 'not an error object';
  const errno = errnoOf(error);
  const { message } = error;
  if (errno === null) return message;
  if (meetsAnotherRow(error)) return 'a row of another key has a value of a unique key that this row brings';
  if (errno === 1644) return 'an exception was raised (its words may hold row values and are not shown)';
  if (WORDS_WITHOUT_VALUES.has(errno)) return message;
  if (errno === 1062 || errno === 1586) {
    const key = namedConstraint(message);
    return `Duplicate entry${key === null ? '' : ` for key '${key}'`}`;
  }
  const column = namedColumn(message);
  const shown = message.replace(/['"`][\s\S]*['"`]/, "'...'");
  return column === null ? shown : `${shown.replace(/ (?:for|in) column[\s\S]*$/, '')}, column '${column}'`;
}

/** An error of ours passes; anything else becomes the port's error of its class. `doing` says what was under way. */
export function toTargetError(
  error: unknown,
  doing: string,
  { commitUnknown = false }: { readonly commitUnknown?: boolean } = {},
): Error {
  if (isTargetError(error)) return error;
  const code = mysqlErrorCode(error);
  const cause = new MysqlError(error);
  switch (classifyMysqlError(error)) {
    case 'transient':
      return new TargetUnavailableError(code, `MySQL, ${doing}: ${cause.message} (${code})`, { cause, commitUnknown });
    case 'schema':
      return new SchemaMismatchError(
        'a table',
        null,
        `${cause.message} (${code}): compare the table with the source's, mend it, then resume`,
        { cause },
      );
    case 'row':
    case 'refused':
      return new TargetRefusedError(
        code,
        `MySQL refuses, ${doing}: ${cause.message} (${code}). It will refuse again until this is mended on the target`,
        { cause },
      );
  }
}

export const mysqlErrors: ErrorWords = {
  toTargetError,
  endsSession,
  isLockTimeout,
  causeOf: (error) => new MysqlError(error),
  endingSessions: 'KILL <connection id> ends it',
};

/** Somebody holds a row for longer than we wait. */
export function isLockTimeout(error: unknown): boolean {
  return errnoOf(error) === LOCK_WAIT_TIMEOUT;
}

const LOCK_WAIT_TIMEOUT = 1205;
