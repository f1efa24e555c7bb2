import { CancellationScope, upsertMemo } from '@temporalio/workflow';
import type { Ending } from '../../domain/status.js';
import type { Runbook } from '../runbook.js';

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
    const { done, remains } = await undo.undoAll();
    const ending = describe({
      outcome,
      why: `${why} in phase ${phase}`,
      cursor,
      applied: runbook.appliedAtEnd,
      reported: desk.status.stream?.applied ?? null,
      done,
      remains,
      deadLettersLeft: runbook.deadLettersLeft,
    });
    desk.enter('ended');
    desk.update({ ending });
    upsertMemo({ ending });
    return ending;
  });
}

function describe(facts: {
  outcome: Ending['outcome'];
  why: string;
  cursor: string | null;
  /** C at the very end; null: the target could not say. */
  applied: string | null;
  /** C as the stream last said it; what was applied since is not known. */
  reported: string | null;
  done: readonly string[];
  remains: readonly string[];
  /** In words; null: none. */
  deadLettersLeft: string | null;
}): Ending {
  const { outcome, why, cursor, applied, reported, done, remains, deadLettersLeft } = facts;
  const nothingApplied = cursor === null || applied === cursor;
  const upTo =
    applied !== null
      ? `: every change up to ${applied} and none after`
      : reported !== null
        ? `: at least every change up to ${reported}`
        : '';
  return {
    outcome,
    summary: nothingApplied
      ? `${why}. No row was written to the old database, ${remains.length === 0 ? 'and no changefeed job of this run is left' : 'and something remains for a person'}.`
      : `${why}. The old database keeps the rows applied so far${upTo}. ${remains.length === 0 ? 'No changefeed job of this run is left.' : 'Something remains for a person.'}`,
    mayApplicationWriteToOldDatabase: nothingApplied
      ? 'Only as it could before this run: nothing of it was changed, and it lacks what was written to CockroachDB since.'
      : 'No: it lacks what was written to CockroachDB since, and is no longer kept in step. Start a new run to go back.',
    asOf: applied ?? reported,
    rowsCompared: null,
    done,
    remains: deadLettersLeft === null ? remains : [...remains, deadLettersLeft],
    // Its restart is offered only where nothing of ours would be carried back (protocol rule 36).
    howToRestartForwardReplication: nothingApplied
      ? 'It may be started again from where it was stopped.'
      : 'Do not start it from where it was stopped: it would carry the rows of this run back to CockroachDB. Start it from the position that the old database has now.',
  };
}
