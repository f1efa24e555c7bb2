import { INCARNATION_PARAMETER, STREAM_PARAMETER } from '../domain/sink-parameters.js';
import { Refusal } from './receiver-error.js';

export interface RequestTarget {
  readonly stream: string;
  readonly incarnation: number;
  /** Decoded, without empty ones. */
  readonly segments: readonly string[];
}

/** @throws Refusal 400 or 404 */
export function parseTarget(url: string): RequestTarget {
  const question = url.indexOf('?');
  const path = question < 0 ? url : url.slice(0, question);
  const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1));
  const stream = query.get(STREAM_PARAMETER);
  const incarnation = query.get(INCARNATION_PARAMETER);
  if (!stream) throw new Refusal(404, `unknown stream: the sink URL has no ${STREAM_PARAMETER}`);
  if (!incarnation || !/^\d{1,9}$/.test(incarnation))
    throw new Refusal(400, `the sink URL's ${INCARNATION_PARAMETER} is not a number`);
  return { stream, incarnation: Number(incarnation), segments: path.split('/').filter(Boolean).map(decode) };
}

/**
 * The path names the stream’s schema; the case of letters is no matter, as to the dialects.
 * @throws Refusal 404
 */
export function requireSchema(segments: readonly string[], expected: readonly string[]): void {
  const same =
    segments.length === expected.length &&
    segments.every((segment, index) => segment.toLowerCase() === expected[index]?.toLowerCase());
  if (!same) throw new Refusal(404, `unknown schema: ${shown(segments)} (this stream is ${shown(expected)})`);
}

function shown(segments: readonly string[]): string {
  return `/${segments.join('/')}`.slice(0, 80);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(400, 'the path is not percent-encoded text');
  }
}
