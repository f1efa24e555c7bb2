import { uuid4 } from '@temporalio/workflow';
import { formatDuration } from '../../domain/duration.js';
import { formatTableName } from '../../domain/table.js';
import { boundedActivities, longActivities, undoActivities } from '../activity-proxies.js';
import { overdue } from '../overdue.js';
import { placeOf, step, type Facts, type Runbook } from '../runbook.js';

/**
 * Proves that forward replication still carries rows: one is written on the old database, seen in CockroachDB, and seen gone again. A rate of 0
 * alone may mean a cut cable. Returns the evidence in words; null when the input names no table for it.
 */
export async function proveBySentinel(runbook: Runbook, { sentinel: table }: Facts): Promise<string | null> {
  if (!table) return null;
  const { input, desk, undo } = runbook;
  const wish = { place: placeOf(runbook), table, id: uuid4() };
  const name = formatTableName(table.target);
  const began = Date.now();
  let gone = false;
  undo.before(
    'removing the sentinel row',
    `on the target DELETE FROM ${name}, on CockroachDB DELETE FROM ${formatTableName(table.source)}, each WHERE id = '${wish.id}'`,
    async () => (gone ? null : undoActivities('remove the sentinel row from both sides').removeSentinel(wish)),
  );
  const awaitOnSource = (wanted: 'there' | 'gone', summary: string): Promise<unknown> =>
    step(runbook, () =>
      longActivities(summary, input).awaitSentinel({ ...wish, wanted, pollEveryMs: input.drain.pollEvery }),
    );

  const pass = async (): Promise<void> => {
    desk.update({ waitingFor: `a row written to ${name} of the old database to come to CockroachDB` });
    await step(runbook, () => boundedActivities(`write a sentinel row to ${name}`).writeSentinel(wish));
    await awaitOnSource('there', 'wait until CockroachDB has the sentinel row');
    desk.update({ waitingFor: `the deletion of that row of ${name} to come to CockroachDB` });
    await step(runbook, () => boundedActivities('delete the sentinel row').eraseSentinel(wish));
    await awaitOnSource('gone', 'wait until the sentinel row is gone from CockroachDB');
  };
  await overdue(
    input.drain.limit,
    () =>
      desk.incident({
        type: 'Drain.TooLong',
        open: true,
        cause: `the sentinel row in ${name} has not passed within ${formatDuration(input.drain.limit)}, its deletion included`,
        remedy:
          'See whether forward replication runs, reaches both databases and carries that table; the runbook goes on waiting.',
      }),
    pass,
  );
  gone = true;
  desk.incident({ type: 'Drain.TooLong', open: false });
  // What has passed proves that it ran: an earlier word that it is stopped is void.
  desk.wishes.forwardStopped = false;
  const evidence = `a row and its deletion came through in ${formatDuration(Date.now() - began)}`;
  desk.update({ waitingFor: null, forward: evidence });
  return evidence;
}
