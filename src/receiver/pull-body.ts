const OPEN = Buffer.from('{"payload":[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');
const END = Buffer.from('}');

/**
 * Makes one body of what has come over a connection, as a webhook sink would have sent it: with key and topic in its value a row is an item of
 * `payload` to the letter, and a resolved message is a body already. So one scan, one check of keys and one order serve both intakes.
 * @param resolved the message `{"resolved":"..."}` that came after the rows
 */
export function bodyOf(rows: readonly Buffer[], resolved: Buffer | null): Buffer {
  if (rows.length === 0) return resolved ?? Buffer.concat([OPEN, CLOSE, END]);
  const items = rows.flatMap((row, index) => (index === 0 ? [row] : [COMMA, row]));
  // The rest of the message closes the body: its opening brace is ours already.
  const rest = resolved === null ? [END] : [COMMA, resolved.subarray(1)];
  return Buffer.concat([OPEN, ...items, CLOSE, ...rest]);
}
