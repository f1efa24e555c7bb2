import { RefusedValue } from './errors.js';
import type { TypedColumn } from './types.js';

interface Moment {
  /** `2024-02-29 12:34:56`, the year with Oracle's sign. */
  readonly seconds: string;
  /** Digits behind the point without zeros at the end. */
  readonly fraction: string;
  /** `+02:00`; null: none was given. */
  readonly zone: string | null;
}

/** Text for DATE_FORMAT. @throws RefusedValue */
export function dateText(column: TypedColumn, text: string): string {
  const { seconds, fraction } = readMoment(column, text);
  if (fraction !== '') throw rounded(column);
  return seconds;
}

/** Text for TIMESTAMP_FORMAT. A moment with a zone comes in UTC. @throws RefusedValue */
export function timestampText(column: TypedColumn, text: string): string {
  const moment = readMoment(column, text);
  return `${moment.seconds}.${fractionOf(column, moment)}`;
}

/** Text for TIMESTAMP_TZ_FORMAT. @throws RefusedValue */
export function timestampZoneText(column: TypedColumn, text: string): string {
  const moment = readMoment(column, text);
  return `${moment.seconds}.${fractionOf(column, moment)} ${moment.zone ?? '+00:00'}`;
}

function fractionOf(column: TypedColumn, { fraction }: Moment): string {
  if (fraction.length > (column.type.scale ?? 6)) throw rounded(column);
  return fraction.padEnd(9, '0');
}

const MOMENT = /^(-?\d{4,})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?(?:(Z)|([+-]\d\d):?(\d\d)?)?( BC)?$/;
const LEAST_YEAR = -4712;
const GREATEST_YEAR = 9999;

/**
 * CockroachDB writes years before 1 with an astronomical number in timestamps (`-0043` is 44 BC), and with BC in dates. To Oracle, no year is 0,
 * and the days that the Gregorian calendar left out are none: it would take the 15th of October 1582 for them.
 */
function readMoment(column: TypedColumn, text: string): Moment {
  const [, written, month, day, hour = '00', minute = '00', second = '00', fraction = '', utc, ahead, beside, bc] =
    MOMENT.exec(text) ?? [];
  if (written === undefined || month === undefined || day === undefined)
    throw new RefusedValue(column.name, 'ORA-01841', `the value is no moment that ${column.type.declared} can hold`);
  const numbered = Number(written);
  const year = bc !== undefined ? -numbered : numbered < 1 ? numbered - 1 : numbered;
  if (year < LEAST_YEAR || year > GREATEST_YEAR)
    throw new RefusedValue(column.name, 'ORA-01841', "the year is none from 4712 BC to 9999, which are Oracle's");
  if (year === 1582 && month === '10' && day > '04' && day < '15')
    throw new RefusedValue(
      column.name,
      'ORA-01839',
      "the day is one that Oracle's calendar leaves out (5 to 14 October 1582)",
    );
  const digits = String(Math.abs(year)).padStart(4, '0');
  return {
    seconds: `${year < 0 ? '-' : ''}${digits}-${month}-${day} ${hour}:${minute}:${second}`,
    fraction: fraction.replace(/0+$/, ''),
    zone: utc !== undefined ? '+00:00' : ahead === undefined ? null : `${ahead}:${beside ?? '00'}`,
  };
}

function rounded(column: TypedColumn): RefusedValue {
  return new RefusedValue(
    column.name,
    'ORA-01830',
    `the value does not fit ${column.type.declared}: its seconds would be rounded`,
  );
}
