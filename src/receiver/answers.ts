import { NoRoomError, StageBusyError, StaleIncarnationError } from '../staging/stage.js';
import { EnvelopeError, UnknownTopicError } from './envelope-error.js';
import { Refusal } from './receiver-error.js';

/** CockroachDB shows an answer's text in the job's error. */
const MAX_TEXT = 199;

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly endsConnection: boolean;
}

/**
 * What the changefeed is told. It retries everything that is not 2xx; never 3xx, which it would follow without the body
 * and take for success.
 */
export function answerTo(error: unknown): Answer {
  const [status, text, endsConnection] = classify(error);
  return { status, text: text.slice(0, MAX_TEXT), endsConnection };
}

function classify(error: unknown): [status: number, text: string, endsConnection: boolean] {
  if (error instanceof Refusal) return [error.status, error.message, error.endsConnection];
  if (error instanceof EnvelopeError || error instanceof UnknownTopicError) return [400, error.message, false];
  if (error instanceof StaleIncarnationError) return [409, error.message, false];
  if (error instanceof NoRoomError) return [503, `no room: ${error.message}`, false];
  if (error instanceof StageBusyError) return [503, 'the stage was taken over by another process', false];
  // A folder's name and the system's words are for the worker's log, not for the source's job table.
  return [503, 'the stage cannot take rows now: see the log of the failback worker', false];
}
