import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { CockroachError } from '../cockroach/errors.js';
import { JobsStillLiveError, JobStateError } from '../cockroach/job-control.js';
import { SupersededIncarnationError } from '../cockroach/ensure-changefeed.js';
import { UnknownConnectionError } from '../domain/connection-errors.js';
import { FAILURES, type FailureType } from '../domain/failures.js';
import { FeedEndedError } from '../domain/feed-end.js';
import { SourceChangedError } from '../domain/source-identity.js';
import { StageBusyError, StageUnavailableError } from '../staging/stage.js';
import { stageTrouble } from './trouble.js';
import {
  BadRowError,
  FenceLostError,
  SchemaMismatchError,
  TargetRefusedError,
  TargetUnavailableError,
} from '../targets/failures.js';
import { TargetNotAtTimestampError } from '../verify/compare-tables.js';

/** An adapter's failure in the catalogue's words. */
export interface Translated {
  readonly type: FailureType;
  readonly message: string;
  readonly remedy: string | null;
}

/** A failure that already has its place in the catalogue, thrown by an activity itself. */
export class CataloguedError extends Error {
  constructor(
    readonly type: FailureType,
    message: string,
    options?: { cause: unknown },
  ) {
    super(message, options);
    this.name = 'CataloguedError';
  }
}

/** The one table from the adapters' errors to the catalogue. Pure. Adapters' messages hold no secret and no row value. */
export function translate(error: unknown): Translated {
  const say = (type: FailureType, remedy: string | null = null): Translated => ({
    type,
    message: messageOf(error),
    remedy,
  });
  if (error instanceof CataloguedError) return say(error.type);
  if (error instanceof UnknownConnectionError) return say('Connection.Unknown');
  if (error instanceof StageBusyError) return say('Stage.Busy');
  if (error instanceof StageUnavailableError) return say(stageTrouble(error.code));
  if (error instanceof FenceLostError) return say(error.found === null ? 'Checkpoint.Missing' : 'Checkpoint.TakenOver');
  if (error instanceof BadRowError) return say('Target.BadRow');
  if (error instanceof SchemaMismatchError) return say('Target.SchemaMismatch', error.remedy);
  if (error instanceof TargetUnavailableError) return say('Target.Unavailable');
  if (error instanceof TargetRefusedError) return say('Target.Refused');
  if (error instanceof TargetNotAtTimestampError) return say('Verify.NotAtTimestamp');
  if (error instanceof SupersededIncarnationError || error instanceof JobStateError) return say('Changefeed.Refused');
  if (error instanceof SourceChangedError || error instanceof FeedEndedError) return say(error.type);
  if (error instanceof JobsStillLiveError) return say('Source.Unavailable');
  if (error instanceof CockroachError) return say(cockroachType(error));
  return say('Internal.Defect');
}

function cockroachType(error: CockroachError): FailureType {
  switch (error.kind) {
    case 'cursorTooOld':
      return 'Cursor.TooOld';
    case 'tableTruncated':
    case 'tableDropped':
    case 'targetsUnresolved':
    case 'targetUnsupported':
    case 'optionRefused':
    case 'sinkUnsupported':
    case 'licence':
    case 'rangefeedDisabled':
    case 'cursorRefused':
      return 'Changefeed.Refused';
    default:
      return error.retryable ? 'Source.Unavailable' : 'Source.Refused';
  }
}

/** What leaves the activity. A stack or a cause could hold what a message may not: neither is passed on. */
export function toApplicationFailure(error: unknown): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  const { type, message } = translate(error);
  const failure = ApplicationFailure.create({
    type,
    message,
    nonRetryable: !FAILURES[type].retryable,
    ...(FAILURES[type].retryable ? { category: ApplicationFailureCategory.BENIGN } : {}),
  });
  failure.stack = `ApplicationFailure: ${type}`;
  return failure;
}

/** Wraps every activity of a group so that only catalogued failures leave it. */
export function translated<T extends Record<string, (argument: never) => Promise<unknown>>>(group: T): T {
  return Object.fromEntries(
    Object.entries(group).map(([name, activity]) => [
      name,
      async (argument: never): Promise<unknown> => {
        try {
          return await activity(argument);
        } catch (error) {
          throw toApplicationFailure(error);
        }
      },
    ]),
  ) as T;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
