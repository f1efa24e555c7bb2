import { HLC_BYTES, writeHlc, type Hlc } from '../domain/hlc.js';

/** A timestamp as the keys of a stage begin with it: bytes in whose order the timestamps are. */
export function encodeHlc(hlc: Hlc): Buffer {
  const bytes = Buffer.alloc(HLC_BYTES);
  writeHlc(bytes, 0, hlc);
  return bytes;
}
