import { condition } from '@temporalio/workflow';
import type { Comparison } from '../../activities/finish.js';
import { judgeAtCursor, whyNotCompared, type Begun } from '../../domain/at-cursor.js';
import { boundedActivities, longActivities } from '../activity-proxies.js';
import { failureTypeOf } from '../compensation.js';
import { whileHistoryIsKept, type HistoryKeeping } from '../keep-history.js';
import { placeOf, step, type Facts, type Runbook } from '../runbook.js';

/**
 * Compares every row of both sides as of the cursor, before the stream starts: what the application wrote to the source before the cursor is in
 * no changefeed, and nobody would miss it until the finish (protocol rule 1). Rows that differ wait for a person.
 */
export async function compareAtCursor(runbook: Runbook, facts: Facts, begun: Begun): Promise<void> {
  const { input, desk } = runbook;
  const { cursor } = begun;
  const whyNot = whyNotCompared(input.compareAtCursor, begun);
  desk.update({ atCursor: whyNot ?? 'every row of both sides is being compared' });
  if (whyNot !== null) return;
  await whileHistoryIsKept(keeping(runbook, cursor), async () => {
    const { said, differs } = judgeAtCursor(cursor, await compare(runbook, facts, cursor));
    desk.update({ atCursor: said });
    if (differs !== null) await awaitResume(runbook, differs);
  });
}

/** Null: an attempt that outlived an earlier start of this run has moved the target meanwhile. */
async function compare(runbook: Runbook, facts: Facts, at: string): Promise<Comparison | null> {
  try {
    return await step(runbook, () =>
      longActivities('compare every row of both sides as of the cursor', runbook.input).compareRows({
        place: placeOf(runbook),
        plan: facts.plan,
        at,
      }),
    );
  } catch (error) {
    if (failureTypeOf(error) === 'Verify.NotAtTimestamp') return null;
    throw error;
  }
}

/** Goes on only when a person says so, knowing what differs; the warning stays. */
async function awaitResume({ desk }: Runbook, differs: string): Promise<void> {
  desk.incident({
    type: 'Verify.RowsDiffer',
    open: true,
    cause: differs,
    remedy:
      'The stream brings only what was written after the cursor. Mend the rows named on the target, then signal resume; or rollback. The finish compares every row again.',
  });
  desk.update({ waitingFor: 'resume: go on although rows differ as of the cursor; or rollback' });
  const seen = desk.wishes.resumes;
  await condition(() => desk.wishes.resumes !== seen);
  desk.incident({ type: 'Verify.RowsDiffer', open: false });
  desk.update({
    waitingFor: null,
    warnings: [...desk.status.warnings, `a person said resume although rows differed ${differs}`],
  });
}

/** A comparison or a person may take longer than the protection that prepare has made. */
function keeping(runbook: Runbook, cursor: string): HistoryKeeping {
  const { outage } = runbook.input.limits;
  const everyMs = outage / 4;
  return {
    firstInMs: everyMs,
    everyMs,
    protect: async () => {
      await step(runbook, () =>
        boundedActivities('keep history from the cursor on').protectHistory({
          place: placeOf(runbook),
          at: cursor,
          forMs: outage + everyMs,
        }),
      );
    },
  };
}
