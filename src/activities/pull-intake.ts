import { backoffMs, type BackoffTuning } from '../apply/backoff.js';
import { buildSinklessChangefeed } from '../cockroach/changefeed-statement.js';
import { CockroachError, type CockroachErrorKind } from '../cockroach/errors.js';
import type { FeedBatch } from '../cockroach/sinkless-feed.js';
import { mergeChangefeedOptions, type ChangefeedTuning } from '../domain/changefeed-options.js';
import type { FailureType } from '../domain/failures.js';
import { FeedEndedError, silenceAllowed } from '../domain/feed-end.js';
import type { Hlc } from '../domain/hlc.js';
import type { Place } from '../domain/place.js';
import type { SourceChangedError } from '../domain/source-identity.js';
import type { TableName } from '../domain/table.js';
import { EnvelopeError, UnknownTopicError } from '../receiver/envelope-error.js';
import { bodyOf } from '../receiver/pull-body.js';
import { NoRoomError } from '../staging/stage.js';
import { withSource, type Access } from './access.js';
import { translate } from './failure-translation.js';
import type { FeedWish } from './feed-wish.js';
import { pause } from './pause.js';

/** What an attempt needs to read its changefeed itself. */
export interface PullWish {
  readonly changefeed: ChangefeedTuning;
  readonly silenceMs: number;
}

export interface PullOptions {
  readonly access: Pick<Access, 'openSource'>;
  readonly place: Place;
  readonly stream: string;
  readonly tables: readonly TableName[];
  readonly wish: PullWish;
  readonly retry: BackoffTuning;
  /** Whether a feed is wanted: a pause ends it, and a resume opens another. */
  readonly wanted: FeedWish;
  /** Looks whether the source is still what the stream began with; null: it is, or it cannot be asked. What is found halts the attempt. */
  readonly checkSource: () => Promise<SourceChangedError | null>;
  /** Told of each end in a row that needs nobody; null: a resolved timestamp has come. */
  readonly onTrouble: (trouble: { readonly message: string; readonly attempts: number } | null) => void;
  /** Called when `refused` has an answer. */
  readonly onRefused: () => void;
  readonly log: (message: string) => void;
}

/** One opening of the intake: a feed of one incarnation. */
export interface Opening {
  readonly incarnation: number;
  /** Where the feed begins: what the stage has completely. */
  readonly cursor: Hlc;
  readonly receive: (incarnation: number, body: Buffer) => Promise<void>;
  /** Called when a feed of this incarnation may have been open and is none any more: the next one needs another incarnation. */
  readonly again: () => void;
}

/** Reads a changefeed without a sink for an attempt. */
export interface PullIntake {
  /** Returns the closing, which resolves when nothing is taken any more. */
  open(opening: Opening): () => Promise<void>;
  /** Why no further feed is opened before a person has seen to it; null: one is, or will be. */
  refused(): FeedEndedError | null;
}

/** How often a full stage is tried again. */
const ROOM_EVERY_MS = 100;

/** Ends that another feed from the same place would meet again. */
const LASTING: Partial<Record<CockroachErrorKind, FailureType | null>> = {
  cursorTooOld: 'Cursor.TooOld',
  tableTruncated: 'Changefeed.TableTruncated',
  tableDropped: 'Changefeed.TableDropped',
  // Null: as it is translated elsewhere.
  targetsUnresolved: null,
  targetUnsupported: null,
  cursorRefused: null,
  optionRefused: null,
  rangefeedDisabled: null,
  privilege: null,
  authentication: null,
  syntax: null,
  licence: null,
};

export function createPullIntake(options: PullOptions): PullIntake {
  const { access, place, stream, tables, wish, retry, wanted, log } = options;
  const merged = mergeChangefeedOptions(wish.changefeed);
  let refused: FeedEndedError | null = null;
  /** Ends in a row without a resolved timestamp between them, and those of them that brought nothing at all. */
  let failures = 0;
  let silentFeeds = 0;

  const refuse = (type: FailureType, message: string): void => {
    log(`stream ${stream}: no further feed is opened: ${message}`);
    refused = new FeedEndedError(type, message);
    options.onRefused();
  };

  /** Opens one feed and reads it to its end. */
  async function read(opening: Opening, onSent: () => void, signal: AbortSignal): Promise<never> {
    const { incarnation, cursor, receive } = opening;
    const take = async ({ rows, resolved }: FeedBatch): Promise<void> => {
      silentFeeds = 0;
      const body = bodyOf(rows, resolved);
      await whenThereIsRoom(() => receive(incarnation, body), signal);
      if (resolved === null) return;
      failures = 0;
      options.onTrouble(null);
    };
    return withSource(access, place, (source) =>
      source.follow(buildSinklessChangefeed({ tables, cursor, options: merged, version: source.version }), {
        take,
        onSent() {
          onSent();
          // Unless something comes.
          silentFeeds++;
        },
        silenceMs: silenceAllowed(merged['resolved'] ?? '', wish.silenceMs, silentFeeds),
        signal,
      }),
    );
  }

  /** What the end of a feed asks for. */
  async function judge(error: unknown): Promise<'again' | 'rest'> {
    if (error instanceof CockroachError && error.kind === 'schemaBoundary') {
      // Everything up to the boundary is resolved. A key that is another one now is told by the check, and halts the attempt (protocol rule 30).
      log(`stream ${stream}: ${error.message}: the tables are looked at, and the next feed begins there`);
      return (await options.checkSource()) === null ? 'again' : 'rest';
    }
    const type = lasting(error);
    if (type === null) return 'again';
    refuse(type, wordsOf(error));
    return 'rest';
  }

  async function serve(opening: Opening, signal: AbortSignal): Promise<void> {
    let sent = false;
    for (;;) {
      await wanted.until(true, signal);
      if (sent) return opening.again();
      // An attempt begins also while the source cannot be asked; no feed is opened on another one (protocol rule 9).
      if ((await options.checkSource()) !== null) return;
      const unwanted = new AbortController();
      const over = new AbortController();
      const until = AbortSignal.any([signal, over.signal]);
      wanted.until(false, until).then(
        () => unwanted.abort(new Error('no changefeed is wanted now')),
        () => undefined,
      );
      try {
        await read(opening, () => (sent = true), AbortSignal.any([signal, unwanted.signal]));
      } catch (error) {
        if (signal.aborted) return;
        if (unwanted.signal.aborted) {
          log(`stream ${stream}: the feed of incarnation ${opening.incarnation} is ended: no changefeed is wanted now`);
          continue;
        }
        if ((await judge(error)) === 'rest') return;
        failures++;
        const waitMs = backoffMs(retry, failures, Math.random());
        log(`stream ${stream}: ${wordsOf(error)}; another feed in ${waitMs} ms`);
        if (error instanceof CockroachError) options.onTrouble({ message: error.message, attempts: failures });
        await pause(waitMs, signal);
      } finally {
        over.abort();
      }
    }
  }

  return {
    open(opening) {
      const closing = new AbortController();
      const served = serve(opening, closing.signal).catch((error: unknown) => {
        if (!closing.signal.aborted) refuse('Internal.Defect', wordsOf(error));
      });
      return async () => {
        closing.abort(new Error('the intake is closed'));
        await served;
      };
    },
    refused: () => refused,
  };
}

/** A full stage is waited for here, and with it the socket and CockroachDB (protocol rule 12). */
async function whenThereIsRoom(take: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await take();
    } catch (error) {
      if (!(error instanceof NoRoomError)) throw error;
      await pause(ROOM_EVERY_MS, signal);
    }
  }
}

/** Null: another feed may do better. Bytes that are not understood come again as they are. */
function lasting(error: unknown): FailureType | null {
  if (error instanceof EnvelopeError || error instanceof UnknownTopicError) return 'Internal.Defect';
  if (!(error instanceof CockroachError)) return null;
  const known = LASTING[error.kind];
  return known === undefined ? null : (known ?? translate(error).type);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
