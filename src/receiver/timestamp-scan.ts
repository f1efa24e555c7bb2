import { EnvelopeError } from './envelope-error.js';

/** The parts of a scanned timestamp, as `writeHlc` orders them. Overwritten by the next scan. */
export interface TimestampParts {
  /** Seconds since 1970, 0 to 2^32-1. */
  seconds: number;
  /** Nanoseconds within the second. */
  nanos: number;
  logical: number;
}

const MAX_UINT32 = 0xffffffff;
const DOT = 0x2e;

/**
 * Reads `nanos.logical` between the quotes of a JSON string, [start, end), without a bigint: this runs once a row.
 * @throws EnvelopeError
 */
export function scanTimestamp(b: Uint8Array, start: number, end: number, parts: TimestampParts): void {
  let dot = start;
  while (dot < end && b[dot] !== DOT) dot++;
  const digits = dot - start;
  const fraction = end - dot - 1;
  const shaped = digits >= 1 && digits <= 19 && (dot === end || (fraction >= 1 && fraction <= 10));
  const split = Math.max(start, dot - 9);
  const seconds = shaped ? number(b, start, split) : -1;
  const nanos = number(b, split, dot);
  const logical = dot === end ? 0 : number(b, dot + 1, end) * 10 ** (10 - fraction);
  if (seconds < 0 || nanos < 0 || logical < 0 || seconds > MAX_UINT32 || logical > MAX_UINT32)
    throw new EnvelopeError('expected an HLC timestamp (nanos.logical), found something else', start);
  parts.seconds = seconds;
  parts.nanos = nanos;
  parts.logical = logical;
}

/** -1 where a byte is no digit. */
function number(b: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (b[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Writes the parts as `writeHlc` writes an Hlc. */
export function writeTimestamp(target: Buffer, offset: number, parts: TimestampParts): void {
  target.writeUInt32BE(parts.seconds, offset);
  target.writeUInt32BE(parts.nanos, offset + 4);
  target.writeUInt32BE(parts.logical, offset + 8);
}
