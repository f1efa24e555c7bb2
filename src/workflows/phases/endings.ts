import { CancellationScope, upsertMemo } from '@temporalio/workflow';
import type { Ending } from '../../domain/status.js';
import { undoActivities } from '../activity-proxies.js';
import { reasonOf } from '../compensation.js';
import { placeOf, type Runbook } from '../runbook.js';

/** Undoes every phase done so far, last first. The applied rows stay where they are. */
export async function endRolledBack(runbook: Runbook): Promise<Ending> {
  return takeDown(runbook, 'rolled back', 'A person asked for it');
}

/** The same for a run that fails after it has touched something. */
export async function endFailed(runbook: Runbook, cause: string): Promise<Ending> {
  return takeDown(runbook, 'failed', `The run failed: ${cause}`);
}

async function takeDown(runbook: Runbook, outcome: Ending['outcome'], why: string): Promise<Ending> {
  return CancellationScope.nonCancellable(async () => {
    const { desk, undo } = runbook;
    const cursor = desk.status.applicationMayWriteSince;
    const phase = desk.status.phase;
    desk.enter('rollback');
    const applied = cursor === null ? null : await readApplied(runbook);
    const { done, remains } = await undo.undoAll();
    const ending = describe({ outcome, why: `${why} in phase ${phase}`, cursor, applied, done, remains });
    desk.enter('ended');
    desk.update({ ending });
    upsertMemo({ ending });
    return ending;
  });
}

/** What is applied, as far as it can be known: the target may be down. */
async function readApplied(runbook: Runbook): Promise<string | null> {
  try {
    return (await undoActivities('read the checkpoint').readCheckpoint({ place: placeOf(runbook) })).applied;
  } catch (error) {
    runbook.desk.update({ waitingFor: `the target does not answer (${reasonOf(error)}); undoing what can be undone` });
    return runbook.desk.status.stream?.applied ?? null;
  }
}

function describe(facts: {
  outcome: Ending['outcome'];
  why: string;
  cursor: string | null;
  applied: string | null;
  done: readonly string[];
  remains: readonly string[];
}): Ending {
  const { outcome, why, cursor, applied, done, remains } = facts;
  const nothingApplied = cursor === null || applied === cursor;
  return {
    outcome,
    summary: nothingApplied
      ? `${why}. No row was written to the old database, ${remains.length === 0 ? 'and no changefeed job of this run is left' : 'and something remains for a person'}.`
      : `${why}. The old database keeps the rows applied so far${applied ? `: every change up to ${applied} and none after` : ''}. ${remains.length === 0 ? 'No changefeed job of this run is left.' : 'Something remains for a person.'}`,
    mayApplicationWriteToOldDatabase: nothingApplied
      ? 'Only as it could before this run: nothing of it was changed, and it lacks what was written to CockroachDB since.'
      : 'No: it lacks what was written to CockroachDB since, and is no longer kept in step. Start a new run to go back.',
    asOf: applied,
    rowsCompared: null,
    done,
    remains,
    // Its restart is offered only where nothing of ours would be carried back (protocol rule 36).
    howToRestartForwardReplication: nothingApplied
      ? 'It may be started again from where it was stopped.'
      : 'Do not start it from where it was stopped: it would carry the rows of this run back to CockroachDB. Start it from the position that the old database has now.',
  };
}
