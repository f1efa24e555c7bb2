import type pg from 'pg';
import { connectStage, cutOff, type StageDatabase } from './connection.js';
import { leavesConnection } from './errors.js';
import type { EntryRow } from './span.js';

/** The connection by which a stage is read, beside the one that writes: the next window is read while bodies arrive. */
export function openReader(database: StageDatabase) {
  let opening: Promise<pg.Client> | null = null;

  function forget(lost: Promise<pg.Client>): void {
    if (opening === lost) opening = null;
    lost.then(cutOff, () => undefined);
  }

  return {
    /** One statement, one transaction: nothing stays open between two pages (protocol rule 13). */
    async read(text: string, values: readonly unknown[]): Promise<readonly EntryRow[]> {
      const mine = (opening ??= connectStage(database).then(({ client }) => client));
      try {
        const { rows } = await (await mine).query({ text, values: [...values], rowMode: 'array' });
        return rows as unknown as readonly EntryRow[];
      } catch (error) {
        if (!leavesConnection(error)) forget(mine);
        throw error;
      }
    },
    close(): void {
      if (opening) forget(opening);
    },
  };
}
