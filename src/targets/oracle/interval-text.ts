import { RefusedValue } from './errors.js';
import type { TypedColumn } from './types.js';

interface Interval {
  readonly months: number;
  /** Days and time of day in 10^-9 seconds. A day has 24 hours to Oracle. */
  readonly nanoseconds: bigint;
}

const UNITS =
  /^(?:([+-]?\d+) years? ?)?(?:([+-]?\d+) mons? ?)?(?:([+-]?\d+) days? ?)?(?:([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,9}))?)?$/;
const SECOND = 1_000_000_000n;
const DAY = 86_400n * SECOND;

/** `+12-03`. @throws RefusedValue where there are days or hours */
export function intervalYearToMonth(column: TypedColumn, text: string): string {
  const { months, nanoseconds } = readInterval(column, text);
  if (nanoseconds !== 0n)
    throw new RefusedValue(
      column.name,
      'ORA-01867',
      `the value has days or hours, and the column is ${column.type.declared}`,
    );
  const size = Math.abs(months);
  return `${months < 0 ? '-' : '+'}${Math.floor(size / 12)}-${String(size % 12).padStart(2, '0')}`;
}

/** `+3 04:05:06.789000000`; a time of day is one, too. @throws RefusedValue where there are years or months */
export function intervalDayToSecond(column: TypedColumn, text: string): string {
  const { months, nanoseconds } = readInterval(column, text);
  if (months !== 0)
    throw new RefusedValue(
      column.name,
      'ORA-01867',
      `the value has years or months, and the column is ${column.type.declared}`,
    );
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const time = (size % DAY) / SECOND;
  const fraction = String(size % SECOND).padStart(9, '0');
  if (fraction.replace(/0+$/, '').length > (column.type.scale ?? 6))
    throw new RefusedValue(
      column.name,
      'ORA-01873',
      `the value does not fit ${column.type.declared}: its seconds would be rounded`,
    );
  const [hours, minutes, seconds] = [time / 3600n, (time / 60n) % 60n, time % 60n].map((part) =>
    String(part).padStart(2, '0'),
  );
  return `${nanoseconds < 0n ? '-' : '+'}${size / DAY} ${hours ?? ''}:${minutes ?? ''}:${seconds ?? ''}.${fraction}`;
}

/** CockroachDB's `1 year 2 mons 3 days 04:05:06.789`, each part with a sign of its own. */
function readInterval(column: TypedColumn, text: string): Interval {
  const match = text === '' ? null : UNITS.exec(text);
  if (match === null)
    throw new RefusedValue(column.name, 'ORA-01867', `the value is no interval that ${column.type.declared} can hold`);
  const [, years = '0', mons = '0', days = '0', sign = '', hours = '0', minutes = '0', seconds = '0', fraction = ''] =
    match;
  const time = BigInt(hours) * 3600n + BigInt(minutes) * 60n + BigInt(seconds);
  const size = time * SECOND + BigInt(fraction.padEnd(9, '0'));
  return {
    months: Number(years) * 12 + Number(mons),
    nanoseconds: BigInt(days) * DAY + (sign === '-' ? -size : size),
  };
}
