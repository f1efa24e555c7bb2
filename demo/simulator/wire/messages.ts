/** One message of the PostgreSQL protocol. */
export interface Frame {
  /** One character; '' for the messages that open a connection. */
  readonly type: string;
  /** All of it, type and length included. */
  readonly bytes: Buffer;
}

const LONGEST = 2 ** 30;

/** What follows type and length. */
export function bodyOf(frame: Frame): Buffer {
  return frame.bytes.subarray(frame.type.length + 4);
}

/**
 * Cuts a byte stream into messages. `opening` says whether the next message has no type, as the first ones of a client;
 * it is asked again after each message was taken.
 */
export function createFramer(opening: () => boolean) {
  let rest: Buffer = Buffer.alloc(0);
  return {
    push(chunk: Buffer): void {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    },
    /** The next whole message, if it is there. @throws for a length that nobody sends. */
    take(): Frame | undefined {
      const typed = opening() ? 0 : 1;
      if (rest.length < typed + 4) return undefined;
      const length = rest.readUInt32BE(typed) + typed;
      if (length > LONGEST) throw new Error(`a message of ${length} bytes is not taken`);
      if (rest.length < length) return undefined;
      const bytes = rest.subarray(0, length);
      rest = rest.subarray(length);
      return { type: typed ? String.fromCharCode(bytes[0] ?? 0) : '', bytes };
    },
  };
}

/** A message of a type with a body. */
export function message(type: string, ...parts: readonly (Buffer | string | number)[]): Buffer {
  const body = Buffer.concat(parts.map(encodePart));
  const head = Buffer.alloc(type.length + 4);
  head.write(type, 'latin1');
  head.writeUInt32BE(body.length + 4, type.length);
  return Buffer.concat([head, body]);
}

/** Texts end with a zero byte; numbers are 32 bits. */
function encodePart(part: Buffer | string | number): Buffer {
  if (typeof part === 'string') return Buffer.from(`${part}\0`);
  if (typeof part !== 'number') return part;
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(part);
  return bytes;
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

/** The zero-terminated texts at the start of a body. */
export function readTexts(body: Buffer, count = Infinity): { texts: string[]; end: number } {
  const texts: string[] = [];
  let at = 0;
  while (texts.length < count && at < body.length) {
    const end = body.indexOf(0, at);
    if (end < 0) break;
    texts.push(body.toString('utf8', at, end));
    at = end + 1;
  }
  return { texts, end: at };
}

export function errorResponse(
  sqlState: string,
  text: string,
  { severity = 'ERROR', hint }: { severity?: string; hint?: string | undefined } = {},
): Buffer {
  const field = (code: string, value: string) => Buffer.from(`${code}${value}\0`);
  return message(
    'E',
    field('S', severity),
    field('V', severity),
    field('C', sqlState),
    field('M', text),
    ...(hint === undefined ? [] : [field('H', hint)]),
    Buffer.from([0]),
  );
}

export interface Column {
  readonly name: string;
  readonly type: number;
}

export function rowDescription(columns: readonly Column[], binary: boolean): Buffer {
  const encoded = columns.flatMap(({ name, type }) => [name, 0, int16(0), type, int16(-1), -1, int16(binary ? 1 : 0)]);
  return message('T', int16(columns.length), ...encoded);
}

export function dataRow(values: readonly (Buffer | null)[]): Buffer {
  return message(
    'D',
    int16(values.length),
    ...values.flatMap((value) => (value === null ? [-1] : [value.length, value])),
  );
}

const INT4 = 23;
const INT8 = 20;

/**
 * CockroachDB's integers are 8 bytes where PostgreSQL's literals and counters are 4: says so of every computed int4 column
 * that is sent as text. The bytes given are changed.
 */
export function widenIntegers(bytes: Buffer): void {
  const count = bytes.readInt16BE(5);
  let at = 7;
  for (let n = 0; n < count; n += 1) {
    at = bytes.indexOf(0, at) + 1;
    const computed = bytes.readInt32BE(at) === 0 && bytes.readInt16BE(at + 4) === 0;
    if (computed && bytes.readInt32BE(at + 6) === INT4 && bytes.readInt16BE(at + 16) === 0) {
      bytes.writeInt32BE(INT8, at + 6);
      bytes.writeInt16BE(8, at + 10);
    }
    at += 18;
  }
}
