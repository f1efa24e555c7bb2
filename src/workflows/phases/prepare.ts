import type { AppliedSetting } from '../../activities/prepare.js';
import { undoActivities, boundedActivities } from '../activity-proxies.js';
import { placeOf, step, type Facts, type Runbook } from '../runbook.js';

/** Cluster settings, protection of history, and our tables on the target; what was there before is remembered first. */
export async function prepare(runbook: Runbook, facts: Facts): Promise<void> {
  const { input, desk, undo, run } = runbook;
  const place = placeOf(runbook);
  desk.enter('prepare');

  // Read and recorded in a step of its own, so that no retry takes our own values for the old ones (protocol rule 35).
  const before = await step(runbook, () =>
    boundedActivities('read cluster settings').readClusterSettings({
      place,
      names: Object.keys(input.clusterSettings),
    }),
  );

  undo.before('removing our tables from the target', `drop what run ${run} has in the checkpoint schema`, async () => {
    const removed = await undoActivities('remove our rows and tables from the target').removeRun({ place });
    runbook.appliedAtEnd = removed.applied;
    runbook.deadLettersLeft = removed.deadLettersLeft ?? null;
    return removed.said;
  });
  const remembered = await step(runbook, () =>
    boundedActivities('create the checkpoint schema, claim the tables').rememberRun({
      place,
      tables: facts.plan.map((table) => table.target),
      settings: before,
    }),
  );

  const { staging } = input;
  if (staging !== undefined) {
    undo.before(
      'removing the stage from its database',
      `delete what stream ${run} has in the failback_ tables of staging schema ${staging.schema}`,
      () => undoActivities('remove our rows from the staging schema').removeStaging({ place, staging }),
    );
    await step(runbook, () => boundedActivities('make the tables of the stage').prepareStaging({ place, staging }));
  }

  let applied: readonly AppliedSetting[] | null = null;
  undo.before(
    'restoring cluster settings',
    `set back: ${remembered.settings.map((old) => `${old.name} = ${old.value}`).join(', ')}`,
    async () => {
      return undoActivities('put cluster settings back').restoreClusterSettings({
        place,
        before: remembered.settings,
        applied,
      });
    },
  );
  if (Object.keys(input.clusterSettings).length > 0) {
    applied = await step(runbook, () =>
      boundedActivities('set cluster settings').applyClusterSettings({
        place,
        values: input.clusterSettings,
      }),
    );
  }

  undo.before('releasing the protection of history', `cancel the job described as "failback ${run}"`, async () => {
    return undoActivities('release the protection of history').releaseHistory({ place });
  });
  await step(runbook, () =>
    boundedActivities('protect history from garbage collection').protectHistory({
      place,
      at: null,
      forMs: input.limits.outage,
    }),
  );
}
