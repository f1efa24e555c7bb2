import { createHash } from 'node:crypto';
import { HLC_BYTES } from '../../domain/hlc.js';
import type { IncomingMutation } from '../../domain/mutation.js';
import type { Shapes } from './shapes.js';

/** PostgreSQL's index rows end at about 2,700 bytes, of which stream and timestamp take their part (protocol rule 13). */
const MAX_INLINE_KEY_BYTES = 1_500;
/** Marks a hashed key. A key kept inline is JSON text, which never begins with this byte. */
const HASHED = 0xff;

/** The part of a row's primary key that stands for its key: the key itself, or its hash where it is too long for an index. */
export function storedKey(key: Uint8Array): Uint8Array {
  if (key.length <= MAX_INLINE_KEY_BYTES) return key;
  return Buffer.concat([Buffer.of(HASHED), createHash('sha256').update(key).digest()]);
}

/** What is put into the table by one statement. */
export interface StagedRow {
  readonly row: IncomingMutation;
  readonly key: Uint8Array;
}

/** Tells rows apart: timestamp, table, key. */
export function rowIdentity(at: Uint8Array, table: number, key: Uint8Array): string {
  return `${latin1(at)}${table}:${latin1(key)}`;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

export function rowBytes({ row, key }: StagedRow): number {
  const whole = key === row.key ? 0 : row.key.length;
  return HLC_BYTES + key.length + whole + (row.after?.length ?? 0);
}

/** Parameters 5 to 11 of `accept`: all bytes in one piece, which the driver sends as it is, and where each row's lie. */
export function packRows(rows: readonly StagedRow[], shapes: Shapes): readonly unknown[] {
  const bytes = Buffer.allocUnsafe(rows.reduce((sum, one) => sum + rowBytes(one), 0));
  const [starts, tables, numbers, keys, wholes, afters]: number[][] = [[], [], [], [], [], []];
  let end = 0;
  const put = (part: Uint8Array): void => {
    bytes.set(part, end);
    end += part.length;
  };
  for (const { row, key } of rows) {
    starts?.push(end + 1);
    tables?.push(row.table);
    numbers?.push(shapes.number(row.columns));
    keys?.push(key.length);
    wholes?.push(key === row.key ? -1 : row.key.length);
    afters?.push(row.after?.length ?? -1);
    put(row.at);
    put(key);
    if (key !== row.key) put(row.key);
    if (row.after) put(row.after);
  }
  return [bytes, ...[starts, tables, numbers, keys, wholes, afters].map(asArray)];
}

/** PostgreSQL's text of an array of numbers; the driver's own way looks at each element. */
export function asArray(numbers: readonly number[] | undefined): string {
  return `{${numbers?.join(',') ?? ''}}`;
}
