import { bodyOf, int16, message, readTexts, type Frame } from './messages.js';

/** A Bind message, read. */
export interface Bind {
  readonly portal: string;
  readonly statement: string;
  /** Texts; a client that sends another type in binary means no statement of the simulator's own. */
  readonly parameters: readonly (string | null)[];
  readonly binaryResults: boolean;
}

export function readBind(frame: Frame): Bind {
  const body = bodyOf(frame);
  const { texts, end } = readTexts(body, 2);
  let at = end;
  const count = () => body.readInt16BE((at += 2) - 2);
  const formats = count();
  at += 2 * formats;
  const parameters = Array.from({ length: count() }, () => {
    const length = body.readInt32BE(at);
    at += 4 + Math.max(length, 0);
    return length < 0 ? null : body.toString('utf8', at - length, at);
  });
  const binaryResults = count() > 0 && count() === 1;
  return { portal: texts[0] ?? '', statement: texts[1] ?? '', parameters, binaryResults };
}

/** The message with other parameters, all of them texts. */
export function writeBind({ portal, statement, binaryResults }: Bind, parameters: readonly (string | null)[]): Buffer {
  const values = parameters.flatMap((value) =>
    value === null ? [-1] : [Buffer.byteLength(value), Buffer.from(value)],
  );
  const formats = binaryResults ? [int16(1), int16(1)] : [int16(0)];
  return message('B', portal, statement, int16(0), int16(parameters.length), ...values, ...formats);
}
