import type { Batch } from '../session/batch.js';

/**
 * The rows of a batch as one JSON array, as bytes: row documents of an upsert, keys of a delete. Joined, not parsed: every value stays the
 * text that CockroachDB wrote (invariant 7).
 */
export function batchDocument(batch: Batch): Buffer {
  const parts = batch.rows.map((row) => (batch.kind === 'upsert' ? (row.after ?? row.key) : row.key));
  const document = Buffer.allocUnsafe(parts.reduce((length, part) => length + part.length + 1, 1));
  let at = 0;
  for (const part of parts) {
    document[at] = at === 0 ? OPENING_BRACKET : COMMA;
    document.set(part, at + 1);
    at += part.length + 1;
  }
  document[at] = CLOSING_BRACKET;
  return document;
}

const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const COMMA = 0x2c;
