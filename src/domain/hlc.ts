/**
 * A CockroachDB hybrid logical clock timestamp, `nanos.logical`, as one bigint: `nanos * 2^32 + logical`.
 * Two Hlc compare with `<`, `>` and `===`. It crosses process borders as its decimal text (`formatHlc`), never as a
 * number or a Date: a double loses the nanoseconds.
 */
export type Hlc = bigint & { readonly __hlc: unique symbol };

const LOGICAL_BITS = 32n;
const LOGICAL_MASK = (1n << LOGICAL_BITS) - 1n;
const SHAPE = /^(\d{1,19})(?:\.(\d{1,10}))?$/;

/** The timestamp before every other one. */
export const HLC_ZERO = 0n as Hlc;

/** Thrown for a text that is not an HLC. The text is a timestamp of CockroachDB's, so it may be shown. */
export class InvalidHlcError extends Error {
  constructor(readonly text: string) {
    super(
      `"${text.slice(0, 60)}" is not an HLC timestamp: expected nanos.logical, e.g. 1759246920563173000.0000000000`,
    );
    this.name = 'InvalidHlcError';
  }
}

/**
 * Reads `1759246920563173000.0000000000`, or nanoseconds alone (logical 0).
 * @throws InvalidHlcError
 */
export function parseHlc(text: string): Hlc {
  const match = SHAPE.exec(text);
  if (!match) throw new InvalidHlcError(text);
  const logical = BigInt((match[2] ?? '').padEnd(10, '0'));
  if (logical > LOGICAL_MASK) throw new InvalidHlcError(text);
  return ((BigInt(match[1] ?? '0') << LOGICAL_BITS) | logical) as Hlc;
}

/** CockroachDB's own spelling: nanoseconds, a dot, ten digits of the logical part. */
export function formatHlc(hlc: Hlc): string {
  return `${hlc >> LOGICAL_BITS}.${(hlc & LOGICAL_MASK).toString().padStart(10, '0')}`;
}

/** The greatest HLC below this one. Zero stays zero. */
export function previousHlc(hlc: Hlc): Hlc {
  return (hlc > 0n ? hlc - 1n : hlc) as Hlc;
}

/** So many milliseconds before. */
export function earlierHlc(hlc: Hlc, ms: number): Hlc {
  return maxHlc(HLC_ZERO, (hlc - (BigInt(Math.floor(ms * 1e6)) << LOGICAL_BITS)) as Hlc);
}

export function maxHlc(a: Hlc, b: Hlc): Hlc {
  return a > b ? a : b;
}

export function minHlc(a: Hlc, b: Hlc): Hlc {
  return a < b ? a : b;
}

/** Wall time of the timestamp in milliseconds since 1970, for people and for lag; no decision rests on it. */
export function hlcToMillis(hlc: Hlc): number {
  return Number((hlc >> LOGICAL_BITS) / 1_000_000n);
}

/** From its parts: `nanos` since 1970 and the logical counter (0 to 2^32-1). */
export function hlcOf(nanos: bigint, logical = 0): Hlc {
  return ((nanos << LOGICAL_BITS) | BigInt(logical)) as Hlc;
}

/** Bytes of an encoded HLC: seconds, nanoseconds within the second and logical, each an unsigned 32-bit big-endian. */
export const HLC_BYTES = 12;

/** Encodes so that byte order is time order (until the year 2106). */
export function writeHlc(target: Uint8Array, offset: number, hlc: Hlc): void {
  const nanos = hlc >> LOGICAL_BITS;
  writeUint32(target, offset, Number(nanos / 1_000_000_000n));
  writeUint32(target, offset + 4, Number(nanos % 1_000_000_000n));
  writeUint32(target, offset + 8, Number(hlc & LOGICAL_MASK));
}

/** The inverse of `writeHlc`. */
export function readHlc(source: Uint8Array, offset: number): Hlc {
  const seconds = readUint32(source, offset);
  const nanos = readUint32(source, offset + 4);
  return hlcOf(BigInt(seconds) * 1_000_000_000n + BigInt(nanos), readUint32(source, offset + 8));
}

function writeUint32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}

function readUint32(source: Uint8Array, offset: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = source.subarray(offset, offset + 4);
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
