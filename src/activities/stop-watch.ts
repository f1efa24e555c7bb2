import type { Bell } from '../apply/bell.js';
import type { StopAt } from '../apply/window.js';
import type { Place } from '../domain/place.js';
import type { CheckpointStore, StreamHold } from '../targets/target.js';
import { withStore, type Access } from './access.js';
import type { FeedWish } from './feed-wish.js';
import { pause } from './pause.js';

const LOOK_EVERY_MS = 500;

/** Where the stream has to stop, as its row says. It is in the row and not in the attempt's argument, so that every later attempt knows it too. */
export interface StopWatch {
  at(): StopAt;
  report(token: string, hold: StreamHold): Promise<void>;
}

/**
 * Looks at the row until the signal aborts. While the target does not answer, the last answer stands.
 * @param wanted told whether the row wants a changefeed
 */
export function watchStop(
  access: Access,
  place: Place,
  stream: string,
  bell: Bell,
  wanted: Pick<FeedWish, 'set'>,
  signal: AbortSignal,
  log: (message: string) => void,
): StopWatch {
  let stopAt: StopAt = 'unknown';

  const look = async (store: CheckpointStore): Promise<void> => {
    while (!signal.aborted) {
      const row = await store.readHold(stream);
      if (row !== null) wanted.set(row.feedWanted);
      const now = row?.stopAt ?? null;
      if (now !== stopAt) {
        stopAt = now;
        bell.ring();
      }
      await pause(LOOK_EVERY_MS, signal);
    }
  };
  const watch = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await withStore(access, place, look);
      } catch (error) {
        if (signal.aborted) return;
        log(`stream ${stream}: cannot look where to stop: ${error instanceof Error ? error.message : String(error)}`);
        await pause(LOOK_EVERY_MS * 4, signal).catch(() => undefined);
      }
    }
  };
  void watch();

  return {
    at: () => stopAt,
    async report(token, hold) {
      try {
        await withStore(access, place, (store) => store.writeHold(stream, token, hold));
      } catch (error) {
        log(`stream ${stream}: cannot report that it rests: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
  };
}
