import { isCancellation, upsertMemo } from '@temporalio/workflow';
import type { FailureType } from '../../domain/failures.js';
import { openIncidents } from '../../domain/incident.js';
import { sayNotCompared } from '../../domain/not-compared.js';
import type { Ending } from '../../domain/status.js';
import { boundedActivities, longActivities } from '../activity-proxies.js';
import { failureTypeOf, reasonOf } from '../compensation.js';
import { isPull, placeOf, step, type Facts, type Runbook } from '../runbook.js';

/** What an earlier finish may have left open. */
const FINISH_INCIDENTS: readonly FailureType[] = [
  'Verify.RowsDiffer',
  'Verify.NotAtTimestamp',
  'Verify.SourceStillWrites',
  'Lag.TooHigh',
  'Internal.Defect',
];

/**
 * Finishes exactly at a timestamp T (protocol rule 32): the target stops at T, rows of both sides are compared at T while the changefeed
 * lives, the source is shown to have nothing newer, and only then everything of ours is taken down. Returns null when replication has to
 * go on instead; the incident says why.
 */
export async function finish(runbook: Runbook, facts: Facts): Promise<Ending | null> {
  try {
    return await attemptFinish(runbook, facts);
  } catch (error) {
    if (isCancellation(error)) throw error;
    // What is refused now must not take the stream down: it goes on, and a person may ask for the finish again.
    return goOn(
      runbook,
      failureTypeOf(error) ?? 'Internal.Defect',
      `the finish could not be carried out: ${reasonOf(error)}`,
    );
  }
}

async function attemptFinish(runbook: Runbook, facts: Facts): Promise<Ending | null> {
  const { input, desk, undo } = runbook;
  const place = placeOf(runbook);
  desk.enter('finish');
  for (const incident of openIncidents(desk.status.incidents)) {
    if (FINISH_INCIDENTS.includes(incident.type)) desk.incident({ type: incident.type, open: false });
  }

  const { at } = await step(runbook, () =>
    boundedActivities('take T, and let the target stop exactly there').stopNow({ place }),
  );
  const rest = (summary: string, seenUpTo: string) =>
    step(runbook, () =>
      longActivities(summary, input).awaitHeld({ place, at, seenUpTo, limitMs: input.limits.finish }),
    );
  const reached = await rest('wait until everything up to T is applied', at);
  if (!reached.held)
    return goOn(
      runbook,
      'Lag.TooHigh',
      `the target did not reach ${at} within the limit of the finish; it is at ${reached.applied}`,
    );

  const compared = await step(runbook, () =>
    longActivities('compare every row of both sides at T', input).compareRows({ place, plan: facts.plan, at }),
  );
  if (compared.differing > 0) return goOn(runbook, 'Verify.RowsDiffer', compared.summary);

  await desk.passGate('finish', input.limits.approval);

  const { timestamp: now } = await step(runbook, () =>
    boundedActivities('take the timestamp up to which the source must be silent').captureTimestamp({ place }),
  );
  const silence = await rest('see that the source has nothing newer than T', now);
  if (!silence.held)
    return goOn(
      runbook,
      'Lag.TooHigh',
      `the changefeed did not show the source's state at ${now} within the limit of the finish`,
    );
  if (silence.newerChanges > 0) {
    return goOn(
      runbook,
      'Verify.SourceStillWrites',
      `the source has ${silence.newerChanges} changes newer than ${at}: the application still writes to CockroachDB`,
    );
  }

  const sequences = await step(runbook, () =>
    boundedActivities('set sequences beyond the rows').alignSequences({ place, plan: facts.plan }),
  );
  const undone = await undo.undoAll();
  const ending: Ending = {
    outcome: 'finished',
    summary: `Both sides were equal at ${at}: ${compared.rows} rows in ${facts.plan.length} tables were compared, and the source has nothing newer. ${isPull(runbook) ? 'The changefeed is read no more.' : 'The changefeed is cancelled.'}${sayNotCompared(compared.notCompared)}`,
    mayApplicationWriteToOldDatabase: `Yes, now. It has everything that CockroachDB had at ${at}. Nothing may write to CockroachDB any more.`,
    asOf: at,
    rowsCompared: compared.rows,
    done: [...sequences.done, ...undone.done],
    remains: [...sequences.remains, ...undone.remains, ...(runbook.deadLettersLeft ? [runbook.deadLettersLeft] : [])],
    howToRestartForwardReplication:
      'Start it from the position that the old database has now, not from where it was stopped: it must not carry the rows of this run back to CockroachDB.',
  };
  desk.enter('ended');
  desk.update({ ending });
  upsertMemo({ ending });
  return ending;
}

/** Reports, and lets the target go on. */
async function goOn(runbook: Runbook, type: FailureType, cause: string): Promise<null> {
  await step(runbook, () => boundedActivities('let the target go on').clearStop({ place: placeOf(runbook) }));
  runbook.desk.incident({ type, open: true, cause });
  return null;
}
