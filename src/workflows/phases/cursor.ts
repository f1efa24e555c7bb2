import { boundedActivities } from '../activity-proxies.js';
import { placeOf, step, type Facts, type Runbook } from '../runbook.js';
import { compareAtCursor } from './compare-at-cursor.js';

/** Takes the cursor. The one used is the one read back from the target: a row that is there is never given a later one (protocol rule 1). */
export async function captureCursor(runbook: Runbook, facts: Facts): Promise<void> {
  const { desk } = runbook;
  const place = placeOf(runbook);
  desk.enter('cursor');
  const captured = await step(runbook, () =>
    boundedActivities('SELECT cluster_logical_timestamp()').captureTimestamp({ place }),
  );
  const begun = await step(runbook, () =>
    boundedActivities('write the checkpoint row').insertCheckpoint({
      place,
      cursor: captured.timestamp,
      tableIds: facts.tableIds,
    }),
  );
  // Before the comparison: what is written from here on is in the changefeed, and need not wait for it.
  desk.update({ applicationMayWriteSince: begun.cursor });
  await compareAtCursor(runbook, facts, begun);
}
