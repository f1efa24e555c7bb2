import { isTargetError, SchemaMismatchError, TargetRefusedError, TargetUnavailableError } from '../failures.js';
import { NETWORK_CODES } from '../network-codes.js';
import { Objection } from '../session/objection.js';
import type { ErrorWords } from '../session/parts.js';

/**
 * What an error of Oracle or of the connection to it means for an apply transaction.
 * - `transient`: ends the transaction; the same again later may succeed.
 * - `row`: the database objects to a row, or to the order in which rows came.
 * - `schema`: the table is not what the statement takes it for.
 * - `refused`: waiting will not change it; a person must look.
 */
export type OracleErrorClass = 'transient' | 'row' | 'schema' | 'refused';

interface Meaning {
  readonly class: OracleErrorClass;
  /** Shown in place of Oracle's words, which may hold values of a row since 23ai; absent: the first line of its own. */
  readonly words?: string;
  /** The server has ended the session with it. */
  readonly ends?: true;
  /** Somebody else has held what is wanted for as long as the session may wait. */
  readonly lock?: true;
}

const row = (words: string): Meaning => ({ class: 'row', words });
const AWAY: Meaning = { class: 'transient', ends: true };
const LOCKED: Meaning = { class: 'transient', lock: true };
const BUSY: Meaning = { class: 'transient' };
const SCHEMA: Meaning = { class: 'schema' };
const REFUSED: Meaning = { class: 'refused' };

/** By ORA number. Anything else is `refused`: a person must look. */
const MEANING: Readonly<Record<number, Meaning>> = {
  1: row('another row has this value of a unique key'),
  18: BUSY, // sessions used up
  20: BUSY, // processes used up
  22: AWAY, // invalid session
  28: AWAY, // killed
  31: AWAY, // marked for kill
  51: BUSY, // time-out waiting for a resource
  54: LOCKED, // NOWAIT, or WAIT has passed
  60: BUSY, // deadlock
  104: BUSY, // deadlock of shared servers
  257: BUSY, // the archiver is stuck: it goes on when somebody makes room
  600: AWAY,
  603: AWAY,
  609: AWAY,
  904: SCHEMA, // no such column
  913: SCHEMA, // too many values
  932: SCHEMA, // inconsistent data types
  942: SCHEMA, // no such table, or no privilege to see it
  947: SCHEMA, // not enough values
  1012: AWAY, // not logged on
  1013: LOCKED, // interrupted: by callTimeout
  1017: REFUSED, // wrong user or password
  1031: REFUSED, // privilege
  1033: AWAY, // starting up or shutting down
  1034: AWAY, // not available
  1035: REFUSED, // restricted to administrators
  1041: AWAY,
  1045: REFUSED, // no CREATE SESSION
  1089: AWAY, // shutting down
  1090: AWAY,
  1092: AWAY,
  1109: AWAY, // not open
  1400: row('the column is NOT NULL, and the value is NULL (to Oracle, an empty text is NULL)'),
  1407: row('the column is NOT NULL, and the value is NULL (to Oracle, an empty text is NULL)'),
  1426: row('the number is beyond what Oracle can hold'),
  1438: row('the number has more digits than the column takes'),
  1450: row('the key is too long for an index'),
  1461: row('the value is longer than the column takes'),
  1465: row('the value is not hexadecimal'),
  1489: row('the text is too long'),
  1552: BUSY, // undo is not there
  1555: BUSY, // snapshot too old
  1562: BUSY, // undo is full
  1628: BUSY,
  1631: BUSY, // no room in a table
  1652: BUSY, // no room in temporary space
  1653: BUSY, // no room in a table
  1654: BUSY, // no room in an index
  1683: BUSY,
  1688: BUSY,
  1691: BUSY, // no room in a LOB
  1722: row('the value is no number'),
  1733: SCHEMA,
  1747: SCHEMA,
  1776: SCHEMA,
  1779: SCHEMA,
  2049: LOCKED, // distributed transaction waits for a lock
  2091: { class: 'row' }, // rolled back at COMMIT by a deferred constraint
  2290: row('a CHECK constraint is violated'),
  2291: row('the row that a foreign key references is not there'),
  2292: row('another row references this one by a foreign key'),
  2359: row('the value is beyond an enumeration'),
  2396: AWAY, // idle for too long
  3113: AWAY,
  3114: AWAY,
  3135: AWAY,
  4020: BUSY, // deadlock of library objects
  4021: LOCKED, // time-out waiting for an object
  4031: BUSY, // shared memory
  4036: BUSY, // PGA
  4061: BUSY, // state of packages was discarded
  4068: BUSY,
  4091: { class: 'row', words: 'a trigger reads the table that it is on' },
  8177: BUSY, // serialization
  12153: AWAY,
  12154: REFUSED, // no such connect identifier
  12170: AWAY, // connect time-out
  12514: AWAY, // the listener does not know the service yet
  12516: BUSY,
  12518: BUSY,
  12519: BUSY,
  12520: BUSY,
  12521: AWAY,
  12526: AWAY, // instances are restricted
  12527: AWAY,
  12528: AWAY, // instances are blocked: starting up
  12537: AWAY,
  12541: AWAY, // no listener
  12543: AWAY,
  12545: AWAY,
  12547: AWAY,
  12560: AWAY,
  12570: AWAY,
  12571: AWAY,
  12583: AWAY,
  12805: BUSY,
  12829: BUSY, // deadlock of parallel execution
  12838: BUSY,
  12899: row('the text is longer than the column takes'),
  14400: row('no partition takes the row'),
  14402: row('the row would move to another partition: ALTER TABLE ... ENABLE ROW MOVEMENT'),
  16000: AWAY, // read-only: this server is a standby until fail-over ends
  16456: AWAY, // switch-over is under way
  16003: AWAY,
  17002: AWAY,
  25401: AWAY,
  25402: AWAY,
  25408: AWAY,
  25409: AWAY,
  28000: REFUSED, // the account is locked
  28001: REFUSED, // the password has expired
  28002: REFUSED,
  22835: row('the text is longer than the column takes'),
  28115: row('a security policy forbids the row'),
  28150: REFUSED,
  30006: LOCKED, // WAIT has passed
  30926: { class: 'row', words: 'one row is written twice by one statement' },
  30036: BUSY, // undo is full
  30645: REFUSED,
  32795: { class: 'schema' }, // GENERATED ALWAYS AS IDENTITY
  40441: row('the text is no JSON'),
  54013: SCHEMA, // a virtual column
  54017: SCHEMA,
};

/** Numbers from 1830 to 1899 and of the JSON readers: what a reader of dates, times and the like objects to. */
const DATE_AND_TIME: Meaning = row('the value is no date or time that Oracle can hold');
const JSON_TEXT: Meaning = row('the text is no JSON that the column takes');
/** What a trigger raises may hold anything. */
const RAISED: Meaning = row('an exception was raised (its words may hold row values and are not shown)');

/** Errors of the driver in thin mode, and of the thick one, which has none of ORA's numbers. */
const MEANING_OF_DRIVER: Readonly<Record<string, Meaning>> = {
  'NJS-040': BUSY,
  'NJS-123': LOCKED, // callTimeout
  'DPI-1067': LOCKED,
  'NJS-003': AWAY, // the connection is closed
  'DPI-1010': AWAY,
  'DPI-1080': AWAY,
  'NJS-500': AWAY,
  'NJS-501': AWAY,
  'NJS-503': AWAY,
  'NJS-509': AWAY,
  'NJS-510': AWAY, // connect time-out
  'NJS-511': AWAY, // refused
  'NJS-513': AWAY,
  'NJS-518': AWAY, // the listener does not know the service yet
  'NJS-521': AWAY,
  'NJS-530': AWAY, // the host's name is not found
};

/** Of node, where neither server nor driver has a number. */
const TRANSIENT_NODE_CODES: ReadonlySet<string> = new Set([...NETWORK_CODES]);

/** The number of Oracle's error: the driver's field, else the one that the message begins with (an array bind's have no more). */
function numberOf(error: unknown): number | null {
  const { errorNum, message } = (error ?? {}) as { errorNum?: unknown; message?: unknown };
  if (typeof errorNum === 'number' && errorNum > 0) return errorNum;
  const [, number] = /(?:^|\n)ORA-(\d{5})\b/.exec(typeof message === 'string' ? message : '') ?? [];
  return number === undefined ? null : Number(number);
}

/** Behind an error that only says where another one came from: a deferred constraint at COMMIT (2091), a trigger (4088, 6512). */
function underlyingNumber(error: unknown): number | null {
  const number = numberOf(error);
  if (number !== ROLLED_BACK || !(error instanceof Error)) return number;
  const numbers = [...error.message.matchAll(/ORA-(\d{5})/g)].map(([, digits]) => Number(digits));
  return numbers.find((one) => one !== ROLLED_BACK) ?? number;
}

const ROLLED_BACK = 2091;

/** `ORA-00001`, else the driver's code, else node's, else `unknown`. */
export function oracleErrorCode(error: unknown): string {
  if (error instanceof RefusedValue) return error.code;
  const number = underlyingNumber(error);
  if (number !== null) return `ORA-${String(number).padStart(5, '0')}`;
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'unknown';
}

function meaningOf(error: unknown): Meaning {
  if (error instanceof RefusedValue) return row(error.message);
  const number = underlyingNumber(error);
  if (number !== null) {
    const known = MEANING[number];
    if (known !== undefined) return known;
    if (number >= 1830 && number <= 1899) return DATE_AND_TIME;
    if (number >= 40440 && number <= 40699) return JSON_TEXT;
    if (number >= 20000 && number <= 20999) return RAISED;
    return REFUSED;
  }
  const code = oracleErrorCode(error);
  return MEANING_OF_DRIVER[code] ?? (TRANSIENT_NODE_CODES.has(code) ? AWAY : REFUSED);
}

export function classifyOracleError(error: unknown): OracleErrorClass {
  return meaningOf(error).class;
}

/** True when the server has ended the session with this error, or the connection is gone: no statement of it will be answered. */
export function endsSession(error: unknown): boolean {
  return !isTargetError(error) && meaningOf(error).ends === true;
}

/** True when somebody else held what was wanted until the wait was over. */
export function isLockTimeout(error: unknown): boolean {
  return !isTargetError(error) && meaningOf(error).lock === true;
}

/** A value that Oracle would round, cut or refuse, found before it is sent. Its words hold no value. */
export class RefusedValue extends Error {
  constructor(
    /** The target's column. */
    readonly column: string,
    /** The number with which Oracle refuses such a value, where it does not change it in silence. */
    readonly code: string,
    reason: string,
  ) {
    super(reason);
    this.name = 'RefusedValue';
  }
}

/** What may be known of an error of the driver's: never a value, nor the words of a trigger. */
export class OracleError extends Objection {
  constructor(error: unknown) {
    const code = oracleErrorCode(error);
    const column = error instanceof RefusedValue ? error.column : columnOf(error);
    super(shownMessage(error), code, CODES_OF_ORDER.has(code), { constraint: constraintOf(error), column });
    this.name = 'OracleError';
  }
}

const CODES_OF_ORDER: ReadonlySet<string> = new Set([
  'ORA-00001', // unique
  'ORA-02291', // foreign key: no such parent
  'ORA-02292', // foreign key: a child is there
]);

/** Words without row values. From 23ai on, Oracle quotes values in many of them, and names the row of a duplicate in a line of its own. */
export function shownMessage(error: unknown): string {
  if (!(error instanceof Error)) return 'not an error object';
  const { words } = meaningOf(error);
  const constraint = constraintOf(error);
  if (words !== undefined) return constraint === undefined ? words : `${words} (${constraint})`;
  const [first = ''] = error.message.split('\n').filter((line) => line.includes('ORA-') || !line.startsWith('Help:'));
  return first.replace(/'[^']*'/g, `'...'`);
}

function constraintOf(error: unknown): string | undefined {
  const number = underlyingNumber(error);
  if (number === null || !CONSTRAINTS.has(number) || !(error instanceof Error)) return undefined;
  return /\(([^()\s]+\.[^()\s]+)\)/.exec(error.message)?.[1];
}

const CONSTRAINTS: ReadonlySet<number> = new Set([1, 2290, 2291, 2292]);

/** Oracle names the column of a NULL and of a text that is too long: `"SHOP"."T"."C"`. */
function columnOf(error: unknown): string | undefined {
  const number = underlyingNumber(error);
  if (number === null || ![1400, 1407, 12899].includes(number) || !(error instanceof Error)) return undefined;
  return /"[^"]+"\."[^"]+"\."([^"]+)"/.exec(error.message)?.[1];
}

/** An error of ours passes; anything else becomes the port's error of its class. `doing` says what was under way. */
export function toTargetError(
  error: unknown,
  doing: string,
  { commitUnknown = false }: { readonly commitUnknown?: boolean } = {},
): Error {
  if (isTargetError(error)) return error;
  const cause = error instanceof OracleError ? error : new OracleError(error);
  const { code, message } = cause;
  switch (classifyOracleError(error)) {
    case 'transient':
      return new TargetUnavailableError(code, `Oracle, ${doing}: ${message} (${code})`, { cause, commitUnknown });
    case 'schema':
      return new SchemaMismatchError(
        'a table',
        null,
        `${message} (${code}): compare the table with the source's, mend it, then resume`,
        { cause },
      );
    case 'row':
    case 'refused':
      return new TargetRefusedError(
        code,
        `Oracle refuses, ${doing}: ${message} (${code}). It will refuse again until this is mended on the target`,
        { cause },
      );
  }
}

export const oracleErrors: ErrorWords = {
  toTargetError,
  endsSession,
  isLockTimeout,
  causeOf: (error) => (error instanceof OracleError ? error : new OracleError(error)),
  endingSessions: "ALTER SYSTEM KILL SESSION '<sid>,<serial#>' IMMEDIATE ends it",
};
