import { NO_DEAD_LETTERS } from '../../domain/dead-letters.js';
import type { Hlc } from '../../domain/hlc.js';
import type { CheckpointStore } from '../target.js';
import { createCheckpointRecords } from './checkpoint-records.js';
import { closePostgres, connectPostgres, type PostgresConnection } from './client.js';
import { claimTables } from './claims.js';
import {
  dropCheckpointSchemaIfEmpty,
  ensureCheckpointSchema,
  lockSchema,
  readCheckpointSchema,
} from './checkpoint-schema.js';
import { toTargetError } from './errors.js';
import { inTransaction, sqlState } from './transaction.js';

/**
 * The rows of the checkpoint schema on a PostgreSQL target, over one connection of its own. After a TargetUnavailableError close it
 * and open another. Calls may not overlap.
 */
export async function openPostgresCheckpointStore(
  connection: PostgresConnection,
  schema: string,
): Promise<CheckpointStore> {
  const client = await connectPostgres(connection);
  const rows = createCheckpointRecords(client, schema);

  /** The end of another run may have dropped the schema since `ensureSchema`: it is made again, and the work done once more. */
  const write = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      try {
        return await work();
      } catch (error) {
        if (!isMissingSchema(error)) throw error;
        await ensureCheckpointSchema(client, schema);
        return await work();
      }
    } catch (error) {
      throw toTargetError(error, doing);
    }
  };

  /** Without the schema there is no row. */
  const unlessMissing = async <T>(doing: string, work: () => Promise<T | null>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (isMissingSchema(error)) return null;
      throw toTargetError(error, doing);
    }
  };

  /** A row that is not there is not changed. */
  const update = async (doing: string, work: () => Promise<void>): Promise<void> => {
    await unlessMissing(doing, async () => {
      await work();
      return null;
    });
  };

  /** The stream's row first, as whoever changes several of its rows does. */
  const stopAllAt = (stream: string, stopAt: Hlc | null): Promise<boolean> =>
    inTransaction(client, async () => {
      if (stopAt !== null && (await rows.isOutrun(stream, stopAt))) return false;
      if (!(await rows.setStopAt(stream, stopAt))) return false;
      // A schema that an earlier version has made knows no groups.
      const grouped = (await readCheckpointSchema(client, schema)).tables.some(
        ({ table }) => table === 'checkpoint_group',
      );
      if (grouped && !(await rows.setGroupsStopAt(stream, stopAt))) throw new StopPassed();
      return true;
    }).catch((error: unknown) => {
      if (error instanceof StopPassed) return false;
      throw error;
    });

  return {
    ensureSchema: async () => {
      try {
        await ensureCheckpointSchema(client, schema);
      } catch (error) {
        throw toTargetError(error, `creating the checkpoint schema ${schema}`);
      }
    },
    insertOnce: (row) =>
      write('inserting the checkpoint row', () =>
        inTransaction(client, async () => {
          await rows.insert(row);
          const there = await rows.read(row.stream);
          if (!there) throw new Error(`the checkpoint row of stream ${row.stream} was removed while it was inserted`);
          return there;
        }),
      ),
    read: (stream) => unlessMissing('reading the checkpoint row', () => rows.read(stream)),
    setFeedWanted: (stream, wanted) =>
      update('recording whether a changefeed is wanted', () => rows.setFeedWanted(stream, wanted)),
    setStopAt: async (stream, stopAt) =>
      (await unlessMissing('recording where to stop', () => stopAllAt(stream, stopAt))) ?? false,
    writeHold: (stream, token, hold) =>
      update('recording that the stream rests', () => rows.writeHold(stream, token, hold)),
    readHold: (stream) => unlessMissing('reading where to stop', () => rows.readHold(stream)),
    readRun: (run) => unlessMissing('reading the run', () => rows.readRun(run)),
    writeRun: (record) => write('recording the run', () => rows.writeRun(record)),
    claimTables: (run, tables) => write('claiming the target tables', () => claimTables(client, schema, run, tables)),
    countDeadLetters: async (stream) =>
      (await unlessMissing('counting dead letters', () => rows.countDeadLetters(stream))) ?? NO_DEAD_LETTERS,
    askReplay: async (stream) =>
      (await unlessMissing('asking for dead letters to be tried again', () => rows.askReplay(stream))) ?? 0,
    removeRun: async (run) => {
      const left = await unlessMissing('removing the run', () =>
        inTransaction(client, async () => {
          await lockSchema(client, schema);
          const { tables } = await readCheckpointSchema(client, schema);
          const of = tables.map(({ table }) => table);
          for (const table of of) if (table !== 'dead_letters') await rows.removeRun(table, run);
          const letters = of.includes('dead_letters') ? await rows.countLettersLeft(run) : null;
          await dropCheckpointSchemaIfEmpty(client, schema);
          return letters;
        }),
      );
      return left ?? NO_DEAD_LETTERS;
    },
    close: () => closePostgres(client),
  };
}

/** Rolls back: a group is beyond the stop. */
class StopPassed extends Error {}

/** undefined_table, invalid_schema_name */
function isMissingSchema(error: unknown): boolean {
  const code = sqlState(error);
  return code === '42P01' || code === '3F000';
}
