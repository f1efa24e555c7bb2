import { Context } from '@temporalio/activity';
import { eraseSentinel, hasSentinel } from '../cockroach/sentinel.js';
import type { Place } from '../domain/place.js';
import type { SentinelTable } from '../domain/sentinel.js';
import { withSource, type Access } from './access.js';
import { translated } from './failure-translation.js';
import { pause } from './pause.js';

export interface SentinelWish {
  readonly place: Place;
  readonly table: SentinelTable;
  /** Chosen by the workflow, so that every retry means the same row. */
  readonly id: string;
}

/** How long the undo waits for forward replication to bring the deletion before it deletes the row on CockroachDB itself. */
const CARRIED_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 250;

/** Activities about the drain's sentinel row: written on the old database, seen in CockroachDB, gone from both. */
export function createSentinelActivities(access: Access) {
  return translated({
    async writeSentinel({ place, table, id }: SentinelWish): Promise<Record<string, never>> {
      await access.target(place).writeSentinel(table.target, id);
      return {};
    },

    async eraseSentinel({ place, table, id }: SentinelWish): Promise<Record<string, never>> {
      await access.target(place).eraseSentinel(table.target, id);
      return {};
    },

    /** Returns once CockroachDB has the row, or has it no longer. */
    async awaitSentinel({
      place,
      table,
      id,
      wanted,
      pollEveryMs,
    }: SentinelWish & { wanted: 'there' | 'gone'; pollEveryMs: number }): Promise<{ looks: number }> {
      const signal = Context.current().cancellationSignal;
      return withSource(access, place, async (source) => {
        for (let looks = 1; ; looks += 1) {
          if ((await hasSentinel(source, table.source, id, signal)) === (wanted === 'there')) return { looks };
          await pause(pollEveryMs, signal);
        }
      });
    },

    /** The undo, whatever became of the row. Null: there was none. */
    async removeSentinel({ place, table, id }: SentinelWish): Promise<string | null> {
      const onTarget = await access.target(place).eraseSentinel(table.target, id);
      const signal = Context.current().cancellationSignal;
      const onSource = await withSource(access, place, async (source) => {
        for (let waitedMs = 0; waitedMs < CARRIED_WITHIN_MS; waitedMs += LOOK_EVERY_MS) {
          if (!(await hasSentinel(source, table.source, id, signal))) return false;
          await pause(LOOK_EVERY_MS, signal);
        }
        await eraseSentinel(source, table.source, id);
        return true;
      });
      if (!onTarget && !onSource) return null;
      const sides = [...(onTarget ? ['the target'] : []), ...(onSource ? ['CockroachDB'] : [])];
      return `the sentinel row is removed from ${sides.join(' and ')}`;
    },
  });
}
