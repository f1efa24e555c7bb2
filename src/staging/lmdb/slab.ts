/** Pieces that are read lie together in blocks of so many bytes. */
const BLOCK_BYTES = 65_536;
/** A larger piece gets memory of its own. */
const MOST_OF_A_BLOCK = 16_384;
/** Up to so many bytes are copied one by one: a view of them to copy from would take longer. */
const FEW_BYTES = 64;

/**
 * Copies of pieces of the store's own memory, which it uses again for the next entry. Two small buffers for each row of a backlog, alive for as long
 * as its window, would be most of what the process holds, and of what the garbage collector has to find out about.
 */
export function createSlab(): (from: Uint8Array, start: number, end: number) => Buffer {
  let block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let used = 0;
  return (from, start, end) => {
    const length = end - start;
    if (length > MOST_OF_A_BLOCK) return Buffer.from(new Uint8Array(from.buffer, from.byteOffset + start, length));
    if (used + length > BLOCK_BYTES) {
      block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      used = 0;
    }
    const at = used;
    used += length;
    if (length > FEW_BYTES) block.set(new Uint8Array(from.buffer, from.byteOffset + start, length), at);
    else for (let i = 0; i < length; i++) block[at + i] = from[start + i] ?? 0;
    return block.subarray(at, used);
  };
}
