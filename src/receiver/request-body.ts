import type { IncomingMessage } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Refusal } from './receiver-error.js';

/**
 * Reads a request's body, unpacked where it is gzipped.
 * @param maxBytes of the body as sent and as unpacked
 * @throws Refusal 400 or 413; the stream's error when the client went away
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (encoding === 'identity') return collect(request, maxBytes);
  if (encoding !== 'gzip') throw new Refusal(400, 'content-encoding is neither gzip nor identity', true);
  // `pipeline` ends the unpacking when the request ends early, and reports it to who reads from it.
  const unpacked = pipeline(request, createGunzip(), () => undefined);
  try {
    return await collect(unpacked, maxBytes);
  } catch (error) {
    if (request.errored === null && (error as NodeJS.ErrnoException).code?.startsWith('Z_'))
      throw new Refusal(400, 'body is not gzip', true);
    throw error;
  }
}

async function collect(stream: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, bytes);
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, `body is larger than ${maxBytes} bytes: lower Flush.Bytes in webhook_sink_config`, true);
}
