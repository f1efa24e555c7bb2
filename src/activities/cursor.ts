import { captureCursor } from '../cockroach/clock.js';
import { readClusterId } from '../cockroach/introspect.js';
import { formatHlc, parseHlc } from '../domain/hlc.js';
import type { Place } from '../domain/place.js';
import { findOriginChange } from '../domain/source-identity.js';
import { withSource, withStore, type Access } from './access.js';
import { CataloguedError, translated } from './failure-translation.js';

/** Activities about timestamps and the checkpoint row. */
export function createCursorActivities(access: Access) {
  return translated({
    async captureTimestamp({ place }: { place: Place }): Promise<{ timestamp: string }> {
      return { timestamp: formatHlc(await withSource(access, place, (source) => captureCursor(source))) };
    },

    /** Inserts the row once; the cursor returned is the one that is there then (protocol rule 1). */
    async insertCheckpoint({
      place,
      cursor,
      tableIds,
    }: {
      place: Place;
      cursor: string;
      tableIds: Readonly<Record<string, string>>;
    }): Promise<{ cursor: string; applied: string }> {
      const clusterId = await withSource(access, place, readClusterId);
      return withStore(access, place, async (store) => {
        const row = await store.insertOnce({
          stream: place.run,
          run: place.run,
          cursor: parseHlc(cursor),
          origin: { clusterId, tableIds },
        });
        const change = findOriginChange(row.origin, { clusterId, tableIds });
        if (change !== null)
          throw new CataloguedError(
            'Checkpoint.Claimed',
            `${change}: roll that run back and compare both sides, or choose another workflow id`,
          );
        if (!row.feedWanted) await store.setFeedWanted(place.run, true);
        return { cursor: formatHlc(row.cursor), applied: formatHlc(row.applied) };
      });
    },
  });
}
